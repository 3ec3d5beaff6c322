"""Claiming messages: the last moment at which they can be refused.

In one transaction the rules are asked again, the cost is reserved and the message is leased. Whoever claims
is the only one who may submit it, until the lease ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan, plan_of
from services.campaign.models import Campaign, Channel, Contact
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.catalogue import get_offer
from services.campaign.queries.contact_policies import rules_of
from services.campaign.queries.moment import Refusal, refusals_now
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.reservations import release, reserve_costs
from services.campaign.usecases.withdrawal import expire_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import SuppressionReason
from shared.db import fetch

_BY = "system:sender"
_SYSTEM = Principal(id=_BY, roles=frozenset(), org="hq")
_MINUTE = timedelta(minutes=1)

_ROOM = """
SELECT least(
  %(per_minute)s - count(*) FILTER (WHERE submitted_at > %(now)s - interval '1 minute'),
  %(daily)s - count(*) FILTER (WHERE submitted_at >= %(midnight)s)
) - (SELECT count(*) FROM message WHERE channel = %(channel)s AND state = 'claimed')
FROM message WHERE channel = %(channel)s
  AND submitted_at >= least(%(midnight)s, %(now)s - interval '1 minute')
"""
# Campaign by campaign: what waits in one that is paused may be a million.
_DUE = """
SELECT m.campaign_id, m.arm, c.step, m.id
FROM (
  SELECT first.id FROM campaign k CROSS JOIN LATERAL (
    SELECT m.id, m.due_at FROM message m
    WHERE m.channel = %(channel)s AND m.campaign_id = k.id AND m.state = 'planned' AND m.due_at <= %(now)s
    ORDER BY m.due_at, m.id LIMIT %(limit)s) AS first
  WHERE k.status IN ('running', 'draining') AND k.ends_on >= %(today)s
  ORDER BY first.due_at, first.id LIMIT %(limit)s
) AS due JOIN message m ON m.id = due.id JOIN contact c ON c.id = m.id
WHERE m.state = 'planned' ORDER BY m.due_at, m.id FOR UPDATE OF m SKIP LOCKED
"""
_CLAIM = """
UPDATE message m SET state = 'claimed', fence = m.fence + 1, lease_until = %(lease)s
FROM contact c WHERE c.id = m.id AND m.id = ANY(%(ids)b::uuid[])
RETURNING m.id, m.campaign_id, m.customer_id, m.arm, c.step, m.fence
"""
_POSTPONE = "UPDATE message SET due_at = %(until)s WHERE id = ANY(%(ids)b::uuid[])"
_SOLD_OUT = "SELECT FROM offer_quota WHERE offer = %(offer)s AND reserved + sold >= units"
_PROVE = """
UPDATE contact c SET evidence = t.evidence::jsonb
FROM unnest(%(ids)b::uuid[], %(evidence)b::text[]) AS t(id, evidence)
WHERE c.id = t.id AND c.state = 'expired' AND c.reason = %(rule)s
"""
_GIVE_BACK = """
UPDATE message m SET state = 'planned', lease_until = NULL, due_at = %(until)s
FROM (
  SELECT m.id FROM message m JOIN unnest(%(ids)b::uuid[], %(fences)b::int[]) AS t(id, fence) USING (id, fence)
  WHERE m.state = 'claimed' ORDER BY m.id FOR UPDATE OF m
) AS mine WHERE m.id = mine.id RETURNING m.id
"""


@dataclass(frozen=True)
class Claim:
    id: UUID
    campaign_id: UUID
    customer_id: UUID
    arm: str
    step: str
    fence: int


async def claim(session: AsyncSession, settings: CampaignSettings, channel_key: str) -> list[Claim]:
    """Messages that are due on the channel, within its rate and its day; those that may not go are closed."""
    await hold_off_erasures(session)
    # Held, so that two senders together keep the rate.
    channel = await session.scalar(
        select(Channel)
        .where(Channel.key == channel_key, Channel.state == "enabled")
        .with_for_update(skip_locked=True)
    )
    if channel is None:
        return []
    now = clock.now()
    limit = min(await _room(session, channel, now), settings.message_batch)
    if limit <= 0:
        return []
    due = await fetch(
        session, _DUE, {"channel": channel_key, "now": now, "today": clock.today(), "limit": limit}
    )
    claimed: list[Claim] = []
    for (campaign_id, arm, step), contacts in _by_step(due).items():
        plan = plan_of(content_of(await session.get_one(Campaign, campaign_id))).at_step(arm, step)
        ready = await _ready(session, settings, channel, campaign_id, plan, arm, contacts)
        lease = now + timedelta(seconds=settings.message_lease_seconds)
        claimed += [Claim(*row) for row in await fetch(session, _CLAIM, {"ids": ready, "lease": lease})]
    return claimed


async def give_back(session: AsyncSession, claims: Sequence[Claim], *, wait: timedelta) -> None:
    """Claims that will not be submitted now: due again after `wait`."""
    columns = {"ids": [each.id for each in claims], "fences": [each.fence for each in claims]}
    rows = await fetch(session, _GIVE_BACK, {**columns, "until": clock.now() + wait})
    await release(session, [row[0] for row in rows])


async def refuse(session: AsyncSession, channel: str, refused: Mapping[UUID, Refusal]) -> None:
    """Closes these contacts, each with the rule that forbids it and what the rule rests on."""
    by_rule: dict[SuppressionReason, dict[UUID, str | None]] = {}
    for contact, refusal in refused.items():
        proof = orjson.dumps(refusal.evidence).decode() if refusal.evidence else None
        by_rule.setdefault(refusal.rule, {})[contact] = proof
    closed: dict[str, object] = {}
    for rule, evidence in by_rule.items():
        which = Contact.id.in_(evidence)
        closed[rule] = await expire_contacts(session, which, at=clock.now(), by=_BY, reason=rule)
        proofs = {"ids": list(evidence), "evidence": list(evidence.values()), "rule": rule}
        await fetch(session, _PROVE, proofs)
    if closed:
        audit(session, _SYSTEM, "refuse_contacts", f"channel/{channel}", closed)


async def _room(session: AsyncSession, channel: Channel, now: datetime) -> int:
    midnight = now.astimezone(clock.ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    limits = {"per_minute": channel.per_minute, "daily": channel.daily_capacity}
    ((room,),) = await fetch(
        session, _ROOM, {"channel": channel.key, "now": now, "midnight": midnight, **limits}
    )
    return int(room)


def _by_step(due: Sequence[tuple[UUID, str, str, UUID]]) -> dict[tuple[UUID, str, str], list[UUID]]:
    groups: dict[tuple[UUID, str, str], list[UUID]] = {}
    for campaign_id, arm, step, contact in sorted(due):
        groups.setdefault((campaign_id, arm, step), []).append(contact)
    return groups


async def _ready(
    session: AsyncSession,
    settings: CampaignSettings,
    channel: Channel,
    campaign_id: UUID,
    plan: Plan,
    arm: str,
    contacts: list[UUID],
) -> list[UUID]:
    """Those that may go now. The others are closed with the reason, or wait for what they lack."""
    now = clock.now()
    rules = await rules_of(session, settings, plan.scheme.contact_policy, now)
    allowed = rules.next_allowed(now, clock.ZONE)
    if allowed is None or allowed > now:
        await _postpone(session, contacts, allowed or now + timedelta(days=1))
        return []
    offer = await get_offer(session, _offer(plan, arm))
    if await fetch(session, _SOLD_OUT, {"offer": offer.key}):
        await _postpone(session, contacts, now + _MINUTE)
        return []
    refused = await refusals_now(
        session, settings, contacts, campaign_id=campaign_id, plan=plan, offer=offer, rules=rules
    )
    await refuse(session, channel.key, refused)
    free = [contact for contact in contacts if contact not in refused]
    paid = await reserve_costs(session, settings, campaign_id, offer.key, channel.cost, free)
    await _postpone(session, free[paid:], now + _MINUTE)
    return free[:paid]


def _offer(plan: Plan, arm: str) -> str:
    return next(each.offer for each in plan.scheme.arms if each.key == arm)


async def _postpone(session: AsyncSession, contacts: Sequence[UUID], until: datetime) -> None:
    if contacts:
        await fetch(session, _POSTPONE, {"ids": list(contacts), "until": until})
