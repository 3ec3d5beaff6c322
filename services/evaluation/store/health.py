"""What the health gate asks of the store: who was exposed where, who got into the wrong group, what the
groups were like before, what arrived late. Counts and moments only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import duckdb

from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.definitions import ADDED_DAILY
from services.evaluation.domain.health import Reserve, Told
from services.evaluation.domain.moments import Moments
from services.evaluation.store.contacts import TOUCHED
from services.evaluation.store.outcomes import KNOWN, Question, naive_utc, select
from services.evaluation.store.quantities import HUNDREDTHS, Value
from shared.contracts.drawing import DrawnUnit
from shared.contracts.metrics import MetricCreate, MetricKind

DELIVERY = timedelta(days=1)
"""Sources deliver overnight: what comes within a day is not late."""
_CLUSTER = {"manager": "primary_manager", "branch": "branch"}
_NAMED = 3
"""Campaigns that contacted the global hold-out which are named."""
_UNKNOWN = Told("其他活动", "another campaign")
# The lot of whom no campaign contacts: the first 53 bits of the hash, as the registration says.
_POSITION = (
    "(('0x' || substr(sha256($salt || ':' || home::VARCHAR), 1, 16))::UBIGINT >> 11) / 9007199254740992.0"
)


@dataclass(frozen=True)
class GlobalHoldOut:
    """As the campaign registered it; `others`: what further campaigns are called and registered, as far as
    the reader may know.
    """

    share: float
    salt: str
    others: Mapping[UUID, tuple[Told, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Around:
    """Customers by branch and arm (hold-out: ''), those in several arms, those contacted against the plan.

    `before` are the moments of the metric over the window before assignment, treated (True) and held out;
    none where the metric has no such window. `read`, `due` and `settled` count its events in all windows: so
    far, up to a day before the last reading, and up to a day before this one.
    """

    by_branch: dict[str, dict[str, int]]
    drawn: dict[str, int] | None
    """Managers or branches by arm, where those were drawn by lot."""
    crossed: int
    contacted: int
    elsewhere: dict[str, int]
    before: dict[bool, Moments]
    read: int
    due: int
    settled: int
    reserve: Reserve | None = None


def around(
    cursor: duckdb.DuckDBPyConnection,
    question: Question,
    metric: MetricCreate | None,
    unit: DrawnUnit,
    read_until: datetime | None,
    spared: GlobalHoldOut | None = None,
) -> Around:
    """The whole campaign, whatever `question` is scoped to; `read_until` is when it was last evaluated.
    `spared` is whom no campaign contacts.
    """
    delivered = read_until - DELIVERY if read_until else None
    read, due, settled = _arrivals(cursor, question, metric, delivered) if metric else (0, 0, 0)
    return Around(
        _by_branch(cursor, question),
        None if unit == "customer" else _drawn(cursor, question, _CLUSTER[unit]),
        _crossed(cursor, question),
        _contacted(cursor, question),
        _elsewhere(cursor, question, metric.window_days) if metric else {},
        _before(cursor, question, metric) if metric and metric.kind in ADDED_DAILY else {},
        read,
        due,
        settled,
        _reserve(cursor, question, metric.window_days, spared) if metric and spared else None,
    )


def _drawn(cursor: duckdb.DuckDBPyConnection, question: Question, column: str) -> dict[str, int]:
    rows = select(
        cursor,
        f"SELECT arm, count(DISTINCT {column}) FROM exposure"  # noqa: S608 - a name of ours
        " WHERE campaign_id = $campaign AND counted GROUP BY arm",
        question.parameters(),
    )
    return dict(rows)


def _by_branch(cursor: duckdb.DuckDBPyConnection, question: Question) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for branch, arm, n in select(
        cursor,
        "SELECT branch, arm, count(*) FROM exposure WHERE campaign_id = $campaign AND counted GROUP BY ALL",
        question.parameters(),
    ):
        found.setdefault(branch, {})[arm] = n
    return found


def _crossed(cursor: duckdb.DuckDBPyConnection, question: Question) -> int:
    """One person under several files, which were drawn into different arms before they were merged."""
    return _count(
        cursor,
        """
        SELECT count(*) FROM (
            SELECT customer_id FROM exposure WHERE campaign_id = $campaign AND customer_id IS NOT NULL
            GROUP BY customer_id HAVING count(DISTINCT arm) > 1
        )
        """,
        question,
    )


def _contacted(cursor: duckdb.DuckDBPyConnection, question: Question) -> int:
    """Held out, and contacted by this campaign. Who crossed over by a merge is counted there."""
    return _count(
        cursor,
        f"""
        SELECT count(*) FROM exposure AS u
        WHERE campaign_id = $campaign AND {KNOWN} AND arm = '' AND EXISTS (
            FROM contact AS c WHERE c.campaign_id = $campaign AND c.customer_id = u.customer_id
              AND {TOUCHED} AND c.recorded_at <= $until
        ) AND NOT EXISTS (
            FROM exposure AS other WHERE other.campaign_id = $campaign
              AND other.customer_id = u.customer_id AND other.arm <> ''
        )
        """,  # noqa: S608 - constants
        question,
    )


def _elsewhere(cursor: duckdb.DuckDBPyConnection, question: Question, days: int) -> dict[str, int]:
    """By arm, customers whom another campaign contacted in their window."""
    rows = select(
        cursor,
        f"""
        SELECT u.arm, count(*) FROM exposure AS u
        WHERE u.campaign_id = $campaign AND {KNOWN} AND EXISTS (
            FROM contact AS c WHERE c.campaign_id <> $campaign AND c.customer_id = u.customer_id
              AND {TOUCHED} AND c.recorded_at <= $until AND c.recorded_at >= u.assigned_at
              AND c.recorded_at < u.assigned_at + INTERVAL {int(days)} DAY
        ) GROUP BY u.arm
        """,  # noqa: S608 - constants and an integer
        question.parameters(),
    )
    return dict(rows)


def _reserve(
    cursor: duckdb.DuckDBPyConnection, question: Question, days: int, spared: GlobalHoldOut
) -> Reserve:
    """Contacts of any campaign from the first assignment to the last outcome. A file counts that was drawn
    so itself, not one it was merged into later; and against a campaign whose own plan spared it too.
    """
    rows = select(
        cursor,
        f"""
        WITH lived AS (
            SELECT min(assigned_at) AS begins, max(assigned_at) + INTERVAL {int(days)} DAY AS ends
            FROM exposure WHERE campaign_id = $campaign
        ),
        met AS (
            SELECT c.campaign_id, coalesce(c.home, c.customer_id) AS home FROM contact AS c
            WHERE {TOUCHED} AND c.recorded_at <= $until
              AND c.recorded_at >= (SELECT begins FROM lived) AND c.recorded_at < (SELECT ends FROM lived)
        ),
        other AS (SELECT unnest($others::UUID[]) AS campaign_id, unnest($shares::DOUBLE[]) AS share),
        held AS (
            SELECT DISTINCT met.campaign_id, home
            FROM met LEFT JOIN other ON other.campaign_id = met.campaign_id
            WHERE {_POSITION} < least($share, coalesce(other.share, $share))
        )
        SELECT NULL, count(DISTINCT home), (SELECT count(DISTINCT home) FROM held) FROM met
        UNION ALL SELECT campaign_id, 0, count(*) FROM held GROUP BY campaign_id
        """,  # noqa: S608 - constants and an integer
        question.parameters()
        | {"salt": spared.salt, "share": spared.share}
        | {"others": [str(key) for key in spared.others], "shares": [s for _, s in spared.others.values()]},
    )
    by = {key: found for key, _, found in rows if key is not None}
    ((contacted, held_out),) = [(n, found) for key, n, found in rows if key is None]
    most = sorted(by, key=lambda key: (-by[key], str(key)))[:_NAMED]
    named = [(spared.others[key][0] if key in spared.others else _UNKNOWN, by[key]) for key in most]
    return Reserve(spared.share, contacted, held_out, named)


def _before(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate
) -> dict[bool, Moments]:
    value = Value(metric, "m")
    any_ = f"(y > 0)::HUGEINT * {HUNDREDTHS}" if metric.kind is MetricKind.PROPORTION else "y"
    rows = select(
        cursor,
        f"""
        WITH exposed AS (FROM exposure WHERE campaign_id = $campaign AND {KNOWN}),
        earlier AS (
            SELECT u.customer_id, sum({value.minor}) AS y
            FROM event AS e JOIN exposed AS u USING (customer_id)
            WHERE e.time < u.assigned_at AND e.time >= u.assigned_at - INTERVAL {metric.window_days} DAY
            GROUP BY u.customer_id
        ),
        unit AS (
            SELECT arm <> '{HOLD_OUT}' AS treated, coalesce(y, 0) AS y
            FROM exposed LEFT JOIN earlier USING (customer_id)
        ),
        of_unit AS (SELECT treated, {any_} AS y FROM unit)
        SELECT treated, count(*), sum(y), sum(y * y) FROM of_unit GROUP BY treated
        """,  # noqa: S608 - names come from contracts' literals, values are bound
        question.parameters() | value.parameters,
    )
    return {bool(treated): exact(int(n), int(total), int(square)) for treated, n, total, square in rows}


def exact(n: int, total: int, square: int) -> Moments:
    """Moments from sums of whole hundredths and of their squares, without loss."""
    return Moments(n, total / n / HUNDREDTHS, (n * square - total * total) / n / HUNDREDTHS**2)


def _arrivals(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate, read_until: datetime | None
) -> tuple[int, int, int]:
    if not metric.source.events:
        return 0, 0, 0
    value = Value(metric, "m")
    ((read, due, settled),) = select(
        cursor,
        f"""
        WITH exposed AS (FROM exposure WHERE campaign_id = $campaign AND {KNOWN})
        SELECT count(*), count(*) FILTER (e.time <= $read_until), count(*) FILTER (e.time <= $settled)
        FROM event AS e JOIN exposed AS u USING (customer_id)
        WHERE e.time >= u.assigned_at AND e.time < u.assigned_at + INTERVAL {metric.window_days} DAY
          AND e.time <= $until AND ({value.sql}) IS NOT NULL
        """,  # noqa: S608 - as above
        question.parameters()
        | value.parameters
        | {"read_until": naive_utc(read_until) if read_until else None}
        | {"settled": naive_utc(question.until - DELIVERY)},
    )
    return int(read), int(due), int(settled)


def _count(cursor: duckdb.DuckDBPyConnection, sql: str, question: Question) -> int:
    ((n,),) = select(cursor, sql, question.parameters())
    return int(n)
