"""Where a key account stands: attractiveness against competitiveness in nine cells (methods.md §4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS = ("low", "medium", "high")
CLASSES = ("A", "B", "C")
# By attractiveness + competitiveness as places in BANDS: the three cells above the diagonal, on it, below it.
_CLASS_OF_SUM = np.array(["C", "C", "B", "A", "A"])
_PLAYS = {"A": "invest", "B": "select", "C": "harvest"}

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Positions:
    """N customers: weighted means in 1..5, their bands as places in `BANDS`, their classes."""

    attractiveness: Scores
    competitiveness: Scores
    attractiveness_band: NDArray[np.intp]
    competitiveness_band: NDArray[np.intp]
    classes: NDArray[np.str_]


def place(
    attractive: Scores, competitive: Scores, x: Sequence[float], y: Sequence[float], low: float, high: float
) -> Positions:
    """A = Σ X·a and S = Σ Y·b. `attractive` (N, p) and `competitive` (N, q) are scores from 1 to 5, `x` (p)
    and `y` (q) their weights, each summing to 1. A value on a cut-off belongs to the band above it.
    """
    # Weighted means of equal scores must not fall below a cut-off by the last bit.
    a, s = (np.round(scores @ np.asarray(w), 9) for scores, w in ((attractive, x), (competitive, y)))
    a_band, s_band = (np.searchsorted([low, high], values, side="right") for values in (a, s))
    return Positions(a, s, a_band, s_band, _CLASS_OF_SUM[a_band + s_band])


def class_of(attractiveness: str, competitiveness: str) -> str:
    """A: high/high, high/medium, medium/high. C: low/low, low/medium, medium/low. B: the diagonal."""
    return str(_CLASS_OF_SUM[BANDS.index(attractiveness) + BANDS.index(competitiveness)])


def play_of(customer_class: str) -> str:
    """The strategy template of a class: invest, select or harvest."""
    return _PLAYS[customer_class]


def banded(values: Scores, cutoffs: Sequence[float], *, lower_is_better: bool = False) -> Scores:
    """Scores 1..5 of feature values (N,) by four ascending cut-offs; NaN stays NaN."""
    score = 1.0 + np.searchsorted(np.asarray(cutoffs), values, side="right")
    if lower_is_better:
        score = 6.0 - score
    return np.where(np.isnan(values), np.nan, score)
