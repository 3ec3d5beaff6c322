"""Adding up lines of value: exact sums of flows, the last month's stocks, and the return on capital."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from services.customer.domain.value import raroc
from services.customer.models.value import FIGURES
from shared.contracts.customer.value import MonthValue, ValueFigures, ValueTotals

Key = TypeVar("Key")

STOCKS = frozenset({"average_balance", "capital"})
_NOTHING = dict.fromkeys(FIGURES, Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class RunOfMonth:
    """The current calculation of one month: `days` of `day_count` a year."""

    id: UUID
    month: date
    days: int
    day_count: int
    model_version: int


@dataclass(frozen=True, slots=True)
class Line:
    """Figures of one month, in the order of `FIGURES`, and what they belong to."""

    run: RunOfMonth
    figures: Sequence[Decimal]
    product: str = ""
    category: str = ""
    org: str = ""
    customer_id: UUID | None = None
    customers: int = 0


def total(lines: Iterable[Line], last: date | None) -> dict[str, Any]:
    """The fields of ValueTotals; stocks are those of the month `last`."""
    sums = dict(_NOTHING)
    capital_years = Decimal(0)
    for line in lines:
        figures = dict(zip(FIGURES, line.figures, strict=True))
        capital_years += figures["capital"] * line.run.days / line.run.day_count
        for name, amount in figures.items():
            if name not in STOCKS or line.run.month == last:
                sums[name] += amount
    income = sums["ftp_margin"] + sums["fees"]
    return {**sums, "raroc": raroc(income, sums["expected_loss"], sums["operating_cost"], capital_years)}


def figures(rows: Iterable[Sequence[Decimal]]) -> ValueFigures:
    """The sum of rows of figures of one month."""
    columns = list(zip(*rows, strict=True)) or [(Decimal("0.00"),)] * len(FIGURES)
    sums = {name: sum(column, Decimal("0.00")) for name, column in zip(FIGURES, columns, strict=True)}
    return ValueFigures(**sums)


def difference(after: ValueFigures, before: ValueFigures) -> ValueFigures:
    return ValueFigures(**{name: getattr(after, name) - getattr(before, name) for name in FIGURES})


def by(lines: Iterable[Line], key: Callable[[Line], Key]) -> dict[Key, list[Line]]:
    """Lines of one key together, in order of their first."""
    found: dict[Key, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return found


def months(lines: Iterable[Line], runs: Iterable[RunOfMonth]) -> list[MonthValue]:
    """One entry a calculated month, oldest first, also where nothing was found."""
    found = by(lines, lambda line: line.run.month)
    return [
        MonthValue(month=f"{run.month:%Y-%m}", run_id=run.id, **total(found.get(run.month, []), run.month))
        for run in sorted(runs, key=lambda run: run.month)
    ]


def totals(lines: Iterable[Line], last: date | None) -> ValueTotals:
    return ValueTotals(**total(lines, last))
