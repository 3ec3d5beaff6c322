"""K-means over customers: preparation, fit on a sample, labels for all (methods.md §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

Transform = Literal["none", "log"]
_TAILS = (0.005, 0.995)
_HEAVY_SKEW = 2.0
_RARE = 0.9
_SILHOUETTE_SAMPLE = 5_000


@dataclass(frozen=True)
class Preparation:
    """How one feature was made comparable: `(transform(clip(x, low, high)) − centre) / scale`.

    `log` is sign(x)·log(1 + |x|). Unknown values become `fill`, the median.
    """

    transform: Transform
    low: float
    high: float
    fill: float
    centre: float
    scale: float


@dataclass(frozen=True)
class Clustering:
    """Labels are 1..k by falling size. `centres` (k, d) are in prepared units."""

    labels: NDArray[np.int32]
    centres: NDArray[np.float64]
    preparation: dict[str, Preparation]
    silhouette: float
    inertia: float
    fitted_on: int
    iterations: int


def cluster(features: Mapping[str, NDArray[np.float64]], k: int, seed: int, sample: int) -> Clustering:
    """`features`: d columns of length N, NaN where unknown. Needs at least k distinct customers.

    Raises `ValueError` when there are fewer customers than clusters.
    """
    size = len(next(iter(features.values())))
    if size < max(k, 2):
        raise ValueError(f"{size} customers cannot form {k} clusters")
    preparation = {name: prepare(values) for name, values in features.items()}
    x = np.column_stack([apply(preparation[name], values) for name, values in features.items()])
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
        preparation=preparation,
        silhouette=_silhouette(x, raw, seed),
        inertia=float(model.inertia_),
        fitted_on=len(chosen),
        iterations=int(model.n_iter_),
    )


def prepare(values: NDArray[np.float64]) -> Preparation:
    """Winsorised at the outer half per cents, logarithm for heavy tails, robust scale.

    The scale is the interquartile range in units of a normal deviation, but not below the
    standard deviation; three of them where nine in ten customers have the same value, because a
    rare event must not outweigh everything in which customers differ by degrees.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return Preparation("none", 0.0, 0.0, 0.0, 0.0, 1.0)
    low, high = (float(bound) for bound in np.quantile(known, _TAILS))
    clipped = np.clip(known, low, high)
    transform: Transform = "log" if _skewness(clipped) > _HEAVY_SKEW else "none"
    moved = _transformed(transform, clipped)
    lower, centre, upper = np.quantile(moved, [0.25, 0.5, 0.75])
    deviation = float(moved.std()) * (3.0 if _modal_share(clipped) > _RARE else 1.0)
    scale = max((upper - lower) / 1.349, deviation)
    fill = float(np.median(clipped))
    return Preparation(transform, low, high, fill, float(centre), float(scale) or 1.0)


def apply(how: Preparation, values: NDArray[np.float64]) -> NDArray[np.float64]:
    filled = np.where(np.isfinite(values), values, how.fill)
    return (_transformed(how.transform, np.clip(filled, how.low, how.high)) - how.centre) / how.scale


def _transformed(transform: Transform, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(values) * np.log1p(np.abs(values)) if transform == "log" else values


def _modal_share(values: NDArray[np.float64]) -> float:
    return float(np.unique(values, return_counts=True)[1].max() / len(values))


def _skewness(values: NDArray[np.float64]) -> float:
    deviation = values.std()
    if deviation == 0:
        return 0.0
    return float(abs((((values - values.mean()) / deviation) ** 3).mean()))


def _silhouette(x: NDArray[np.float64], labels: NDArray[np.int32], seed: int) -> float:
    chosen = np.random.default_rng(seed).choice(len(x), min(len(x), _SILHOUETTE_SAMPLE), replace=False)
    found = labels[chosen]
    if not 1 < len(np.unique(found)) < len(found):
        return 0.0
    return float(silhouette_score(x[chosen], found))
