"""A campaign's outcome day by day since assignment, of those who have lived through each day.

Nobody is expanded into days. An outcome changes when an event comes, and a customer leaves when the day is
further than they have lived: both are steps, summed per day, and running sums over the steps are the days.
Sums are of whole hundredths, so that nothing is lost in between.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

import duckdb

from services.evaluation.domain.moments import Moments
from services.evaluation.domain.series import Groups
from services.evaluation.store.outcomes import IN_SCOPE, KNOWN, Question, select
from services.evaluation.store.quantities import HUNDREDTHS, Value
from shared.contracts.drawing import DrawnUnit
from shared.contracts.metrics import MetricCreate, MetricKind

_CLUSTER = {"customer": "''", "manager": "coalesce(primary_manager, '')", "branch": "branch"}
_SUMS = 6
"""Per day: customers, Σy, Σy², Σx, Σx², Σxy."""


@dataclass(frozen=True)
class Wave:
    number: int
    at: datetime
    assigned: int


@dataclass(frozen=True)
class Course:
    """`days[d]` are the groups after d + 1 days; `waves` in their order."""

    days: list[Groups]
    waves: list[Wave]


def course(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate, unit: DrawnUnit
) -> Course:
    """Of a metric that adds up by day: sums, counts and proportions."""
    value = Value(metric, "m")
    rows = select(cursor, _steps_sql(metric, value, unit), question.parameters() | value.parameters)
    return Course(_days(rows, metric.window_days), waves(cursor, question))


def waves(cursor: duckdb.DuckDBPyConnection, question: Question) -> list[Wave]:
    rows = select(
        cursor,
        f"""
        SELECT wave, min(assigned_at), count(*) FROM exposure
        WHERE campaign_id = $campaign AND counted AND {IN_SCOPE} GROUP BY wave ORDER BY min(assigned_at), wave
        """,  # noqa: S608 - constants
        question.parameters(),
    )
    return [Wave(number, at.replace(tzinfo=UTC), assigned) for number, at, assigned in rows]


def _days(rows: Iterable[tuple[bool, str, int, *tuple[int, ...]]], window: int) -> list[Groups]:
    steps: dict[tuple[bool, str], list[list[int]]] = defaultdict(
        lambda: [[0] * _SUMS for _ in range(window + 1)]
    )
    for treated, cluster, day, *sums in rows:
        steps[bool(treated), cluster][day] = [int(each) for each in sums]
    found: list[Groups] = [({}, {}) for _ in range(window)]
    for (treated, cluster), by_day in steps.items():
        for day, sums in enumerate(accumulate(by_day[:window], _added)):
            if sums[0]:
                found[day][0 if treated else 1][cluster] = _moments(sums)
    while found and not (found[-1][0] or found[-1][1]):
        found.pop()
    return found


def _added(one: list[int], other: list[int]) -> list[int]:
    return [mine + theirs for mine, theirs in zip(one, other, strict=True)]


def _moments(sums: list[int]) -> Moments:
    n, y, yy, x, xx, xy = sums
    return Moments(
        n,
        y / n / HUNDREDTHS,
        (n * yy - y * y) / n / HUNDREDTHS**2,
        x / n / HUNDREDTHS,
        (n * xx - x * x) / n / HUNDREDTHS**2,
        (n * xy - x * y) / n / HUNDREDTHS**2,
    )


def _steps_sql(metric: MetricCreate, value: Value, unit: DrawnUnit) -> str:
    window = f"INTERVAL {metric.window_days} DAY"
    known = "total"
    if metric.kind is MetricKind.PROPORTION:
        known = f"(total > 0)::HUGEINT * {HUNDREDTHS}"
    before = f"sum({value.minor}) FILTER (e.time < u.assigned_at)" if metric.covariate else "0"
    return f"""
        WITH exposed AS (
            SELECT customer_id, arm <> '' AS treated, {_CLUSTER[unit]} AS cluster, assigned_at,
                   least({metric.window_days}, datediff('second', assigned_at, $until) // 86400) AS lived
            FROM exposure
            WHERE campaign_id = $campaign AND {KNOWN} AND {IN_SCOPE} AND assigned_at <= $until
        ),
        earlier AS (
            SELECT u.customer_id, {before} AS x
            FROM event AS e JOIN exposed AS u USING (customer_id)
            WHERE e.time < u.assigned_at AND e.time >= u.assigned_at - {window} GROUP BY u.customer_id
        ),
        unit AS (
            SELECT u.*, coalesce(x, 0)::HUGEINT AS x
            FROM exposed AS u LEFT JOIN earlier USING (customer_id)
        ),
        by_day AS (
            SELECT u.customer_id, datediff('second', u.assigned_at, e.time) // 86400 AS day,
                   sum({value.minor}) AS came
            FROM event AS e JOIN exposed AS u USING (customer_id)
            WHERE e.time >= u.assigned_at AND e.time < u.assigned_at + to_days(u.lived::INTEGER)
              AND ({value.sql}) IS NOT NULL
            GROUP BY ALL
        ),
        total AS (
            SELECT customer_id, day, sum(came) OVER (PARTITION BY customer_id ORDER BY day) AS total
            FROM by_day
        ),
        outcome AS (SELECT customer_id, day, ({known})::HUGEINT AS y FROM total),
        change AS (
            SELECT customer_id, day, y,
                   coalesce(lag(y) OVER (PARTITION BY customer_id ORDER BY day), 0)::HUGEINT AS earlier
            FROM outcome
        ),
        last AS (SELECT customer_id, arg_max(y, day) AS y FROM outcome GROUP BY customer_id),
        step AS (
            SELECT treated, cluster, 0 AS day, 1 AS n, 0::HUGEINT AS y, 0::HUGEINT AS yy, x, x * x AS xx,
                   0::HUGEINT AS xy FROM unit
            UNION ALL
            SELECT treated, cluster, day, 0, y - earlier, y * y - earlier * earlier, 0, 0, x * (y - earlier)
            FROM change JOIN unit USING (customer_id)
            UNION ALL
            SELECT treated, cluster, lived, -1, -coalesce(y, 0), -coalesce(y * y, 0), -x, -x * x,
                   -x * coalesce(y, 0)
            FROM unit LEFT JOIN last USING (customer_id) WHERE lived < {metric.window_days}
        )
        SELECT treated, cluster, day, sum(n), sum(y), sum(yy), sum(x), sum(xx), sum(xy)
        FROM step GROUP BY ALL
    """  # noqa: S608 - names come from contracts' literals, values are bound
