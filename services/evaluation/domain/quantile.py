"""Difference of quantiles without assuming a density.

Each group's quantile has an interval between two order statistics that holds for any distribution (ranks
from the binomial; David and Nagaraja 2003, §7.1). The two intervals are joined into one of the difference by
the method of variance estimates recovery (Zou and Donner 2008), the way Newcombe joins two Wilson intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from services.evaluation.domain.effect import Effect, NoEffect

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Located:
    """A group's quantile between two of its values, `low` ≤ `value` ≤ `high`."""

    n: int
    value: float
    low: float
    high: float


def ranks(n: int, q: float, alpha: float) -> tuple[int, int] | None:
    """Ranks, counted from 1, of the two ordered values that enclose the `q` quantile at level 1 − alpha.

    None when `n` values are too few to have them.
    """
    low = int(stats.binom.ppf(alpha / 2, n, q))
    high = int(stats.binom.ppf(1 - alpha / 2, n, q)) + 1
    return (low, high) if low >= 1 and high <= n else None


def located(values: ArrayLike, q: float, alpha: float) -> Located | NoEffect:
    """The quantile (linear interpolation) of finite values, 0 < q < 1, with its interval."""
    if not 0 < q < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not at {q:g}")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not np.isfinite(ordered).all():
        raise ValueError("quantiles need finite values")
    enclosing = ranks(ordered.size, q, alpha)
    if enclosing is None:
        return NoEffect("too-few", f"{ordered.size} values are too few for an interval of the {q:g} quantile")
    low, high = float(ordered[enclosing[0] - 1]), float(ordered[enclosing[1] - 1])
    value = min(max(float(np.quantile(ordered, q)), low), high)
    return Located(ordered.size, value, low, high)


def quantile_effect(treated: ArrayLike, control: ArrayLike, q: float, alpha: float) -> Effect | NoEffect:
    """Difference of the `q` quantiles of two groups of finite values; at least 1 − alpha is covered."""
    mine, theirs = located(treated, q, alpha), located(control, q, alpha)
    if isinstance(mine, NoEffect):
        return mine
    if isinstance(theirs, NoEffect):
        return theirs
    return difference_of(mine, theirs, alpha)


def difference_of(treated: Located, control: Located, alpha: float) -> Effect | NoEffect:
    """The effect from two located quantiles, both at level 1 − alpha.

    The p-value belongs to the interval: it is below alpha exactly when zero lies outside. Where so many
    values are equal that a side of the interval has no width, chance cannot be judged by ranks: NoEffect.
    """
    difference = treated.value - control.value
    below = sqrt((treated.value - treated.low) ** 2 + (control.high - control.value) ** 2)
    above = sqrt((treated.high - treated.value) ** 2 + (control.value - control.low) ** 2)
    if below == 0 or above == 0:
        return NoEffect(
            "ties", "the quantile lies among so many equal values that chance cannot be judged by their order"
        )
    z = float(stats.norm.ppf(1 - alpha / 2))
    towards_zero = below if difference > 0 else above
    return Effect(
        n=treated.n,
        n_control=control.n,
        mean=treated.value,
        mean_control=control.value,
        difference=difference,
        standard_error=(below + above) / (2 * z),
        interval=(difference - below, difference + above),
        p_value=float(2 * stats.norm.sf(z * abs(difference) / towards_zero)),
        method="order-statistics",
    )
