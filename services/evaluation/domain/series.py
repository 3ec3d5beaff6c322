"""The effect day by day since assignment, with the interval that holds on all days together.

Day after day the same customers are looked at, with more of their outcome. Of a window of 30 days, 300
customers who have lived through 10 have shown as much as 100 who have lived through it all: so many customers
the always-valid interval is given, in step with the variance of what they did so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.evaluation.domain.cluster import of_moments
from services.evaluation.domain.comparison import compared, compared_by_clusters
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.moments import Moments, merged
from services.evaluation.domain.sequential import confidence_sequence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.evaluation.domain.comparison import MetricKind
    from services.evaluation.domain.effect import Interval

Groups = tuple[dict[str, Moments], dict[str, Moments]]
"""Treated and held out, each by the manager or branch that was drawn, '' where customers were."""


@dataclass(frozen=True, slots=True)
class Day:
    """`number` from 1; `n` and `n_control` have lived through it."""

    number: int
    n: int
    n_control: int
    effect: Effect | NoEffect
    always_valid: Interval | None


def effects_by_day(
    days: Sequence[Groups], kind: MetricKind, window_days: int, alpha: float, tuned_for: int
) -> list[Day]:
    return [
        _day(number, treated, control, kind, (number / window_days, alpha, tuned_for))
        for number, (treated, control) in enumerate(days, start=1)
    ]


def _day(
    number: int,
    treated: Mapping[str, Moments],
    control: Mapping[str, Moments],
    kind: MetricKind,
    band: tuple[float, float, int],
) -> Day:
    n, n_control = (sum(each.n for each in side.values()) for side in (treated, control))
    effect = _effect(treated, control, kind, band[1])
    always_valid = None
    if isinstance(effect, Effect) and effect.standard_error > 0:
        shown, alpha, tuned_for = band
        units = max(1, round((n + n_control) * shown))
        always_valid = confidence_sequence(effect.difference, effect.standard_error, units, alpha, tuned_for)
    return Day(number, n, n_control, effect, always_valid)


def _effect(
    treated: Mapping[str, Moments], control: Mapping[str, Moments], kind: MetricKind, alpha: float
) -> Effect | NoEffect:
    if any(treated) or any(control):
        mine, theirs = ([side[name] for name in sorted(side)] for side in (treated, control))
        return compared_by_clusters(of_moments(mine), of_moments(theirs), kind, alpha)
    return compared(merged(treated.values()), merged(control.values()), kind, alpha)
