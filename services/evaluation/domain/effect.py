"""The effect of a treatment: difference in means against the hold-out, with its interval.

Results are data. What cannot be computed is a `NoEffect` with a code and a reason: callers have
to handle it, and nobody can mistake it for an effect of zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from sys import float_info
from typing import TYPE_CHECKING, Literal

from scipy import stats

from services.evaluation.domain.moments import Moments, merged

if TYPE_CHECKING:
    from shared.contracts.evaluation.effects import EffectMethod

WEAK_CORRELATION = 0.05
NEAR_COPY = 1 - 1e-10
"""A covariate that agrees with the outcome better than this is the outcome under another name."""
Kind = Literal["sum", "count", "proportion"]
Interval = tuple[float, float]
_DIGITS = 8 * float_info.epsilon


@dataclass(frozen=True, slots=True)
class RelativeEffect:
    """Difference ÷ mean of the hold-out."""

    value: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What CUPED found, and whether it was used."""

    theta: float
    correlation: float
    applied: bool
    thetas: tuple[float, ...] = ()
    """Of several covariates, in their order, 0 where one was left out. Their weighted sum is then the
    covariate, its θ is 1 and `correlation` the multiple correlation."""

    @property
    def variance_reduction(self) -> float:
        return self.correlation**2 if self.applied else 0.0


@dataclass(frozen=True, slots=True)
class Clustering:
    """What was counted where managers or branches were drawn by lot; `clusters` of the treated.

    `icc` is the intraclass correlation and `design_effect` by how much it multiplies the variance; both None
    when no cluster has two units. `freedom` of the t distribution.
    """

    clusters: int
    clusters_control: int
    freedom: float
    icc: float | None
    design_effect: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """Difference of two means in the outcome's unit; `interval` at level 1 − α."""

    n: int
    n_control: int
    mean: float
    mean_control: float
    difference: float
    standard_error: float
    interval: Interval
    p_value: float
    method: EffectMethod
    relative: RelativeEffect | None = None
    adjustment: Adjustment | None = None
    clustering: Clustering | None = None

    def significantly(self, direction: int) -> bool:
        """Whether the whole interval lies on the side of `direction` (1 above zero, −1 below)."""
        low, high = self.interval
        return low > 0 if direction > 0 else high < 0


@dataclass(frozen=True, slots=True)
class NoEffect:
    """Why there is no estimate."""

    code: Literal[
        "too-few", "too-few-clusters", "no-variance", "no-denominator", "ties", "too-large", "clustered"
    ]
    detail: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A group's mean (or ratio, or adjusted mean) with the variance of that estimate, not of the units."""

    n: int
    mean: float
    variance: float
    freedom: float


def of_mean(moments: Moments) -> Estimate:
    return Estimate(moments.n, moments.mean_y, moments.variance / moments.n, moments.n - 1)


def compare(
    treated: Moments, control: Moments, kind: Kind, alpha: float, at_least: int = 2
) -> Effect | NoEffect:
    """The effect by the method that fits the outcome.

    Proportions: Newcombe. Sums and counts: Welch on the CUPED-adjusted outcome where the
    covariate helps, on the outcome itself where it does not.
    """
    if min(treated.n, control.n) < max(at_least, 2):
        return NoEffect(
            "too-few", f"{treated.n} treated and {control.n} held out; {max(at_least, 2)} of each are needed"
        )
    if kind == "proportion":
        return newcombe(treated, control, alpha)
    adjustment = cuped(treated, control)
    if adjustment is None or not adjustment.applied:
        plain = welch(treated, control, alpha)
        return plain if isinstance(plain, NoEffect) else replace(plain, adjustment=adjustment)
    centre = merged((treated, control)).mean_x
    adjusted = welch(treated.less(adjustment.theta, centre), control.less(adjustment.theta, centre), alpha)
    if isinstance(adjusted, NoEffect):
        return adjusted
    return replace(adjusted, method="welch+cuped", adjustment=adjustment)


def welch(treated: Moments, control: Moments, alpha: float) -> Effect | NoEffect:
    """Difference in means with unequal variances, degrees of freedom by Welch–Satterthwaite."""
    return contrast(of_mean(treated), of_mean(control), alpha, "welch")


