"""Ratio metrics: Σ numerator ÷ Σ denominator per group, where the unit is the customer.

The ratio of means is linearised (delta method; Deng, Knoblich and Lu 2018): z = (y − R·x) ÷ x̄ varies as the
ratio does. Averaging each customer's own ratio would answer another question.
"""

from __future__ import annotations

from math import sqrt

from services.evaluation.domain.effect import Effect, Estimate, NoEffect, contrast
from services.evaluation.domain.moments import Moments

CLEAR_OF_ZERO = 3.0


def ratio_effect(treated: Moments, control: Moments, alpha: float) -> Effect | NoEffect:
    """Difference of two ratios. Of the moments, y is the numerator and x the denominator of a customer.

    NoEffect when a group's denominators are not clearly above zero: a ratio has no interval then.
    """
    if min(treated.n, control.n) < 2:
        return NoEffect("too-few", f"{treated.n} treated and {control.n} held out; 2 of each are needed")
    for name, group in (("treated", treated), ("held out", control)):
        if unclear := without_denominator(group, name):
            return unclear
    return contrast(ratio(treated), ratio(control), alpha, "delta")


def ratio(group: Moments) -> Estimate:
    """ȳ ÷ x̄ with its variance; the denominators' mean must not be zero."""
    value = group.mean_y / group.mean_x
    spread = group.m2_y - 2 * value * group.c_xy + value * value * group.m2_x
    variance = max(spread, 0.0) / (group.n - 1) / group.n / group.mean_x**2
    return Estimate(group.n, value, variance, group.n - 1)


def without_denominator(group: Moments, name: str) -> NoEffect | None:
    """Why there is no ratio of this group of at least two, if there is none."""
    if group.mean_x > CLEAR_OF_ZERO * sqrt(group.m2_x / (group.n - 1) / group.n):
        return None
    return NoEffect("no-denominator", f"the denominator of those {name} is not clearly above zero on average")
