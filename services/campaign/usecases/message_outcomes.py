"""What became of messages: providers' answers, receipts, leases that ended, and what a person found out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.channels import Submission
from services.campaign.domain.messages import OUTCOMES, RESOLVED, Resolution, after_receipt, settle
from services.campaign.models import Channel, Contact, Message
from services.campaign.usecases.claiming import Claim
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.reservations import release, settle_costs
from services.campaign.usecases.waking import wake_after
from services.campaign.usecases.withdrawal import expire_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.channels import Receipt, ReceiptCounts
from shared.contracts.campaign.vocabulary import MessageState
from shared.contracts.events import ContactRecorded
from shared.db import fetch
from shared.errors import Conflict, NotFound
from shared.outbox import emit

_BY = "system:sender"

# In the order of ids, as everywhere; an outcome without the present fence is nobody's any more.
_ANSWERED = """
SELECT m.id, m.campaign_id, m.attempts, k.status IN ('launching', 'running', 'paused', 'draining')
FROM message m JOIN unnest(%(ids)b::uuid[], %(fences)b::int[]) AS t(id, fence) USING (id, fence)
JOIN campaign k ON k.id = m.campaign_id
WHERE m.state IN ('submitting', 'unknown') ORDER BY m.id FOR UPDATE OF m
"""
_WRITE = """
UPDATE message m SET state = t.state, reference = coalesce(t.reference, m.reference),
  detail = CASE WHEN NOT EXISTS (SELECT FROM erased_customer e WHERE e.id = m.customer_id)
    THEN coalesce(t.detail, m.detail) END, lease_until = NULL, due_at = coalesce(t.due_at, m.due_at),
  closed_at = CASE WHEN t.state <> 'planned' THEN coalesce(m.closed_at, %(now)s) END
FROM unnest(%(ids)b::uuid[], %(states)b::text[], %(references)b::text[], %(details)b::text[],
  %(due)b::timestamptz[]) AS t(id, state, reference, detail, due_at)
WHERE m.id = t.id
"""
_CLOSE = """
UPDATE contact c SET state = 'done', disposition = t.outcome, attempts = 1,
  cost = CASE WHEN t.first THEN t.cost ELSE c.cost END,
  closed_at = coalesce(c.closed_at, %(now)s), version = c.version + 1
FROM (
  SELECT o.id, o.state = 'assigned' AS first, s.outcome, s.cost
  FROM unnest(%(ids)b::uuid[], %(outcomes)b::text[], %(costs)b::numeric[]) AS s(id, outcome, cost)
  JOIN contact o USING (id) WHERE o.state IN ('assigned', 'done') ORDER BY o.id FOR UPDATE OF o
) AS t
WHERE c.id = t.id AND c.disposition IS DISTINCT FROM t.outcome
RETURNING c.id, c.campaign_id, c.customer_id, c.version, c.disposition, c.cost, t.first
"""
_MENTIONED = """
SELECT m.id, m.campaign_id, m.state, m.reference FROM message m
WHERE m.channel = %(channel)s
  AND (m.id = ANY(%(ids)b::uuid[]) OR m.reference = ANY(%(references)b::text[]))
ORDER BY m.id FOR UPDATE
"""
_LOST_CLAIMS = """
UPDATE message m SET state = 'planned', lease_until = NULL FROM (
  SELECT id FROM message WHERE lease_until <= %(now)s AND state = 'claimed'
  ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
) AS lost WHERE m.id = lost.id RETURNING m.id
"""
_LOST_ANSWERS = """
SELECT m.id, m.campaign_id, n.cost FROM message m JOIN channel n ON n.key = m.channel
WHERE m.lease_until <= %(now)s AND m.state = 'submitting' ORDER BY m.id LIMIT 1000
FOR UPDATE OF m SKIP LOCKED
"""


@dataclass(frozen=True)
class _Change:
    id: UUID
    campaign_id: UUID
    state: MessageState
    reference: str | None = None
    detail: str | None = None
    due_at: datetime | None = None


async def record_answers(
    session: AsyncSession, channel: Channel, claims: Sequence[Claim], answers: Sequence[Submission]
) -> None:
    """The provider's answer to each; what it certainly did not take is tried again later."""
    await hold_off_erasures(session)
    said = {claim.id: answer for claim, answer in zip(claims, answers, strict=True)}
    columns = {"ids": [each.id for each in claims], "fences": [each.fence for each in claims]}
    now, changes, over = clock.now(), [], []
    for message_id, campaign_id, attempts, live in await fetch(session, _ANSWERED, columns):
        answer = said[message_id]
        settled = settle(answer.outcome, attempts, answer.retry_after)
        due = None if settled.wait is None else now + settled.wait
        changes.append(_Change(message_id, campaign_id, settled.state, answer.reference, answer.detail, due))
        if settled.state == "planned" and not live:
            over.append(message_id)
    await _apply(session, changes, channel.cost)
    again = [each.id for each in changes if each.state == "planned"]
    await release(session, again)
    if over:
        # Its campaign ended while nobody knew whether it was sent.
        await expire_contacts(session, Contact.id.in_(over), at=now, by=_BY)