def contrast(
    treated: Estimate, control: Estimate, alpha: float, method: EffectMethod, freedom: float | None = None
) -> Effect | NoEffect:
    """Difference of two independent estimates by the t distribution.

    Degrees of freedom are `freedom` where given, else by Welch–Satterthwaite from those of the two.
    """
    variance = treated.variance + control.variance
    if not isfinite(variance) or not isfinite(treated.mean - control.mean):
        return NoEffect("too-large", "the numbers are too large to be squared")
    error = sqrt(variance)
    if error <= _DIGITS * max(abs(treated.mean), abs(control.mean)):
        return NoEffect("no-variance", "the outcome is the same for everybody, so chance cannot be judged")
    if freedom is None:
        freedom = satterthwaite(treated, control)
    difference = treated.mean - control.mean
    margin = float(stats.t.ppf(1 - alpha / 2, freedom)) * error
    return Effect(
        n=treated.n,
        n_control=control.n,
        mean=treated.mean,
        mean_control=control.mean,
        difference=difference,
        standard_error=error,
        interval=(difference - margin, difference + margin),
        p_value=float(2 * stats.t.sf(abs(difference) / error, freedom)),
        method=method,
        relative=_relative(treated, control, freedom, alpha),
    )


def satterthwaite(treated: Estimate, control: Estimate) -> float:
    """Degrees of freedom of the difference of two estimates, not both without variance.

    Satterthwaite (1946); of shares of the variance, which can be squared whatever its size.
    """
    share = treated.variance / (treated.variance + control.variance)
    return 1 / (share**2 / treated.freedom + (1 - share) ** 2 / control.freedom)


def _relative(treated: Estimate, control: Estimate, freedom: float, alpha: float) -> RelativeEffect | None:
    """Ratio of two means by the delta method; none when the hold-out's mean is not positive.

    A share of a negative or vanishing base says nothing to anybody.
    """
    base = control.mean
    if base <= 0 or base < sqrt(control.variance):
        return None
    value, share = (treated.mean - base) / base, treated.mean / base
    error = sqrt(treated.variance + control.variance * share * share) / base
    margin = float(stats.t.ppf(1 - alpha / 2, freedom)) * error
    if not isfinite(margin) or not isfinite(value):
        return None
    p_value = float(2 * stats.t.sf(abs(value) / error, freedom)) if error > 0 else 1.0
    return RelativeEffect(value, (value - margin, value + margin), p_value)


def wilson(successes: int, n: int, alpha: float) -> Interval:
    """Score interval of a proportion (Wilson 1927)."""
    interval = stats.binomtest(successes, n).proportion_ci(1 - alpha, method="wilson")
    return float(interval.low), float(interval.high)


def newcombe(treated: Moments, control: Moments, alpha: float) -> Effect:
    """Difference of proportions, interval from two Wilson intervals (Newcombe 1998, method 10).

    Outcomes are 0 or 1. The p-value is that of the pooled score test.
    """
    rate_t, rate_c = treated.mean_y, control.mean_y
    low_t, high_t = wilson(round(rate_t * treated.n), treated.n, alpha)
    low_c, high_c = wilson(round(rate_c * control.n), control.n, alpha)
    difference = rate_t - rate_c
    pooled = merged((treated, control)).mean_y
    error = sqrt(max(pooled * (1 - pooled), 0.0) * (1 / treated.n + 1 / control.n))
    freedom = float(treated.n + control.n - 2)
    return Effect(
        n=treated.n,
        n_control=control.n,
        mean=rate_t,
        mean_control=rate_c,
        difference=difference,
        standard_error=sqrt(rate_t * (1 - rate_t) / treated.n + rate_c * (1 - rate_c) / control.n),
        interval=(
            difference - sqrt((rate_t - low_t) ** 2 + (high_c - rate_c) ** 2),
            difference + sqrt((high_t - rate_t) ** 2 + (rate_c - low_c) ** 2),
        ),
        p_value=float(2 * stats.norm.sf(abs(difference) / error)) if error > 0 else 1.0,
        method="newcombe",
        relative=_relative(of_mean(treated), of_mean(control), freedom, alpha),
    )


def cuped(treated: Moments, control: Moments) -> Adjustment | None:
    """θ pooled within groups (Deng, Xu, Kohavi, Walker 2013); none without a varying covariate.

    Not applied where the covariate says hardly anything, or is the outcome itself.
    """
    spread_x = treated.m2_x + control.m2_x
    spread_y = treated.m2_y + control.m2_y
    if spread_x <= 0 or spread_y <= 0:
        return None
    product = treated.c_xy + control.c_xy
    correlation = product / sqrt(spread_x) / sqrt(spread_y)
    correlation = min(max(correlation, -1.0), 1.0)
    theta = product / spread_x
    if not isfinite(theta) or not isfinite(correlation):
        return None
    return Adjustment(theta, correlation, applied=WEAK_CORRELATION <= abs(correlation) < NEAR_COPY)
