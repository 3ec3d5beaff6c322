"""Reserve, confirm, release: no more is sold than an offer's quota, no contact begins that no budget pays.

A contact reserves when it begins; its record confirms or releases, and so do withdrawal and lapse. Locks are
taken in one order: the contact's task, its reservation, the quota, the budget.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.costs import task_cost
from services.campaign.settings import CampaignSettings
from shared import clock
from shared.contracts.events import QuotaExhausted
from shared.db import fetch
from shared.errors import Conflict
from shared.outbox import emit

_BATCH = 1_000

_LIMITED = """
SELECT EXISTS (SELECT FROM offer_quota WHERE offer = %(offer)s),
  EXISTS (SELECT FROM campaign_budget WHERE campaign_id = %(campaign)s)
"""

# Whoever takes a task up again keeps what it has reserved.
_HOLD = """
INSERT INTO reservation AS r (contact_id, campaign_id, offer, units, cost, lapses_at)
VALUES (%(contact)s, %(campaign)s, %(offer)s, %(units)s, %(cost)s, %(lapses)s)
ON CONFLICT (contact_id) DO UPDATE SET lapses_at = EXCLUDED.lapses_at
RETURNING xmax = 0
"""

_TAKE_UNIT = """
UPDATE offer_quota SET reserved = reserved + 1
WHERE offer = %(offer)s AND reserved + sold < units RETURNING 1
"""

_TAKE_COST = """
UPDATE campaign_budget SET reserved = reserved + %(cost)s
WHERE campaign_id = %(campaign)s AND spent + reserved + %(cost)s <= amount RETURNING 1
"""

_GIVE_BACK = "DELETE FROM reservation WHERE contact_id = %(contact)s RETURNING units, cost"

# A reservation that lapsed meanwhile is taken again, if anything is left.
_SETTLE_UNITS = """
UPDATE offer_quota SET reserved = reserved - %(held)s, sold = sold + %(sold)s,
  exhausted_at = CASE WHEN sold + %(sold)s = units THEN coalesce(exhausted_at, %(at)s) END
WHERE offer = %(offer)s AND (%(held)s = 1 OR %(sold)s = 0 OR reserved + sold < units)
RETURNING units, exhausted_at = %(at)s
"""

_SETTLE_COST = """
UPDATE campaign_budget SET reserved = reserved - %(held)s, spent = spent + %(cost)s,
  exhausted_at = CASE WHEN spent + %(cost)s + least_cost > amount THEN coalesce(exhausted_at, %(at)s) END
