"""How many groups: every K with its evidence, a recommendation and the runner-up (methods.md §3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)

from services.segmentation.domain.ensemble_base import distinct
from services.segmentation.domain.ensemble_consensus import Cut, check_k, cut
from services.segmentation.domain.ensemble_labels import LabelSet, label_set
from services.segmentation.domain.ensemble_threads import Progress, side_by_side

_DISTANCES_SAMPLE = 3_000
_SAMPLE = 10_000
_STARTS = 4


@dataclass(frozen=True)
class KRow:
    """Evidence for one K. `mean_rank`: over the criteria there are, 1 is best on all.

    `silhouette` −1..1, `calinski_harabasz` > 0, `eigengap` (λ_K − λ_{K+1} of the graph of base
    clusters, `None` without an ensemble) 0..1 and `stability` (mean adjusted Rand index between
    the partitions of bootstrapped ensembles or customers) ≤ 1 are better when high,
    `davies_bouldin` ≥ 0 when low.
    """

    k: int
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float
    eigengap: float | None
    stability: float
    mean_rank: float


@dataclass(frozen=True)
class KTable:
    """Rows by rising K; `recommended` and `runner_up` by lowest mean rank, the smaller K on a tie."""

    rows: tuple[KRow, ...]
    recommended: int
    runner_up: int | None


def k_table(
    x: ArrayLike,
    labels: ArrayLike,
    k_max: int = 10,
    seed: int = 0,
    *,
    bootstraps: int = 6,
    progress: Progress | None = None,
) -> KTable:
    """`x`: (N, d) prepared features; `labels`: (m, N) base partitions of the same customers.

    Measured on a sample of at most 10,000 customers (silhouette: 3,000), the same for each K.
    K's that the ensemble cannot form are left out. Raises `ValueError` when that is all of them,
    when k_max < 2 or shapes do not agree.
    """
    found = label_set(labels)
    rows = np.asarray(x, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != found.customers:
        raise ValueError(f"features of {found.customers} customers are needed, not {rows.shape}")
    if k_max < 2 or bootstraps < 2:
        raise ValueError("k_max and bootstraps must be at least 2")
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(found.customers, min(found.customers, _SAMPLE), replace=False))
    sample, rows = found.take(chosen), rows[chosen]
    check_k(2, sample)
    draws = [rng.integers(0, found.partitions, found.partitions) for _ in range(bootstraps)]
    ensembles = [sample, *(sample.choose(np.sort(draw)) for draw in draws)]
    works = [partial(_partitions, each, k_max, seed) for each in ensembles]
    (graph, groups), *others = side_by_side(works, progress)
    values = np.append(graph.eigenvalues, 0.0)
    gaps = {k: float(values[k - 1] - values[k]) for k in groups}
    return _ranked(_evidence(rows, groups, [each for _, each in others], gaps, rng))


def k_table_of_kmeans(
    x: ArrayLike, k_max: int = 10, seed: int = 0, *, bootstraps: int = 6, progress: Progress | None = None
) -> KTable:
    """The same for k-means alone: `x` (N, d) prepared features, on the same sample for each K.

    Stability is that of k-means fitted on customers drawn again with replacement. Raises
    `ValueError` when customers are too few or too alike for two groups, or k_max < 2.
    """
    rows = np.asarray(x, dtype=np.float64)
    if k_max < 2 or bootstraps < 2:
        raise ValueError("k_max and bootstraps must be at least 2")
    rng = np.random.default_rng(seed)
    rows = rows[np.sort(rng.choice(len(rows), min(len(rows), _SAMPLE), replace=False))]
    k_max = min(k_max, len(rows) - 1)
    fitted_on = [rows, *(rows[rng.integers(0, len(rows), len(rows))] for _ in range(bootstraps))]
    works = [partial(_kmeans_partitions, each, rows, k_max, seed) for each in fitted_on]
    groups, *others = side_by_side(works, progress)
    return _ranked(_evidence(rows, groups, others, {}, rng))


Groups = dict[int, NDArray[np.int32]]


def _kmeans_partitions(
    fitted_on: NDArray[np.float64], rows: NDArray[np.float64], k_max: int, seed: int
) -> Groups:
    """The customers `rows` by k-means for each K up to k_max that can be told apart."""
    found = distinct(fitted_on, k_max) if k_max > 1 else 1
    return {
        k: KMeans(k, n_init=_STARTS, random_state=seed).fit(fitted_on).predict(rows)
        for k in range(2, found + 1)
    }


def _partitions(labels: LabelSet, k_max: int, seed: int) -> tuple[Cut, Groups]:
    """The consensus for each K up to k_max that this ensemble can form."""
    graph = cut(labels, k_max + 1)
    groups = {}
    for k in range(2, k_max + 1):
        try:
            check_k(k, labels)
            groups[k] = graph.partition(k, seed)
        except ValueError:
            break
    return graph, groups


def _evidence(
    rows: NDArray[np.float64],
    groups: Groups,
    others: Sequence[Groups],
    gaps: Mapping[int, float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(K's, 6): k, silhouette, Calinski–Harabasz, Davies–Bouldin, eigengap (NaN for none), stability."""
    if not groups:
        raise ValueError("no two groups of customers can be told apart")
    near = np.sort(rng.choice(len(rows), min(len(rows), _DISTANCES_SAMPLE), replace=False))
    distances = squareform(pdist(rows[near]))
    found = [
        (
            k,
            _silhouette(distances, label[near]),
            calinski_harabasz_score(rows, label),
            davies_bouldin_score(rows, label),
            gaps.get(k, np.nan),
            _stability([each[k] for each in others if k in each]),
        )
        for k, label in groups.items()
    ]
    return np.array(found, dtype=np.float64)


def _silhouette(distances: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    if not 1 < len(np.unique(labels)) < len(labels):
        return 0.0
    return float(silhouette_score(distances, labels, metric="precomputed"))


def _stability(partitions: Sequence[NDArray[np.int32]]) -> float:
    pairs = [
        adjusted_rand_score(first, second)
        for number, first in enumerate(partitions)
        for second in partitions[:number]
    ]
    return float(np.mean(pairs)) if pairs else 0.0


def _ranked(evidence: NDArray[np.float64]) -> KTable:
    ranked = evidence[:, 1:] * np.array([-1, -1, 1, -1, -1])
    ranks = rankdata(ranked[:, ~np.isnan(ranked).any(axis=0)], axis=0).mean(axis=1)
    rows = tuple(
        KRow(int(k), silhouette, calinski, davies, None if np.isnan(gap) else gap, stability, rank)
        for (k, silhouette, calinski, davies, gap, stability), rank in zip(
            evidence.tolist(), ranks.tolist(), strict=True
        )
    )
    best = sorted(rows, key=lambda row: (row.mean_rank, row.k))
    return KTable(rows, best[0].k, best[1].k if best[1:] else None)
