"""From the effect per customer to what the campaign changed in total."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.evaluation.domain.effect import Effect

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Money:
    """Totals over the treated; contribution and return are None without a unit contribution."""

    treated: int
    incremental: float
    interval: tuple[float, float]
    contribution: Decimal | None
    contribution_interval: tuple[Decimal, Decimal] | None
    cost: Decimal | None
    roi: float | None


def total(effect: Effect, unit_contribution: Decimal | None, cost: Decimal | None) -> Money:
    """Effect × customers treated. `unit_contribution` is CNY per unit of the metric, `cost` CNY."""
    n = effect.n
    low, high = (end * n for end in effect.interval)
    incremental = effect.difference * n
    if unit_contribution is None:
        return Money(n, incremental, (low, high), None, None, cost, None)
    contribution = _worth(incremental, unit_contribution)
    ends = sorted((_worth(low, unit_contribution), _worth(high, unit_contribution)))
    roi = float((contribution - cost) / cost) if cost else None
    return Money(n, incremental, (low, high), contribution, (ends[0], ends[1]), cost, roi)


def _worth(amount: float, unit_contribution: Decimal) -> Decimal:
    return (Decimal(repr(amount)) * unit_contribution).quantize(CENT)