WHERE campaign_id = %(campaign)s
RETURNING amount, exhausted_at = %(at)s
"""

_LEFT = "SELECT amount - spent - reserved FROM campaign_budget WHERE campaign_id = %(campaign)s FOR UPDATE"

_HOLD_COSTS = """
INSERT INTO reservation (contact_id, campaign_id, offer, units, cost, lapses_at)
SELECT id, %(campaign)s, %(offer)s, 0, %(cost)s, %(lapses)s FROM unnest(%(contacts)b::uuid[]) AS t(id)
"""

_TAKE_COSTS = "UPDATE campaign_budget SET reserved = reserved + %(cost)s WHERE campaign_id = %(campaign)s"

_DROP = """
DELETE FROM reservation WHERE contact_id = ANY(%(contacts)b::uuid[])
RETURNING campaign_id, offer, units, cost
"""

_DROP_LAPSED = """
DELETE FROM reservation WHERE contact_id IN (
  SELECT contact_id FROM reservation WHERE lapses_at <= %(now)s
  ORDER BY contact_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING campaign_id, offer, units, cost
"""

_LOCK_QUOTAS = "SELECT FROM offer_quota WHERE offer = ANY(%(offers)b::text[]) ORDER BY offer FOR UPDATE"
_LOCK_BUDGETS = """
SELECT FROM campaign_budget WHERE campaign_id = ANY(%(campaigns)b::uuid[]) ORDER BY campaign_id FOR UPDATE
"""

_RELEASE_UNITS = """
UPDATE offer_quota q SET reserved = q.reserved - r.units
FROM (SELECT offer, sum(units)::int AS units
      FROM unnest(%(offers)b::text[], %(units)b::int[]) AS t(offer, units) GROUP BY offer) r
WHERE q.offer = r.offer AND r.units > 0
"""

_RELEASE_COST = """
UPDATE campaign_budget b SET reserved = b.reserved - r.cost
FROM (SELECT campaign_id, sum(cost) AS cost
      FROM unnest(%(campaigns)b::uuid[], %(costs)b::numeric[]) AS t(campaign_id, cost) GROUP BY campaign_id) r
WHERE b.campaign_id = r.campaign_id AND r.cost > 0
"""


@dataclass(frozen=True, slots=True)
class Resources:
    """What one contact draws on."""

    contact_id: UUID
    campaign_id: UUID
    offer: str
    cost: Decimal
    """What it is expected to cost."""


def contact_cost(settings: CampaignSettings, minutes: float | Decimal) -> Decimal:
    return task_cost(minutes, settings.manager_cost_per_minute)


async def reserve(session: AsyncSession, settings: CampaignSettings, of: Resources) -> None:
    """Hold a unit and the cost until the record. 409 `quota-exhausted`, `budget-exhausted`."""
    names = {"offer": of.offer, "campaign": of.campaign_id}
    ((has_quota, has_budget),) = await fetch(session, _LIMITED, names)
    if not (has_quota or has_budget):
        return
    cost = of.cost if has_budget else Decimal(0)
    held = {"contact": of.contact_id, "units": int(has_quota), "cost": cost}
    lapses = clock.now() + timedelta(minutes=settings.reservation_minutes)
    ((is_new,),) = await fetch(session, _HOLD, {**names, **held, "lapses": lapses})
    if not is_new:
        return
    if has_quota and not await fetch(session, _TAKE_UNIT, names):
        raise Conflict(
            f"All units of {of.offer} are sold or reserved: try again when one is given back",
            slug="quota-exhausted",
        )
    if has_budget and not await fetch(session, _TAKE_COST, {**names, "cost": cost}):
        raise Conflict(
            f"What is left of the campaign's budget does not pay for this contact ({cost})",
            slug="budget-exhausted",
        )


async def settle(session: AsyncSession, of: Resources, *, sold: bool, at: datetime) -> None:
    """The contact is recorded at what it cost: its unit is sold or given back.

    409 `quota-exhausted` when the reservation lapsed and others have sold what was left.
    """
    rows = await fetch(session, _GIVE_BACK, {"contact": of.contact_id})
    units, cost = rows[0] if rows else (0, Decimal(0))
    given = {"offer": of.offer, "held": units, "sold": int(sold), "at": at}
    settled = await fetch(session, _SETTLE_UNITS, given)
    if not settled and sold and (await fetch(session, _LIMITED, _names(of)))[0][0]:
        raise Conflict(
            f"The reservation lapsed, and all units of {of.offer} are sold or reserved",
            slug="quota-exhausted",
        )
    if settled and settled[0][1]:
        await emit(
            session,
            QuotaExhausted(resource="offer", offer=of.offer, units=settled[0][0], exhausted_at=at),
        )
    await _spend(session, of.campaign_id, {"held": cost, "cost": of.cost}, at)


async def reserve_costs(
    session: AsyncSession,
    settings: CampaignSettings,
    campaign_id: UUID,
    offer: str,
    cost: Decimal,
    contacts: Sequence[UUID],
) -> int:
    """Hold the cost of messages, of which nobody buys anything: how many of them, from the first on, the
    campaign's budget pays for.
    """
    rows = await fetch(session, _LEFT, {"campaign": campaign_id})
    if not rows or not contacts:
        return len(contacts)
    paid = min(int(rows[0][0] // cost), len(contacts)) if cost else len(contacts)
    held = {"contacts": list(contacts[:paid]), "campaign": campaign_id, "offer": offer, "cost": cost}
    lapses = clock.now() + timedelta(minutes=settings.reservation_minutes)
    await fetch(session, _HOLD_COSTS, {**held, "lapses": lapses})
    await fetch(session, _TAKE_COSTS, {"campaign": campaign_id, "cost": cost * paid})
    return paid


async def settle_costs(
    session: AsyncSession, paid: Sequence[tuple[UUID, UUID, Decimal]], *, at: datetime
) -> None:
    """Messages (contact, campaign, cost) were sent at what they cost."""
    if not paid:
        return
    held = await fetch(session, _DROP, {"contacts": sorted(contact for contact, _, _ in paid)})
    for campaign in sorted({campaign for _, campaign, _ in paid}):
        costs = {
            "held": sum((row[3] for row in held if row[0] == campaign), Decimal(0)),
            "cost": sum((cost for _, of, cost in paid if of == campaign), Decimal(0)),
        }
        await _spend(session, campaign, costs, at)


async def _spend(session: AsyncSession, campaign: UUID, costs: Mapping[str, Decimal], at: datetime) -> None:
    budgets = await fetch(session, _SETTLE_COST, {"campaign": campaign, **costs, "at": at})
    if budgets and budgets[0][1]:
        event = QuotaExhausted(resource="budget", campaign_id=campaign, amount=budgets[0][0], exhausted_at=at)
        await emit(session, event)


async def release(session: AsyncSession, contacts: Sequence[UUID]) -> None:
    """What these contacts held may be reserved by others: they will not be made."""
    await _give_back(session, await fetch(session, _DROP, {"contacts": sorted(contacts)}))


async def release_lapsed(session: AsyncSession) -> int:
    """Give back what begun contacts did not record in time; how many, at most a batch."""
    rows = await fetch(session, _DROP_LAPSED, {"now": clock.now(), "limit": _BATCH})
    await _give_back(session, rows)
    return len(rows)


async def _give_back(session: AsyncSession, rows: Sequence[Sequence[object]]) -> None:
    if not rows:
        return
    campaigns, offers, units, costs = map(list, zip(*rows, strict=True))
    columns = {"campaigns": campaigns, "offers": offers, "units": units, "costs": costs}
    for statement in (_LOCK_QUOTAS, _RELEASE_UNITS, _LOCK_BUDGETS, _RELEASE_COST):
        await fetch(session, statement, columns)


def _names(of: Resources) -> dict[str, object]:
    return {"offer": of.offer, "campaign": of.campaign_id}
