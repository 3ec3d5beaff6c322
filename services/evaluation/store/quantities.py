"""What one customer's outcome is under a metric, as SQL in whole minor units.

Conditions of a metric become SQL over an allow-list of columns; its values are bound parameters. Amounts are
whole hundredths and counts whole numbers: sums of integers are the same in whatever order rows come, so that
the same facts give the same digits, and nothing cancels on large balances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.evaluation.domain.definitions import OF_BALANCES
from shared.contracts.metrics import BalanceSource, EventSource, MetricCreate, MetricKind

HUNDREDTHS = 100
DEBTS = ("loan", "card")
"""Categories whose balances customers owe."""


class Value:
    """SQL that says what one event `e` counts for under a metric, and its bound parameters.

    In the metric's unit, or in minor ones: hundredths of an amount, whole events of a count.
    """

    def __init__(
        self, metric: MetricCreate, prefix: str, sources: Sequence[EventSource] | None = None
    ) -> None:
        self.parameters: dict[str, object] = {}
        self.sources = metric.source.events if sources is None else sources
        self._one = metric.kind in (MetricKind.COUNT, MetricKind.PROPORTION) or sources is not None
        conditions = [self._condition(source, f"{prefix}_{i}") for i, source in enumerate(self.sources)]
        self.sql = self._case(conditions, "e.amount", "1")
        self.minor = self._case(conditions, f"(e.amount * {HUNDREDTHS})::HUGEINT", str(HUNDREDTHS))

    def _case(self, conditions: Sequence[str], amount: str, one: str) -> str:
        branches = [
            f"WHEN {condition} THEN {source.sign} * {one if self._counts_one(source) else amount}"
            for source, condition in zip(self.sources, conditions, strict=True)
        ]
        return f"CASE {' '.join(branches)} END"

    def _counts_one(self, source: EventSource) -> bool:
        return self._one if source.counts is None else source.counts == "one"

    def _condition(self, source: EventSource, prefix: str) -> str:
        self.parameters[prefix] = source.type
        parts = [f"e.type = ${prefix}"]
        for field, value in source.where.items():
            self.parameters[f"{prefix}_{field}"] = value
            parts.append(f"e.{field} = ${prefix}_{field}")
        return " AND ".join(parts)


@dataclass(frozen=True)
class Measure:
    """A metric over one of its windows."""

    metric: MetricCreate
    days: int

    @property
    def window(self) -> str:
        return f"INTERVAL {self.days} DAY"


class Quantity:
    """One measure's part of the statement: what to sum of events and accounts, and y and x of a unit.

    `events` and `accounts` are columns summed per customer over `e` and over one account's rows `h`; `y` and
    `x` are of the sums, whole hundredths, 0 where there is nothing.
    """

    def __init__(self, measure: Measure, i: int) -> None:
        self.measure, self.i = measure, i
        self.parameters: dict[str, object] = {}
        self.events: list[str] = []
        self.accounts: list[str] = []
        self.types: set[str] = set()
        self.y, self.x = "0::HUGEINT", "0::HUGEINT"
        kind = measure.metric.kind
        if kind in OF_BALANCES:
            self._of_balances()
        else:
            self._of_events()
        if kind is MetricKind.PROPORTION:
            self.y = f"({self.y} > 0)::HUGEINT * {HUNDREDTHS}"

    def _of_events(self) -> None:
        metric, i = self.measure.metric, self.i
        window = self.measure.window
        after = f"e.time >= u.assigned_at AND e.time < u.assigned_at + {window}"
        value = self._valued(None, f"m{i}")
        self.y = self._summed(f"ey{i}", f"sum({value.minor}) FILTER ({after})")
        if metric.kind is MetricKind.RATIO:
            below = self._valued(metric.source.denominator, f"d{i}")
            self.x = self._summed(f"ex{i}", f"sum({below.minor}) FILTER ({after})")
        elif metric.covariate:
            before = f"e.time < u.assigned_at AND e.time >= u.assigned_at - {window}"
            self.x = self._summed(f"ex{i}", f"sum({value.minor}) FILTER ({before})")

    def _of_balances(self) -> None:
        metric, i = self.measure.metric, self.i
        source = metric.source.balance or BalanceSource()
        # The window is that many business days: from the close before assignment to the close before its end.
        closing = f"arg_max(h.minor, h.as_of) FILTER ({self._counted(source)} AND h.as_of < u.day"
        start, end = f"coalesce(hs{i}, 0)", f"coalesce(he{i}, 0)"
        self.accounts += [f"{closing}) AS hs{i}", f"{closing} + {self.measure.days}) AS he{i}"]
        if metric.kind is MetricKind.BALANCE:
            self.y = f"({end} - {start})"
            self.x = start if metric.covariate else self.x
            return
        inflow = self._valued(None, f"m{i}")
        soon = f"e.time >= u.assigned_at AND e.time < u.assigned_at + INTERVAL {source.inflow_days} DAY"
        came_in = self._summed(f"ex{i}", f"sum({inflow.minor}) FILTER ({soon})")
        self.x = came_in
        self.y = f"least(greatest({end} - {start}, 0), {came_in})"

    def _counted(self, source: BalanceSource) -> str:
        i = self.i
        self.parameters[f"currency{i}"] = source.currency
        parts = [f"h.currency = $currency{i}"]
        if source.categories:
            self.parameters[f"categories{i}"] = list(source.categories)
            parts.append(f"list_contains($categories{i}, h.category)")
        else:
            self.parameters[f"debts{i}"] = list(DEBTS)
            parts.append(f"NOT list_contains($debts{i}, h.category)")
        if source.products:
            self.parameters[f"products{i}"] = list(source.products)
            parts.append(f"list_contains($products{i}, h.product)")
        return " AND ".join(parts)

    def _valued(self, sources: Sequence[EventSource] | None, prefix: str) -> Value:
        value = Value(self.measure.metric, prefix, sources)
        self.parameters |= value.parameters
        self.types |= {source.type for source in value.sources}
        return value

    def _summed(self, name: str, column: str) -> str:
        self.events.append(f"{column} AS {name}")
        return f"coalesce(o.{name}, 0)"
