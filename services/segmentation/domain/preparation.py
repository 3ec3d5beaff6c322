"""Features made comparable before anything measures distances between customers (methods.md §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Transform = Literal["none", "log"]
_TAILS = (0.005, 0.995)
_HEAVY_SKEW = 2.0
_RARE = 0.9


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


def prepared(
    features: Mapping[str, NDArray[np.float64]],
) -> tuple[dict[str, Preparation], NDArray[np.float64]]:
    """How each of the d columns is made comparable, and the (N, d) result, without unknown values.

    `features`: columns of length N in the units of the catalogue, NaN where unknown. Raises
    `ValueError` when there are none.
    """
    if not features:
        raise ValueError("no features to compare customers by")
    preparation = {name: prepare(values) for name, values in features.items()}
    return preparation, as_prepared(preparation, features)


def as_prepared(
    preparation: Mapping[str, Preparation], features: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Tomorrow's customers with today's preparation: (N, d) in its order of features."""
    x = np.empty((len(next(iter(features.values()))), len(preparation)))
    for column, (name, how) in enumerate(preparation.items()):
        x[:, column] = apply(how, features[name])
    return x


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
