"""Whether the parts of a metric's definition fit together, and which quantities it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.contracts.metrics import MetricKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.evaluation.domain.comparison import MetricKind as CellKind
    from shared.contracts.metrics import MetricCreate

ADDED_DAILY = frozenset({MetricKind.SUM, MetricKind.COUNT, MetricKind.PROPORTION})
OF_BALANCES = frozenset({MetricKind.BALANCE, MetricKind.RETENTION})
RATIOS = frozenset({MetricKind.RATIO, MetricKind.RETENTION})
"""Kinds whose x is the denominator, so that there is no covariate."""
MONEY = frozenset({MetricKind.SUM, MetricKind.BALANCE, MetricKind.QUANTILE})
ADDS_UP = frozenset({MetricKind.SUM, MetricKind.COUNT, MetricKind.PROPORTION, MetricKind.BALANCE})
"""The effect per customer times the customers is a total."""
CAPPED = frozenset({MetricKind.SUM, MetricKind.COUNT, MetricKind.BALANCE})
ADJUSTED = frozenset({MetricKind.SUM, MetricKind.COUNT, MetricKind.BALANCE})


_CELLS: dict[MetricKind, CellKind] = {
    MetricKind.SUM: "sum",
    MetricKind.COUNT: "count",
    MetricKind.PROPORTION: "proportion",
    MetricKind.BALANCE: "balance",
    MetricKind.RATIO: "ratio",
    MetricKind.RETENTION: "retention",
}


def kind_of_cells(metric: MetricCreate) -> CellKind | None:
    """How the metric's cells are compared; None of a quantile, which has none."""
    return _CELLS.get(metric.kind)


def definition_errors(metric: MetricCreate) -> list[tuple[str, str]]:
    """Every (JSON pointer, what is wrong) of a definition; none when it is sound."""
    return [*_of_source(metric), *_of_options(metric), *_of_windows(metric)]


def _of_source(metric: MetricCreate) -> Iterator[tuple[str, str]]:
    kind, source = metric.kind, metric.source
    if kind is MetricKind.BALANCE and source.events:
        yield "/source/events", "must be empty: a balance does not count events"
    if kind is not MetricKind.BALANCE and not source.events:
        yield "/source/events", f"a {kind} needs the events that count"
    if (kind is MetricKind.RATIO) != bool(source.denominator):
        yield (
            "/source/denominator",
            "a ratio needs the events that it is divided by, and nothing else has any",
        )
    if (kind in OF_BALANCES) != (source.balance is not None):
        yield (
            "/source/balance",
            "a balance and a retention need the balances that count, nothing else has any",
        )
    yield from _of_events(metric)


def _of_events(metric: MetricCreate) -> Iterator[tuple[str, str]]:
    kind, source = metric.kind, metric.source
    for number, event in enumerate(source.events):
        if kind is MetricKind.RETENTION and event.sign < 0:
            yield f"/source/events/{number}/sign", "what came in counts with sign 1"
        if kind in (MetricKind.COUNT, MetricKind.PROPORTION) and event.counts == "amount":
            yield f"/source/events/{number}/counts", f"a {kind} counts events, not their amounts"
    for number, event in enumerate(source.denominator):
        if event.sign < 0:
            yield f"/source/denominator/{number}/sign", "a denominator counts with sign 1"


def _of_options(metric: MetricCreate) -> Iterator[tuple[str, str]]:
    kind = metric.kind
    if metric.currency is not None and kind not in MONEY:
        yield "/currency", "must be null for this kind"
    balance = metric.source.balance
    if kind is MetricKind.BALANCE and balance and metric.currency not in (None, balance.currency):
        yield "/currency", "must be that of the balances"
    if metric.covariate and kind not in ADJUSTED:
        yield "/covariate", "must be false for this kind"
    if (metric.quantile is not None) != (kind is MetricKind.QUANTILE):
        yield "/quantile", "a quantile needs it, and nothing else has it"
    if metric.winsorise is not None:
        if kind not in CAPPED:
            yield "/winsorise", "must be null for this kind"
        elif metric.winsorise.lower == 0 and metric.winsorise.upper == 1:
            yield "/winsorise", "caps nothing: raise `lower` or lower `upper`"


def _of_windows(metric: MetricCreate) -> Iterator[tuple[str, str]]:
    seen = {metric.window_days}
    for number, days in enumerate(metric.windows):
        if days in seen:
            yield f"/windows/{number}", f"{days} days are declared already"
        seen.add(days)
    balance = metric.source.balance
    shortest = min(seen)
    if metric.kind is MetricKind.RETENTION and balance and balance.inflow_days > shortest:
        yield "/source/balance/inflow_days", f"must not be longer than the shortest window, {shortest} days"
