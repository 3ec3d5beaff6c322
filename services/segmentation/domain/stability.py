"""Groups over time: kept numbers, who moved, what drifted (methods.md §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

NO_GROUP = 0
_SMOOTHING = 0.5
_MODERATE, _SHIFTED = 0.1, 0.25


def match_labels(new: ArrayLike, old: ArrayLike) -> dict[int, int]:
    """The number each new group keeps: the old group it shares most customers with, one to one.

    `new`, `old`: (n,) labels of the same customers, in the same order, from two runs; 0 is no
    group. Among all pairings the one with the most customers who stay (Hungarian method). Groups
    beyond the old ones get the smallest free numbers. Raises `ValueError` when lengths differ.
    """
    found, before = _pair(new, old)
    numbers, known = _numbers(found), _numbers(before)
    shared = _overlap(found, before, numbers, known)
    kept = {numbers[row]: known[column] for row, column in zip(*linear_sum_assignment(-shared), strict=True)}
    free = iter(sorted(set(range(1, len(numbers) + len(known) + 1)) - set(kept.values())))
    return {number: kept[number] if number in kept else next(free) for number in numbers}


def renumbered(labels: NDArray[np.integer], numbers: Mapping[int, int]) -> NDArray[np.int32]:
    """Labels with the numbers of `match_labels`; 0 stays 0."""
    highest = max(int(labels.max(initial=0)), *numbers, 0)
    table = np.zeros(highest + 1, dtype=np.int32)
    for number, kept in numbers.items():
        table[number] = kept
    kept_labels: NDArray[np.int32] = table[labels]
    return kept_labels


@dataclass(frozen=True)
class Moves:
    """`moved`: share of the customers with a group in both runs who are in another one now.

    `stayed`: for each old group the share of its customers who stayed; `joined` and `left`:
    customers with a group in one run only.
    """

    customers: int
    moved: float
    stayed: dict[int, float]
    joined: int
    left: int


def moves(new: ArrayLike, old: ArrayLike) -> Moves:
    """`new` (with kept numbers) and `old`: (n,) labels of the same customers; 0 is no group."""
    found, before = _pair(new, old)
    both = (found != NO_GROUP) & (before != NO_GROUP)
    same = both & (found == before)
    count = int(both.sum())
    return Moves(
        customers=count,
        moved=1 - int(same.sum()) / count if count else 0.0,
        stayed={number: float(same[both & (before == number)].mean()) for number in _numbers(before[both])},
        joined=int(((found != NO_GROUP) & ~both).sum()),
        left=int(((before != NO_GROUP) & ~both).sum()),
    )


def _pair(new: ArrayLike, old: ArrayLike) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    found, before = np.asarray(new), np.asarray(old)
    if found.shape != before.shape or found.ndim != 1:
        raise ValueError(f"labels of the same customers are needed, not {found.shape} and {before.shape}")
    return found, before


def _numbers(labels: NDArray[np.integer]) -> list[int]:
    return [int(number) for number in np.unique(labels) if number != NO_GROUP]


def _overlap(
    new: NDArray[np.integer], old: NDArray[np.integer], numbers: list[int], known: list[int]
) -> NDArray[np.int64]:
    both = (new != NO_GROUP) & (old != NO_GROUP)
    rows = np.searchsorted(numbers, new[both])
    columns = np.searchsorted(known, old[both])
    pairs = np.bincount(rows * len(known) + columns, minlength=len(numbers) * len(known))
    return pairs.reshape(len(numbers), len(known))


@dataclass(frozen=True)
class Population:
    """How a feature or score was spread when a model was made, kept to see it drift.

    `edges`: rising inner bounds of the bins, a value equal to a bound is below it; `counts`:
    customers per bin, the last of those whose value is unknown.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def population(values: NDArray[np.float64], bins: int = 10) -> Population:
    """Bins with equally many customers, fewer where values repeat; NaN is unknown."""
    if bins < 2:
        raise ValueError("at least two bins are needed")
    known = np.sort(values[np.isfinite(values)])
    last = [max(-(-known.size * each // bins) - 1, 0) for each in range(1, bins)]
    edges = np.unique(known[last]) if known.size else known
    bounds = tuple(edges[edges < known.max(initial=-np.inf)].tolist())
    return Population(bounds, _counts(bounds, values))


def population_stability(before: Population, values: NDArray[np.float64]) -> float:
    """PSI = Σ (now − before)·ln(now / before) over bins, unknown values in a bin of their own.

    Shares are smoothed by half a customer, so that an empty bin does not make it infinite. `values`: NaN is
    unknown.
    """
    old = np.array(before.counts, dtype=np.float64)
    new = np.array(_counts(before.edges, values), dtype=np.float64)
    used = (old > 0) | (new > 0)
    if not used.any():
        return 0.0
    expected, actual = (_smoothed(counts[used]) for counts in (old, new))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def stability_level(psi: float) -> Literal["stable", "moderate", "shifted"]:
    """The usual reading: below 0.1 stable, above 0.25 another population."""
    return "stable" if psi < _MODERATE else "shifted" if psi > _SHIFTED else "moderate"


def _counts(edges: tuple[float, ...], values: NDArray[np.float64]) -> tuple[int, ...]:
    known = values[np.isfinite(values)]
    inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return (*inside.tolist(), len(values) - len(known))


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    smooth = counts + _SMOOTHING
    share: NDArray[np.float64] = smooth / smooth.sum()
    return share
