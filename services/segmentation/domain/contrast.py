"""What makes a group different: standardised differences of feature means and of shares of words."""

import math
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


@dataclass(frozen=True)
class ShareContrast:
    """One word of a feature: its share in a group and among everybody, where both know the feature."""

    feature: str
    value: str
    share: float
    share_all: float
    difference: float
    """(share − share of all) / standard deviation of having it among all: comparable with means."""


def share_contrasts(feature: str, counts: Mapping[str | None, tuple[int, int]]) -> list[ShareContrast]:
    """`counts`: by word, how many have it in the group and among everybody, the group included; no word is
    unknown and left out. Words that everybody has tell nothing; of an empty group nothing is said.
    """
    known = {word: pair for word, pair in counts.items() if word is not None}
    inside, everybody = (sum(pair[side] for pair in known.values()) for side in (0, 1))
    found = []
    for word, (here, all_) in known.items():
        if not inside or all_ in {0, everybody}:
            continue
        share, share_all = here / inside, all_ / everybody
        difference = (share - share_all) / math.sqrt(share_all * (1 - share_all))
        found.append(ShareContrast(feature, word, share, share_all, difference))
    return found
