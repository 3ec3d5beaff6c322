"""What one unit of a metric contributes to the bank.

Net of the funds transfer price, of expected loss and of the charge for economic capital, as methods §5 has it
for a product a month: exposure × days/365 × (margin − expected loss − risk weight × capital ratio × hurdle),
with fees and operating costs once.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from services.evaluation.domain.definitions import ADDS_UP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.contracts.economics import Economics
    from shared.contracts.metrics import MetricCreate

_YEAR = 365
PartName = Literal["margin", "fee", "expected_loss", "capital", "operating_cost", "contribution"]


@dataclass(frozen=True, slots=True)
class UnitValue:
    """CNY that one unit of a metric contributes over its life, by parts (costs negative), and that life."""

    parts: dict[PartName, Decimal]
    days: int | None = None

    @property
    def total(self) -> Decimal:
        return sum(self.parts.values(), Decimal(0))


def unit_value(economics: Economics) -> UnitValue:
    """Parts that are nothing are left out."""
    held = economics.exposure * economics.days / _YEAR
    charge = economics.risk_weight * economics.capital_ratio * economics.hurdle
    parts: dict[PartName, Decimal] = {
        "margin": held * economics.margin,
        "fee": economics.fee,
        "expected_loss": -held * economics.expected_loss,
        "capital": -held * charge,
        "operating_cost": -economics.operating_cost,
    }
    return UnitValue({name: value for name, value in parts.items() if value}, economics.days)


def worth(metric: MetricCreate) -> UnitValue | None:
    """Of one unit of the metric; none where nobody has said what it contributes."""
    if metric.economics is not None:
        return unit_value(metric.economics)
    if metric.unit_contribution is not None:
        return UnitValue({"contribution": metric.unit_contribution})
    return None


def worth_errors(metric: MetricCreate) -> Iterator[tuple[str, str]]:
    """Every (JSON pointer, what is wrong) of what a definition says of money."""
    valued = worth(metric) is not None
    if metric.economics is not None and metric.unit_contribution is not None:
        yield "/unit_contribution", "must be null where `economics` says what a unit contributes"
    if valued and metric.kind not in ADDS_UP:
        yield f"/{_said(metric)}", f"a {metric.kind} has no total that could be valued"
    if metric.cannibalises and not valued:
        yield "/cannibalises", "needs a value of this metric too: give `economics` or `unit_contribution`"
    for number, key in enumerate(metric.cannibalises):
        if key == metric.key:
            yield f"/cannibalises/{number}", "is this metric itself"
        elif key in metric.cannibalises[:number]:
            yield f"/cannibalises/{number}", f"{key} is there already"


def victim_error(victim: MetricCreate | None) -> str | None:
    """What keeps a metric from being counted as cannibalised."""
    if victim is None:
        return "there is no metric of this key"
    if victim.kind not in ADDS_UP:
        return f"a {victim.kind} has no total that could be valued"
    if worth(victim) is None:
        return "nobody has said what a unit of it contributes"
    return None


def _said(metric: MetricCreate) -> str:
    return "economics" if metric.economics is not None else "unit_contribution"
