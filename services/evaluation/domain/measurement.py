"""How well constructs are measured: reliability, and whether they can be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RELIABLE = 0.7
"""Nunnally (1978): below it a score says more of its measurement than of what is measured."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of a construct that shows in two or more indicators."""

    alpha: float
    """Cronbach (1951), of standardised indicators; negative when they contradict each other."""
    composite: float
    """Dillon–Goldstein's ρ."""
    extracted: float
    """Average variance extracted (AVE)."""

    @property
    def lowest(self) -> float:
        """α errs low and ρ high: a construct is as reliable as the smaller says."""
        return min(self.alpha, self.composite)


def reliability(correlations: Floats, loadings: Sequence[float]) -> Reliability:
    """`correlations` (k, k) among the construct's own indicators, k ≥ 2, and their loadings on it."""
    count = len(loadings)
    off = (float(correlations.sum()) - count) / (count * (count - 1))
    own = np.asarray(loadings)
    explained, left = float(own.sum()) ** 2, float((1 - own**2).sum())
    return Reliability(
        # k r̄ / (1 + (k − 1) r̄) written over the whole matrix, whose sum is never negative.
        alpha=count * off / (1 + (count - 1) * off) if 1 + (count - 1) * off > 0 else -1.0,
        composite=explained / (explained + left) if explained + left > 0 else 0.0,
        extracted=float((own**2).mean()),
    )


def heterotrait_ratio(correlations: Floats, one: Sequence[int], other: Sequence[int]) -> float | None:
    """HTMT (Henseler, Ringle, Sarstedt 2015) of two constructs of two or more indicators (columns).

    Near 1, or above .9: they are hardly two things. None when a construct's own indicators do not agree.
    """
    within = [_mean_within(correlations, block) for block in (one, other)]
    if min(within) <= 0:
        return None
    across = float(np.abs(correlations[np.ix_(one, other)]).mean())
    return across / sqrt(within[0] * within[1])


def _mean_within(correlations: Floats, block: Sequence[int]) -> float:
    size = len(block)
    own = np.abs(correlations[np.ix_(block, block)])
    return (float(own.sum()) - size) / (size * (size - 1))


def distinct(extracted: float, correlations: Sequence[float]) -> bool:
    """Fornell and Larcker (1981): a construct shares more with its own indicators than with any other."""
    return all(extracted > value**2 for value in correlations)
