"""K-means over customers: fit on a sample, labels for all (methods.md §3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

_SILHOUETTE_SAMPLE = 5_000


@dataclass(frozen=True)
class Clustering:
    """Labels are 1..k by falling size. `centres` (k, d) are in prepared units."""

    labels: NDArray[np.int32]
    centres: NDArray[np.float64]
    silhouette: float
    inertia: float
    fitted_on: int
    iterations: int


def cluster(x: NDArray[np.float64], k: int, seed: int, sample: int) -> Clustering:
    """`x`: (N, d) prepared features. Needs at least k distinct customers.

    Raises `ValueError` when there are fewer customers than clusters.
    """
    size = len(x)
    if size < max(k, 2):
        raise ValueError(f"{size} customers cannot form {k} clusters")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(size, min(size, sample), replace=False)
    model = KMeans(n_clusters=k, n_init=10, random_state=seed).fit(x[chosen])
    raw = model.predict(x)
    order = np.argsort(-np.bincount(raw, minlength=k), kind="stable")
    rank = np.empty(k, dtype=np.int32)
    rank[order] = np.arange(1, k + 1, dtype=np.int32)
    return Clustering(
        labels=rank[raw],
        centres=model.cluster_centers_[order],
        silhouette=_silhouette(x, raw, seed),
        inertia=float(model.inertia_),
        fitted_on=len(chosen),
        iterations=int(model.n_iter_),
    )


def _silhouette(x: NDArray[np.float64], labels: NDArray[np.int32], seed: int) -> float:
    chosen = np.random.default_rng(seed).choice(len(x), min(len(x), _SILHOUETTE_SAMPLE), replace=False)
    found = labels[chosen]
    if not 1 < len(np.unique(found)) < len(found):
        return 0.0
    return float(silhouette_score(x[chosen], found))
