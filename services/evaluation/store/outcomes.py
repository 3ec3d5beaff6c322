"""Outcomes of a campaign's exposures, reduced inside DuckDB: no customer ever reaches Python.

Conditions of a metric become SQL over an allow-list of columns; its values are bound parameters.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb

from services.evaluation.domain.breakdown import Cell
from services.evaluation.domain.exposure import DayTotals
from services.evaluation.domain.moments import Moments
from shared.contracts.metrics import EventSource, MetricCreate, MetricKind

IN_SCOPE = "($scope = '*' OR branch = $scope OR starts_with(branch, $scope || '.'))"
"""Exposures of a branch within an organisation scope; `*` is everywhere."""

KNOWN = "counted AND customer_id IS NOT NULL"
"""Exposures whose outcome can be known: one of a person, and not an erased one's. Where people are only
counted, `counted` alone is asked, so that totals stay what they were.
"""


@dataclass(frozen=True)
class Question:
    """Which campaign's exposures, of which organisation scope, with outcomes known until when (UTC)."""

    campaign_id: UUID
    until: datetime
    scope: str = "*"

    def parameters(self) -> dict[str, object]:
        return {"campaign": self.campaign_id, "until": naive_utc(self.until), "scope": self.scope}


def naive_utc(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)


def select(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """All rows; parameters the statement does not name are left out, as DuckDB refuses them."""
    named = {name: value for name, value in parameters.items() if re.search(rf"\${name}\b", sql)}
    return cursor.execute(sql, named).fetchall()


class Value:
    """SQL that says what one event counts for under a metric, and its bound parameters."""

    def __init__(self, metric: MetricCreate, prefix: str) -> None:
        self.parameters: dict[str, object] = {}
        amount = "e.amount" if metric.kind is MetricKind.SUM else "1"
        branches = []
        for number, source in enumerate(metric.source.events):
            condition = self._condition(source, f"{prefix}_{number}")
            branches.append(f"WHEN {condition} THEN {source.sign} * {amount}")
        self.sql = f"CASE {' '.join(branches)} END"

    def _condition(self, source: EventSource, prefix: str) -> str:
        self.parameters[prefix] = source.type
        parts = [f"e.type = ${prefix}"]
        for field, value in source.where.items():
            self.parameters[f"{prefix}_{field}"] = value
            parts.append(f"e.{field} = ${prefix}_{field}")
        return " AND ".join(parts)


def cell_moments(
    cursor: duckdb.DuckDBPyConnection, question: Question, metrics: Sequence[MetricCreate]
) -> dict[str, list[Cell]]:
    """Moments of each metric in every cell arm × segment × branch, over exposures whose window has passed.

    One scan for all metrics. Outcomes are centred on the campaign's mean before they are squared.
    """
    values = [Value(metric, f"m{i}") for i, metric in enumerate(metrics)]
    parameters = question.parameters()
    for value in values:
        parameters |= value.parameters
    parameters["types"] = sorted({source.type for metric in metrics for source in metric.source.events})
    rows = select(cursor, _moments_sql(metrics, values), parameters)
    return {
        metric.key: [
            Cell(arm, segment, branch, _moments(numbers[i * 6 : i * 6 + 6]))
            for arm, segment, branch, *numbers in rows
            if numbers[i * 6]
        ]
        for i, metric in enumerate(metrics)
    }


def _moments(numbers: Sequence[float]) -> Moments:
    n, mean_y, var_y, mean_x, var_x, cov = numbers
    return Moments(int(n), mean_y, var_y * n, mean_x, var_x * n, cov * n)


def _moments_sql(metrics: Sequence[MetricCreate], values: Sequence[Value]) -> str:
    outcome, unit, centre, cell = [], [], [], []
    for i, (metric, value) in enumerate(zip(metrics, values, strict=True)):
        window = f"INTERVAL {metric.window_days} DAY"
        after = f"e.time >= u.assigned_at AND e.time < u.assigned_at + {window}"
        before = f"e.time < u.assigned_at AND e.time >= u.assigned_at - {window}"
        outcome.append(
            f"sum({value.sql}) FILTER ({after}) AS y{i}, sum({value.sql}) FILTER ({before}) AS x{i}"
        )
        known = f"u.assigned_at + {window} <= $until"
        unit.append(f"{known} AS known{i}, {_outcome(metric, i)} AS y{i}, {_covariate(metric, i)} AS x{i}")
        centre.append(f"coalesce(favg(y{i}) FILTER (known{i}), 0) AS cy{i}")
        centre.append(f"coalesce(favg(x{i}) FILTER (known{i}), 0) AS cx{i}")
        of_known = f"FILTER (known{i})"
        cell.append(
            f"count(*) {of_known}, any_value(cy{i}) + favg(y{i} - cy{i}) {of_known}, "
            f"var_pop(y{i} - cy{i}) {of_known}, any_value(cx{i}) + favg(x{i} - cx{i}) {of_known}, "
            f"var_pop(x{i} - cx{i}) {of_known}, covar_pop(y{i} - cy{i}, x{i} - cx{i}) {of_known}"
        )
    widest = max(metric.window_days for metric in metrics)
    return f"""
        WITH exposed AS (FROM exposure WHERE campaign_id = $campaign AND {KNOWN} AND {IN_SCOPE}),
        outcome AS (
            SELECT u.customer_id, {", ".join(outcome)}
            FROM event AS e JOIN exposed AS u USING (customer_id)
            WHERE list_contains($types, e.type)
              AND e.time >= u.assigned_at - INTERVAL {widest} DAY
              AND e.time < u.assigned_at + INTERVAL {widest} DAY
            GROUP BY u.customer_id
        ),
        unit AS (
            SELECT arm, segment, branch, {", ".join(unit)}
            FROM exposed AS u LEFT JOIN outcome AS o USING (customer_id)
        ),
        centre AS (SELECT {", ".join(centre)} FROM unit)
        SELECT arm, segment, branch, {", ".join(cell)}
        FROM unit, centre GROUP BY ALL ORDER BY ALL
    """  # noqa: S608 - names come from contracts' literals, values are bound


def _outcome(metric: MetricCreate, i: int) -> str:
    if metric.kind is MetricKind.PROPORTION:
        return f"(coalesce(o.y{i}, 0) > 0)::DOUBLE"
    return f"coalesce(o.y{i}, 0)::DOUBLE"


def _covariate(metric: MetricCreate, i: int) -> str:
    return f"coalesce(o.x{i}, 0)::DOUBLE" if metric.covariate else "0::DOUBLE"


def daily_totals(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate
) -> Mapping[bool, DayTotals]:
    """Cumulative outcome by day since assignment, for treated (True) and hold-out (False).

    Only days that every exposure has lived through: a mean over fewer people each day would bend.
    """
    value = Value(metric, "m")
    parameters = question.parameters() | value.parameters
    rows = select(cursor, _daily_sql(metric, value), parameters)
    return {bool(treated): DayTotals(n, [float(total) for total in sums]) for treated, n, sums in rows}


def _daily_sql(metric: MetricCreate, value: Value) -> str:
    first = "SELECT treated, 1 AS value, min(day) AS day FROM hit GROUP BY customer_id, treated"
    counted = first if metric.kind is MetricKind.PROPORTION else "FROM hit"
    return f"""
        WITH exposed AS (FROM exposure WHERE campaign_id = $campaign AND {KNOWN} AND {IN_SCOPE}),
        horizon AS (
            SELECT least({metric.window_days}, datediff('second', max(assigned_at), $until) // 86400) AS days
            FROM exposed
        ),
        hit AS (
            SELECT u.customer_id, u.arm <> '' AS treated, {value.sql} AS value,
                   datediff('second', u.assigned_at, e.time) // 86400 AS day
            FROM event AS e JOIN exposed AS u USING (customer_id)
            WHERE e.time >= u.assigned_at AND e.time < u.assigned_at + INTERVAL {metric.window_days} DAY
              AND ({value.sql}) IS NOT NULL
        ),
        counted AS ({counted}),
        by_day AS (SELECT treated, day, sum(value) AS value FROM counted GROUP BY ALL),
        people AS (SELECT arm <> '' AS treated, count(*) AS n FROM exposed GROUP BY ALL),
        line AS (
            SELECT people.treated, n, d.day,
                   sum(coalesce(by_day.value, 0)) OVER (PARTITION BY people.treated ORDER BY d.day) AS total
            FROM people, horizon, range(0, 366) AS d(day)
            LEFT JOIN by_day ON by_day.treated = people.treated AND by_day.day = d.day
            WHERE d.day < horizon.days
        )
        SELECT treated, any_value(n), list(total ORDER BY day) FROM line GROUP BY treated
    """  # noqa: S608 - as above
