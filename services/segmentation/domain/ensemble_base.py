"""Base partitions: many quick k-means views of the same customers (methods.md §3)."""

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans, kmeans_plusplus

from services.segmentation.domain.ensemble_threads import Progress, side_by_side

Rows = NDArray[np.float32]
MOST_CLUSTERS = 1_000
FEW = (2, 20)
# A base partition need not be the best of its kind: the ensemble lives on their differences.
_ITERATIONS = 12
_SEEDED = 5_000


def base_partitions(
    x: ArrayLike,
    m: int = 20,
    k_range: tuple[int, int] = FEW,
    seed: int = 0,
    *,
    sample: int = 50_000,
    features: float = 0.75,
    progress: Progress | None = None,
    threads: int | None = None,
) -> NDArray[np.int16]:
    """(m, N) labels, 0..k_p−1 in partition p.

    `x`: (N, d) prepared features. Each partition draws k_p uniformly from `k_range` (both ends
    included; the upper one is √N where that is less), but no more than the distinct customers it
    starts from, a subset of at least the share `features` of the features, a sample of at most
    `sample` customers and its first centres; it is fitted on the sample and labels everybody. The
    result depends on the seed, not on `threads`. `progress` is told the finished share after each
    partition; what it raises ends
    the run. Few, large clusters suit groups that are round and differ in size, as kinds of
    customers do, and keep degrees of membership far apart; a `k_range` up to √N suits groups of
    odd shapes. Raises `ValueError` for values that are not finite, for features in which nobody
    differs and for arguments out of range.
    """
    rows = _rows(x)
    low, high = k_range
    if not 1 <= low <= high <= MOST_CLUSTERS:
        raise ValueError(f"k_range must be 1 <= low <= high <= {MOST_CLUSTERS}, not {low} to {high}")
    if m < 1 or sample < 2 or not 0 < features <= 1:
        raise ValueError("m must be at least 1, sample at least 2, features above 0 and at most 1")
    varying = np.flatnonzero(rows.min(axis=0) < rows.max(axis=0))
    if not varying.size:
        raise ValueError("no feature differs between customers")
    seeds = np.random.SeedSequence(seed).spawn(m)
    least = math.ceil(features * len(varying))
    bounds = low, max(low, min(high, math.isqrt(len(rows))))
    works = [partial(_partition, rows, varying, least, bounds, sample, each) for each in seeds]
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
    bounds: tuple[int, int],
    sample: int,
    seed: np.random.SeedSequence,
) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    low, high = bounds
    wanted = int(rng.integers(low, high + 1))
    count = int(rng.integers(least, len(varying) + 1))
    subset = np.sort(rng.choice(varying, count, replace=False))
    chosen = rng.choice(len(rows), min(len(rows), sample), replace=False, shuffle=False)
    fitted_on = rows[np.ix_(chosen, subset)]
    # First centres want a look at each time at everybody: some are enough to choose from.
    seeded = fitted_on[:: max(len(fitted_on) // max(_SEEDED, 20 * wanted), 1)]
    k = min(wanted, distinct(seeded, wanted))
    start = int(rng.integers(2**31))
    centres, _ = kmeans_plusplus(seeded, k, random_state=start)
    model = KMeans(k, init=centres, n_init=1, max_iter=_ITERATIONS, copy_x=False).fit(fitted_on)
    return _nearest(model, subset, rows)


def _nearest(model: KMeans, subset: NDArray[np.intp], rows: Rows) -> NDArray[np.int16]:
    """Labels of all `rows` by a model of some of their features, without a copy of these."""
    # A coordinate of 0 in every centre adds the same to all distances: it decides nothing.
    centres = np.zeros((model.n_clusters, rows.shape[1]), dtype=rows.dtype)
    centres[:, subset] = model.cluster_centers_
    model.cluster_centers_, model.n_features_in_ = centres, rows.shape[1]
    labels: NDArray[np.int16] = model.predict(rows).astype(np.int16)
    return labels


def distinct(rows: NDArray[np.floating], enough: int) -> int:
    """How many rows differ, counted no further than `enough`."""
    # A few hundred rows nearly always hold enough; sorting all is for data with few values.
    for size in (64 * enough, len(rows)):
        found = len(np.unique(rows[:size], axis=0))
        if found >= enough:
            return enough
    return found
