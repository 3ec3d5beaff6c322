"""What counts as having left, and for whom the question makes sense."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ChurnRule:
    """Left: assets fell by at least `fall` (0–1) and at most `most_activity` events happened in the horizon.

    Asked only of customers who had at least `least_assets` at the beginning.
    """

    fall: float
    most_activity: int
    least_assets: float


def at_risk(rule: ChurnRule, assets: Vector) -> Mask:
    """Who can leave: (N,) assets at the beginning, NaN is nothing."""
    return np.nan_to_num(assets) >= max(rule.least_assets, 0.01)


def has_left(rule: ChurnRule, before: Vector, after: Vector, activity: Vector) -> Mask:
    """(N,) assets at the beginning and end of the horizon, and the events within it."""
    fell = np.nan_to_num(after) <= (1 - rule.fall) * np.nan_to_num(before)
    return np.asarray(fell & (np.nan_to_num(activity) <= rule.most_activity))
