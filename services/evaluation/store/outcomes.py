"""Outcomes of a campaign's exposures by day, reduced inside DuckDB, and what every question to it asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb

from services.evaluation.domain.definitions import ADDED_DAILY
from services.evaluation.domain.exposure import DayTotals
from services.evaluation.store.quantities import Value
from shared.contracts.metrics import MetricCreate, MetricKind

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


def named(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """Those the statement names: DuckDB refuses others."""
    return {name: value for name, value in parameters.items() if re.search(rf"\${name}\b", sql)}


def select(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """All rows; parameters the statement does not name are left out."""
    return cursor.execute(sql, named(sql, parameters)).fetchall()


def daily_totals(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate
) -> Mapping[bool, DayTotals]:
    """Cumulative outcome by day since assignment, for treated (True) and hold-out (False).

    Only days that every exposure has lived through: a mean over fewer people each day would bend. Nothing for
    metrics that do not add up day by day.
    """
    if metric.kind not in ADDED_DAILY:
        return {}
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
