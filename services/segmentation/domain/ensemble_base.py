"""Base partitions: many quick k-means views of the same customers (methods.md §3)."""

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

from services.segmentation.domain.ensemble_labels import chunks
from services.segmentation.domain.ensemble_threads import Progress, side_by_side

Rows = NDArray[np.float32]
_MOST_CLUSTERS = 1_000
_PREDICTED = 65_536
# A base partition need not be the best of its kind: the ensemble lives on their differences.
_ITERATIONS = 25


def base_partitions(
    x: ArrayLike,
    m: int = 20,
    k_range: tuple[int, int] = (2, 20),
    seed: int = 0,
    *,
    sample: int = 50_000,
    features: float = 0.75,
    progress: Progress | None = None,
    threads: int | None = None,
) -> NDArray[np.int16]:
    """(m, N) labels, 0..k_p−1 in partition p.

    `x`: (N, d) prepared features. Each partition draws k_p uniformly from `k_range` (both ends
    included, but no more than √N or the distinct customers of its sample), a subset of at least the share
    `features` of the features, a sample of at most `sample` customers and its first centres; it
    is fitted on the sample and labels everybody. The result depends on the seed, not on
    `threads`. `progress` is told the finished share after each partition; what it raises ends
    the run. Few, large clusters suit groups that are round and differ in size, as kinds of
    customers do; `k_range` up to √N suits groups of odd shapes. Raises `ValueError` for values
    that are not finite, for features in which nobody differs and for arguments out of range.
    """
    rows = _rows(x)
    low, high = k_range
    if not 1 <= low <= high <= _MOST_CLUSTERS:
        raise ValueError(f"k_range must be 1 <= low <= high <= {_MOST_CLUSTERS}, not {low} to {high}")
    if m < 1 or sample < 2 or not 0 < features <= 1:
        raise ValueError("m must be at least 1, sample at least 2, features above 0 and at most 1")
    varying = np.flatnonzero(rows.min(axis=0) < rows.max(axis=0))
    if not varying.size:
        raise ValueError("no feature differs between customers")
    seeds = np.random.SeedSequence(seed).spawn(m)
    least = math.ceil(features * len(varying))
    works = [partial(_partition, rows, varying, least, k_range, sample, each) for each in seeds]
    return np.stack(side_by_side(works, progress, threads))


def _rows(x: ArrayLike) -> Rows:
    rows = np.asarray(x, dtype=np.float32, order="C")
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"features have the shape (customers, features), not {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("features must be finite: prepare them first")
    return rows


def _partition(
    rows: Rows,
    varying: NDArray[np.intp],
    least: int,
    k_range: tuple[int, int],
    sample: int,
    seed: np.random.SeedSequence,
) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    low, high = k_range
    wanted = min(int(rng.integers(low, high + 1)), max(low, math.isqrt(len(rows))))
    count = int(rng.integers(least, len(varying) + 1))
    subset = np.sort(rng.choice(varying, count, replace=False))
    chosen = rng.choice(len(rows), min(len(rows), sample), replace=False, shuffle=False)
    fitted_on = rows[np.ix_(chosen, subset)]
    k = min(wanted, distinct(fitted_on, wanted))
    start = int(rng.integers(2**31))
    model = KMeans(k, n_init=1, max_iter=_ITERATIONS, random_state=start).fit(fitted_on)
    labels = np.empty(len(rows), dtype=np.int16)
    for chunk in chunks(len(rows), _PREDICTED):
        labels[chunk] = model.predict(np.take(rows[chunk], subset, axis=1))
    return labels


def distinct(rows: NDArray[np.floating], enough: int) -> int:
    """How many rows differ, counted no further than `enough`."""
    # A few hundred rows nearly always hold enough; sorting all is for data with few values.
    for size in (64 * enough, len(rows)):
        found = len(np.unique(rows[:size], axis=0))
        if found >= enough:
            return enough
    return found
