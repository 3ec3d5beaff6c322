"""Winsorising: values beyond quantiles that were declared beforehand count as the quantile.

The caps come from all groups together. Caps of its own for each group would move the groups by different
amounts, and what they moved would look like an effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def caps(values: ArrayLike, lower: float, upper: float) -> tuple[float, float]:
    """The `lower` and `upper` quantiles (shares, 0 ≤ lower < upper ≤ 1) of everybody's values.

    ValueError without values, or for shares that are none. An end of 0 or 1 caps nothing.
    """
    if not 0 <= lower < upper <= 1:
        raise ValueError(f"quantiles to cap at must be 0 ≤ lower < upper ≤ 1, not {lower:g} and {upper:g}")
    pooled = np.asarray(values, dtype=np.float64)
    if pooled.size == 0 or not np.isfinite(pooled).all():
        raise ValueError("caps need values, and finite ones")
    low, high = np.quantile(pooled, [lower, upper])
    return float(low), float(high)


def winsorised(values: ArrayLike, limits: tuple[float, float]) -> NDArray[np.float64]:
    """Values moved to the nearer cap where they lie beyond it; same shape."""
    return np.clip(np.asarray(values, dtype=np.float64), *limits)
