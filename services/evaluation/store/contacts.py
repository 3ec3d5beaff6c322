"""Exposures and contacts of campaigns, counted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import duckdb

from services.evaluation.domain.exposure import Effort, Exposures, FunnelCounts, Stages
from services.evaluation.store.outcomes import IN_SCOPE, Question, naive_utc, select
from services.evaluation.store.quantities import DEBTS, Value
from shared import clock
from shared.contracts.events.envelope import ContactOutcome
from shared.contracts.metrics import MetricCreate

# Somebody was reached, or at least tried: a planned or expired contact touched nobody.
TOUCHED = "(c.disposition IS NOT NULL OR c.state = 'done')"
# One attempt: what only closes a contact, or opens it again, took nobody's time and money.
ATTEMPT = "(c.minutes IS NOT NULL OR c.cost IS NOT NULL)"
RESPONDED = "c.disposition IN ('interested', 'accepted', 'call_back')"
REACHED: tuple[ContactOutcome, ...] = (
    "interested",
    "accepted",
    "refused",
    "call_back",
    "do_not_contact",
    "complaint",
    "referred",
    "delivered",
)
"""Somebody was spoken to, or has the message; one that was read was delivered."""

# Of who `converted`, and what: an account's last word up to the close on which the window ends. One that was
# told empty after it was closed stays gone; a card that is paid off is not.
_RETAINED = """
    span AS (
        SELECT max(days) AS days FROM (SELECT unnest($windows::INTEGER[]) AS days)
        WHERE (SELECT max(day) FROM exposed) + days < $today
    ),
    account AS (
        SELECT v.customer_id, arg_max(h.closed, h.as_of) AS closed, arg_max(h.balance, h.as_of) = 0 AS empty,
               bool_or(h.closed OR h.balance <> 0 AND NOT list_contains($debts, h.category)) AS was_filled
        FROM converted AS v
        JOIN holding AS h ON h.customer_id = v.customer_id AND h.product = v.product
        JOIN span ON h.as_of <= v.day + span.days
        GROUP BY v.customer_id, h.home, h.account
    ),
    retained AS (SELECT DISTINCT customer_id FROM account WHERE NOT closed AND NOT (empty AND was_filled))
"""


def exposures(cursor: duckdb.DuckDBPyConnection, question: Question, window_days: int) -> Exposures:
    rows = select(
        cursor,
        f"""
        SELECT arm, count(*), count(*) FILTER (assigned_at + INTERVAL {int(window_days)} DAY <= $until),
               max(assigned_at) + INTERVAL {int(window_days)} DAY
        FROM exposure WHERE campaign_id = $campaign AND counted AND {IN_SCOPE} GROUP BY arm
        """,  # noqa: S608 - an integer and a constant
        question.parameters(),
    )
    closes = max((row[3] for row in rows), default=None)
    return Exposures(
        {arm: n for arm, n, _, _ in rows},
        sum(matured for _, _, matured, _ in rows),
        closes.replace(tzinfo=UTC) if closes else None,
    )


def funnel(
    cursor: duckdb.DuckDBPyConnection,
    question: Question,
    conversion: MetricCreate,
    windows: Sequence[int] = (),
) -> FunnelCounts:
    """Customers at each stage by the question's moment, arms and hold-out by the same conditions.

    Conversion counts events in its window, as far as it has been lived. Retained is who converted and, at the
    close of the day on which the longest of `windows` (days after assignment) ends that everybody assigned
    has lived through, still holds a product so opened: an account of it that is neither closed nor, unless a
    debt, emptied. An account whose balance nobody ever told is held until it is closed. Nobody knows where no
    window has passed for all, nor where people opened products and accounts of none of them are known.
    """
    value = Value(conversion, "m")
    rows = select(
        cursor,
        f"""
        WITH exposed AS (
            SELECT *, (assigned_at AT TIME ZONE 'UTC' AT TIME ZONE $zone)::DATE AS day
            FROM exposure
            WHERE campaign_id = $campaign AND counted AND {IN_SCOPE} AND assigned_at <= $until
        ),
        touched AS (
            SELECT c.customer_id, bool_or(list_contains($reached, c.disposition)) AS reached,
                   bool_or({RESPONDED}) AS responded
            FROM contact AS c
            WHERE c.campaign_id = $campaign AND {TOUCHED} AND c.recorded_at <= $until GROUP BY c.customer_id
        ),
        converted AS (
            SELECT DISTINCT u.customer_id, u.day, e.product
            FROM event AS e JOIN exposed AS u USING (customer_id)
            WHERE e.time >= u.assigned_at AND e.time < u.assigned_at + INTERVAL {conversion.window_days} DAY
              AND e.time < $until AND {value.sql} IS NOT NULL
        ),
        {_RETAINED}
        SELECT u.arm, count(*), count(t.customer_id), count(*) FILTER (t.reached),
               count(*) FILTER (t.responded), count(v.customer_id), count(r.customer_id),
               (SELECT days FROM span WHERE EXISTS (FROM account) OR NOT EXISTS (FROM converted))
        FROM exposed AS u
        LEFT JOIN touched AS t USING (customer_id)
        LEFT JOIN (SELECT DISTINCT customer_id FROM converted) AS v USING (customer_id)
        LEFT JOIN retained AS r USING (customer_id)
        GROUP BY u.arm
        """,  # noqa: S608 - names come from contracts' literals, values are bound
        question.parameters()
        | value.parameters
        | {
            "reached": list(REACHED),
            "windows": list(windows),
            "debts": list(DEBTS),
            "zone": str(clock.ZONE),
            "today": question.until.astimezone(clock.ZONE).date(),
        },
    )
    days = next((row[-1] for row in rows), None)
    return FunnelCounts({arm: Stages(*counts) for arm, *counts, _ in rows}, days)


def efforts(cursor: duckdb.DuckDBPyConnection, scope: str, until: datetime) -> dict[UUID, Effort]:
    """Of every campaign with an exposure in `scope`."""
    rows = select(
        cursor,
        f"""
        WITH exposed AS (FROM exposure WHERE counted AND {IN_SCOPE}),
        per_campaign AS (
            SELECT c.campaign_id, count(DISTINCT c.customer_id) FILTER ({TOUCHED}) AS contacted,
                   count(*) FILTER ({ATTEMPT}) AS contacts,
                   sum(c.minutes::DECIMAL(18, 2)) AS minutes, sum(c.cost) AS cost
            FROM contact AS c SEMI JOIN exposed AS u
              ON u.campaign_id = c.campaign_id AND u.customer_id = c.customer_id
            WHERE c.recorded_at <= $until GROUP BY c.campaign_id
        ),
        people AS (
            SELECT campaign_id, count(*) FILTER (arm <> '') AS assigned,
                   count(*) FILTER (arm = '') AS held_out
            FROM exposed GROUP BY campaign_id
        )
        SELECT campaign_id, assigned, held_out, coalesce(contacted, 0), coalesce(contacts, 0),
               coalesce(minutes, 0), cost
        FROM people LEFT JOIN per_campaign USING (campaign_id)
        """,  # noqa: S608 - constants
        {"scope": scope, "until": naive_utc(until)},
    )
    return {
        key: Effort(assigned, held_out, contacted, contacts, Decimal(str(round(minutes, 1))), cost)
        for key, assigned, held_out, contacted, contacts, minutes, cost in rows
    }