async def take_receipts(session: AsyncSession, channel: str, receipts: Sequence[Receipt]) -> ReceiptCounts:
    """What a provider tells of messages it has taken. Of messages nobody knows nothing is kept."""
    await hold_off_erasures(session)
    ids = [each.id for each in receipts if each.id is not None]
    references = [each.reference for each in receipts if each.reference is not None]
    rows = await fetch(session, _MENTIONED, {"channel": channel, "ids": ids, "references": references})
    by_id = {row[0]: row for row in rows}
    # A reference may be that of a whole batch: then it does not say which.
    shared = Counter(row[3] for row in rows)
    by_reference = {row[3]: row for row in rows if row[3] is not None and shared[row[3]] == 1}
    changes: dict[UUID, _Change] = {}
    unknown = 0
    for receipt in receipts:
        row = by_id.get(receipt.id) if receipt.id is not None else by_reference.get(receipt.reference)
        if row is None:
            unknown += 1
            continue
        before = changes[row[0]].state if row[0] in changes else row[2]
        state = after_receipt(before, receipt.state)
        if state is not None:
            changes[row[0]] = _Change(row[0], row[1], state, receipt.reference, receipt.detail)
    cost = (await session.get_one(Channel, channel)).cost
    await _apply(session, list(changes.values()), cost)
    return ReceiptCounts(taken=len(receipts) - unknown, unknown=unknown)


async def end_leases(session: AsyncSession) -> None:
    """What a sender left behind: a claim is free again; what may be with the provider is not sent twice."""
    now = clock.now()
    freed = [row[0] for row in await fetch(session, _LOST_CLAIMS, {"now": now})]
    await release(session, freed)
    by_cost: dict[Decimal, list[_Change]] = {}
    for message_id, campaign_id, cost in await fetch(session, _LOST_ANSWERS, {"now": now}):
        lost = _Change(message_id, campaign_id, "unknown", detail="the sender stopped before the answer came")
        by_cost.setdefault(cost, []).append(lost)
    for cost, changes in by_cost.items():
        await _apply(session, changes, cost)


async def resolve_message(
    session: AsyncSession, principal: Principal, message_id: UUID, resolution: Resolution
) -> Message:
    """What a person found out about a message whose answer was lost; it is not sent again."""
    message = await session.get(Message, message_id, with_for_update=True)
    if message is None:
        raise NotFound(f"no message {message_id}")
    if message.state != "unknown":
        raise Conflict(f"the message is {message.state}, not unknown", slug="illegal-transition")
    change = _Change(
        message.id, message.campaign_id, RESOLVED[resolution], detail=f"resolved as {resolution}"
    )
    await _apply(session, [change], Decimal(0))
    audit(session, principal, "resolve_message", f"message/{message_id}", {"as": resolution})
    await session.refresh(message)
    return message


async def _apply(session: AsyncSession, changes: Sequence[_Change], cost: Decimal) -> None:
    """Writes messages, closes their contacts, pays for them, and tells. The messages are locked."""
    if not changes:
        return
    now = clock.now()
    columns = {
        "ids": [each.id for each in changes],
        "states": [each.state for each in changes],
        "references": [each.reference for each in changes],
        "details": [each.detail for each in changes],
        "due": [each.due_at for each in changes],
    }
    await fetch(session, _WRITE, {**columns, "now": now})
    over = [each for each in changes if each.state in OUTCOMES]
    outcomes = {
        "ids": [each.id for each in over],
        "outcomes": [OUTCOMES[each.state] for each in over],
        # What certainly did not go out costs nothing.
        "costs": [Decimal(0) if each.state == "failed" else cost for each in over],
    }
    rows = await fetch(session, _CLOSE, {**outcomes, "now": now})
    # Paid once, with the first word on it; later ones only say more.
    closed = [row for row in rows if row[6]]
    await settle_costs(session, [(row[0], row[1], row[5]) for row in closed], at=now)
    await wake_after(session, [row[0] for row in closed])
    await emit(session, *(_recorded(row, now) for row in rows))


def _recorded(row: Sequence[Any], at: datetime) -> ContactRecorded:
    contact_id, campaign_id, customer_id, version, outcome, cost, first = row
    return ContactRecorded(
        campaign_id=campaign_id,
        contact_id=contact_id,
        customer_id=customer_id,
        version=version,
        state="done",
        disposition=outcome,
        # Told once: whoever adds up what was told adds up what was spent.
        cost=cost if first else None,
        recorded_at=at,
        recorded_by=_BY,
    )
