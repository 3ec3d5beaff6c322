"""What makes a group different: standardised differences of feature means."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Contrast:
    """One feature in a group against everybody. Unknown values are left out of means."""

    feature: str
    mean: float | None
    mean_all: float | None
    deviation_all: float | None
    difference: float | None
    known: float


def contrasts(features: Mapping[str, NDArray[np.float64]], group: NDArray[np.bool_]) -> list[Contrast]:
    """Largest absolute difference first. `features`: columns of length N, NaN where unknown;
    `group`: mask of length N. The difference is (mean − mean of all) / standard deviation of all.
    """
    found = [_contrast(name, values, group) for name, values in features.items()]
    return sorted(found, key=lambda each: -abs(each.difference or 0.0))


def _contrast(name: str, values: NDArray[np.float64], group: NDArray[np.bool_]) -> Contrast:
    inside = values[group]
    known = float(np.isfinite(inside).mean()) if inside.size else 0.0
    mean, mean_all = _mean(inside), _mean(values)
    finite = values[np.isfinite(values)]
    deviation = float(finite.std()) if finite.size else None
    difference = None
    if mean is not None and mean_all is not None and deviation:
        difference = (mean - mean_all) / deviation
    return Contrast(name, mean, mean_all, deviation, difference, known)


def _mean(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None
