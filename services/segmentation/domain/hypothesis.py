"""A claim about a group of customers, tested on the data of one moment. Observational: never a cause.

The claim is that the group's mean of a metric differs from the comparison's by more than a minimal difference
in one direction. Means are compared with Welch's t (B. L. Welch, Biometrika 1947), several tests of one
hypothesis are corrected together (Y. Benjamini, Y. Hochberg, JRSS B 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from scipy import stats

ALPHA = 0.05

Direction = Literal["higher", "lower"]
Verdict = Literal["supported", "contradicted", "inconclusive"]


@dataclass(frozen=True)
class Arm:
    """One side: how many customers, of how many the metric is known, their mean and sample variance."""

    customers: int
    n: int
    mean: float | None
    variance: float | None


@dataclass(frozen=True)
class Outcome:
    """`difference` is group minus comparison, in units of the metric, with its 95 % interval.

    `p_value` is one-sided, of the claim: small when the difference is beyond the minimal one. `effect_size`
    is Hedges' g, in pooled standard deviations. All are absent where nothing can be judged.
    """

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    effect_size: float | None = None
    p_value: float | None = None
    reason: str | None = None


def welch(group: Arm, against: Arm, direction: Direction, minimal_difference: float) -> Outcome:
    """Needs two customers with a known metric on either side and some variance; says so otherwise."""
    if group.n < 2 or against.n < 2:
        return Outcome(reason="fewer than two customers with a known metric on one side")
    mean, base = group.mean or 0.0, against.mean or 0.0
    part, base_part = (group.variance or 0.0) / group.n, (against.variance or 0.0) / against.n
    error = sqrt(part + base_part)
    difference = mean - base
    if error == 0:
        return Outcome(difference=difference, reason="the metric does not vary on either side")
    share = part / (part + base_part)  # squared instead of the variances, which have any unit
    freedom = 1 / (share**2 / (group.n - 1) + (1 - share) ** 2 / (against.n - 1))
    margin = float(stats.t.ppf(1 - ALPHA / 2, freedom)) * error
    sign = 1.0 if direction == "higher" else -1.0
    return Outcome(
        difference,
        difference - margin,
        difference + margin,
        _hedges(group, against, difference),
        float(stats.t.sf((sign * difference - minimal_difference) / error, freedom)),
    )


def _hedges(group: Arm, against: Arm, difference: float) -> float | None:
    freedom = group.n + against.n - 2
    squares = (group.n - 1) * (group.variance or 0.0) + (against.n - 1) * (against.variance or 0.0)
    if squares <= 0:
        return None
    return difference / sqrt(squares / freedom) * (1 - 3 / (4 * freedom - 1))


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini–Hochberg over those that are known, in the order given."""
    known = [(index, value) for index, value in enumerate(p_values) if value is not None]
    found: list[float | None] = [None] * len(p_values)
    if known:
        corrected = stats.false_discovery_control(np.array([value for _, value in known]), method="bh")
        for (index, _), value in zip(known, corrected, strict=True):
            found[index] = float(value)
    return found


def verdict(
    outcome: Outcome, adjusted_p: float | None, direction: Direction, minimal_difference: float
) -> Verdict:
    """supported: the corrected p-value is at most 5 %. contradicted: the whole interval lies short of the
    minimal difference. Anything else is inconclusive, which refutes nothing.
    """
    if adjusted_p is not None and adjusted_p <= ALPHA:
        return "supported"
    if outcome.low is None or outcome.high is None:
        return "inconclusive"
    best = outcome.high if direction == "higher" else -outcome.low
    return "contradicted" if best < minimal_difference else "inconclusive"
