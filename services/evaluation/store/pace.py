"""Contacts, money and sales of a campaign by the hour they were recorded in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb

from services.evaluation.store.contacts import ATTEMPT
from services.evaluation.store.outcomes import IN_SCOPE, Question, select
from shared.clock import ZONE


@dataclass(frozen=True)
class Used:
    """On one day where the bank is, for one offer."""

    day: date
    offer: str
    contacts: int
    cost: Decimal
    sold: int


def used(cursor: duckdb.DuckDBPyConnection, question: Question) -> list[Used]:
    """In the order of days; an offer may be there several times a day. A sale is one contact, however often
    it was recorded: it counts by what was said last.
    """
    rows = select(
        cursor,
        f"""
        WITH exposed AS (
            SELECT customer_id, any_value(offer) AS offer FROM exposure
            WHERE campaign_id = $campaign AND counted AND {IN_SCOPE} GROUP BY customer_id
        ),
        recorded AS (
            SELECT c.*, u.offer FROM contact AS c JOIN exposed AS u USING (customer_id)
            WHERE c.campaign_id = $campaign AND c.recorded_at <= $until
        ),
        tried AS (
            SELECT date_trunc('hour', c.recorded_at) AS hour, coalesce(c.offer, '') AS offer,
                   count(*) AS contacts, coalesce(sum(c.cost), 0) AS cost
            FROM recorded AS c WHERE {ATTEMPT} GROUP BY ALL
        ),
        last AS (
            FROM recorded QUALIFY row_number() OVER (PARTITION BY contact_id ORDER BY version DESC) = 1
        ),
        sold AS (
            SELECT date_trunc('hour', recorded_at) AS hour, coalesce(offer, '') AS offer, count(*) AS sold
            FROM last WHERE disposition = 'accepted' GROUP BY ALL
        )
        SELECT hour, offer, coalesce(contacts, 0), coalesce(cost, 0), coalesce(sold, 0)
        FROM tried FULL JOIN sold USING (hour, offer) ORDER BY hour, offer
        """,  # noqa: S608 - constants; values are bound
        question.parameters(),
    )
    return [Used(_day(hour), offer, n, Decimal(cost), sold) for hour, offer, n, cost, sold in rows]


def _day(hour: datetime) -> date:
    return hour.replace(tzinfo=UTC).astimezone(ZONE).date()
