"""Whether a customer is one to acquire, to develop or to retain, by what was measured of them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.opportunities import rad_of
from services.campaign.models import Customer
from services.campaign.queries.families import FAMILY
from services.campaign.queries.prices import first_month
from shared import clock
from shared.contracts.campaign.opportunities import RadState
from shared.db import fetch
from shared.errors import NotFound

# One value model measures in one currency; several of them are not added up, the one with most months counts.
_STATE = f"""
WITH {FAMILY}, month AS (
  SELECT v.model, v.currency, v.month, sum(v.contribution) AS contribution
  FROM family f JOIN known_contribution v ON v.customer_id = f.id
  WHERE v.contribution IS NOT NULL AND v.month >= %(first)s AND v.month < %(now)s
  GROUP BY v.model, v.currency, v.month
), measured AS (
  SELECT count(*) AS months,
    avg(contribution) FILTER (WHERE month >= %(now)s - interval '3 months') AS recent,
    avg(contribution) FILTER (
      WHERE month < %(now)s - interval '3 months' AND month >= %(now)s - interval '6 months') AS before
  FROM month GROUP BY model, currency ORDER BY months DESC, model, currency LIMIT 1
)
SELECT coalesce(m.months, 0), round(m.recent, 2), round(m.before, 2),
  (SELECT count(*) FROM family f JOIN opportunity o ON o.customer_id = f.id WHERE o.status = 'won')
FROM (VALUES (1)) AS one LEFT JOIN measured m ON true
"""  # noqa: S608 - constants


async def rad_state(session: AsyncSession, customer_id: UUID) -> RadState:
    """Of the customer with all files merged into it."""
    if await session.scalar(select(Customer.id).where(Customer.id == customer_id)) is None:
        raise NotFound(f"no customer {customer_id}")
    now = clock.today().replace(day=1)
    parameters = {"customer": customer_id, "first": first_month(), "now": now}
    months, recent, before, won = (await fetch(session, _STATE, parameters))[0]
    return RadState(
        customer_id=customer_id,
        rad=rad_of(months, won, recent, before),
        months=months,
        recent=recent,
        before=before,
        won=won,
    )
