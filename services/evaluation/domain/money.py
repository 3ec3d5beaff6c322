"""From the effect per customer to what the campaign changed in total, and what that is worth.

What a campaign only moved from one product to another is taken off: the change in each metric it may have
eaten into is measured against the same hold-out, and valued at what a unit of that metric contributes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.evaluation.domain.effect import Effect
    from services.evaluation.domain.worth import PartName, UnitValue

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Valued:
    """The effect on one metric, and what a unit of it is worth."""

    metric: str
    effect: Effect
    value: UnitValue


@dataclass(frozen=True, slots=True)
class Part:
    """What one part comes to in CNY over all treated."""

    metric: str
    name: PartName
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Money:
    """Totals over the treated, in CNY but for `incremental` and its `interval` (units of the metric).

    Without a value of the unit there is no contribution, and nothing that follows from it. `payback_days` is
    when the contribution, coming in evenly over the life of a unit, has paid for the contacts; none when it
    never does.
    """

    treated: int
    incremental: float
    interval: tuple[float, float]
    contribution: Decimal | None = None
    contribution_interval: tuple[Decimal, Decimal] | None = None
    cost: Decimal | None = None
    parts: tuple[Part, ...] = field(default=())
    roi: float | None = None
    payback_days: int | None = None

    @property
    def net(self) -> Decimal | None:
        """Contribution less the cost of the contacts, as far as that was recorded."""
        return None if self.contribution is None else self.contribution - (self.cost or 0)

    @property
    def net_interval(self) -> tuple[Decimal, Decimal] | None:
        """Costs are counted, not estimated: they only move the interval."""
        if self.contribution_interval is None:
            return None
        low, high = self.contribution_interval
        return low - (self.cost or 0), high - (self.cost or 0)


def total(effect: Effect, valued: Sequence[Valued], cost: Decimal | None) -> Money:
    """Effect × customers treated.

    `valued` holds the metric itself first, then those it may have eaten into; nothing when a unit has no
    value. The interval of the contribution holds what the intervals of all of them hold together: they are
    measured on the same customers, and whatever the correlation the error of a sum is at most the sum of the
    errors.
    """
    n = effect.n
    low, high = (end * n for end in effect.interval)
    money = Money(n, effect.difference * n, (low, high), cost=cost)
    if not valued:
        return money
    contribution = sum((_cny(each.effect.difference * n, each.value.total) for each in valued), Decimal(0))
    ends = [sorted(_cny(end * n, each.value.total) for end in each.effect.interval) for each in valued]
    return replace(
        money,
        contribution=contribution,
        contribution_interval=(sum((e[0] for e in ends), Decimal(0)), sum((e[1] for e in ends), Decimal(0))),
        parts=_parts(valued, n),
        roi=float((contribution - cost) / cost) if cost else None,
        payback_days=_payback(contribution, cost, valued[0].value.days),
    )


def _parts(valued: Sequence[Valued], n: int) -> tuple[Part, ...]:
    return tuple(
        Part(each.metric, name, _cny(each.effect.difference * n, value))
        for each in valued
        for name, value in each.value.parts.items()
    )


def _payback(contribution: Decimal, cost: Decimal | None, days: int | None) -> int | None:
    if not cost or days is None or contribution < cost:
        return None
    return ceil(cost * days / contribution)


def _cny(amount: float, per_unit: Decimal) -> Decimal:
    return (Decimal(repr(amount)) * per_unit).quantize(CENT)
