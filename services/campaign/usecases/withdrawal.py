"""Contacts that will not be made any more, and those that are withdrawn until their reason passes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.campaign.domain.fixes import TASK_CONSENT
from services.campaign.models import Channel, Contact, Message, Task, Withdrawal
from services.campaign.queries.families import of_person
from services.campaign.usecases.reservations import release
from services.campaign.usecases.waking import wake_after
from shared.contracts.campaign import SuppressionReason, TaskState
from shared.contracts.events import ContactRecorded, ContactState
from shared.db import fetch
from shared.outbox import emit


async def expire_contacts(
    session: AsyncSession,
    which: ColumnElement[bool],
    *,
    at: datetime,
    by: str,
    reason: SuppressionReason | None = None,
    evidence: Mapping[str, object] | None = None,
) -> int:
    """Closes open contacts, their tasks and messages as expired, gives back what they reserved, and tells.

    A message that may be with its provider already stays open until that is known.
    """
    # Task or message before contact, as a record locks them: the two wait for each other, never in a circle.
    await session.execute(
        select(Task.id)
        .join(Contact, Contact.id == Task.id)
        .where(which, Contact.state == "assigned")
        .order_by(Task.id)
        .with_for_update(of=Task)
    )
    await session.execute(
        select(Message.id)
        .join(Contact, Contact.id == Message.id)
        .where(which, Contact.state == "assigned")
        .order_by(Message.id)
        .with_for_update(of=Message)
    )
    under_way = exists().where(Message.id == Contact.id, Message.state == "submitting")
    rows = (
        await session.execute(
            update(Contact)
            .where(which, Contact.state == "assigned", ~under_way)
            .values(
                state="expired",
                reason=reason,
                evidence=evidence,
                closed_at=at,
                version=Contact.version + 1,
            )
            .returning(
                Contact.id, Contact.campaign_id, Contact.customer_id, Contact.version, Contact.disposition
            )
        )
    ).all()
    if rows:
        contacts = [row.id for row in rows]
        await _close_tasks(session, contacts, at)
        await _close_messages(session, contacts, at)
        await release(session, contacts)
        await wake_after(session, contacts)
        await emit(session, *(_expired(row, at, by) for row in rows))
    return len(rows)


async def _close_tasks(session: AsyncSession, ids: list[UUID], at: datetime) -> None:
    await session.execute(
        update(Task)
        .where(Task.id.in_(ids))
        .values(state="expired", next_at=None, closed_at=at, version=Task.version + 1)
    )


async def _close_messages(session: AsyncSession, ids: list[UUID], at: datetime) -> None:
    await session.execute(
        update(Message).where(Message.id.in_(ids)).values(state="expired", lease_until=None, closed_at=at)
    )


def _expired(row: Row[*tuple[Any, ...]], at: datetime, by: str) -> ContactRecorded:
    return ContactRecorded(
        campaign_id=row.campaign_id,
        contact_id=row.id,
        customer_id=row.customer_id,
        version=row.version,
        state="expired",
        disposition=row.disposition,
        recorded_at=at,
        recorded_by=by,
    )


async def drop_contacts(session: AsyncSession, campaign_id: UUID, *, at: datetime, by: str) -> int:
    """Closes what has not begun of a campaign that is paused."""
    task = aliased(Task)
    begun = exists().where(task.id == Contact.id, task.state == "started")
    which = (Contact.campaign_id == campaign_id) & (Contact.attempts == 0) & ~begun
    return await expire_contacts(session, which, at=at, by=by, reason="paused")


async def withdraw_customer(
    session: AsyncSession, customer_id: UUID, *, at: datetime, by: str, channel: str | None = None
) -> int:
    """A person who may not be contacted any more, or not by this channel, has no open contact of that kind in
    any campaign, by any file.
    """
    # What is assigned has an arm: said here, because the index of contacts by customer has only those.
    which = of_person(Contact.customer_id.expression, customer_id) & Contact.arm.is_not(None)
    if channel is not None:
        which &= _goes_by(channel)
    return await expire_contacts(session, which, at=at, by=by)


def _goes_by(channel: str) -> ColumnElement[bool]:
    if channel == TASK_CONSENT:
        task = aliased(Task)
        return exists().where(task.id == Contact.id)
    message = aliased(Message)
    return exists().where(
        message.id == Contact.id, Channel.key == message.channel, Channel.consent == channel
    )


async def withdraw_contacts(
    session: AsyncSession,
    contacts: Sequence[UUID],
    reason: SuppressionReason,
    *,
    at: datetime,
    by: str,
    merge_id: UUID | None = None,
) -> int:
    """Closes what is open of these, with where it stood, so that `reopen_contacts` can bring it back."""
    if not contacts:
        return 0
    parameters = {"ids": sorted(contacts), "reason": reason, "merge": merge_id, "at": at}
    await fetch(session, _KEEP_WHERE_IT_STOOD, parameters)
    return await expire_contacts(session, Contact.id.in_(contacts), at=at, by=by, reason=reason)


# Tasks and messages are locked in the order of their ids, as everywhere.
_KEEP_WHERE_IT_STOOD = """
INSERT INTO withdrawal (contact_id, reason, merge_id, task_state, next_at, withdrawn_at)
SELECT open.id, %(reason)s, %(merge)s::uuid, open.state, open.next_at, %(at)s FROM (
  SELECT t.id, t.state, t.next_at FROM task t
  WHERE t.id = ANY(%(ids)b::uuid[]) AND t.state NOT IN ('done', 'expired') ORDER BY t.id FOR UPDATE
) AS open
UNION ALL
SELECT planned.id, %(reason)s, %(merge)s::uuid, 'assigned', NULL, %(at)s FROM (
  SELECT m.id FROM message m
  WHERE m.id = ANY(%(ids)b::uuid[]) AND m.state IN ('planned', 'claimed') ORDER BY m.id FOR UPDATE
) AS planned
ON CONFLICT (contact_id) DO NOTHING
"""

# A campaign that is over stays over, and nobody is contacted who has asked meanwhile to be left alone. What
# had begun is begun again: the rules may refuse it by now.
_REOPEN = """
WITH back AS (
  SELECT w.contact_id, w.next_at,
    CASE w.task_state WHEN 'started' THEN 'accepted' ELSE w.task_state END AS task_state
  FROM withdrawal w
  JOIN task t ON t.id = w.contact_id JOIN campaign k ON k.id = t.campaign_id
  WHERE w.contact_id = ANY(%(ids)b::uuid[]) AND t.state = 'expired'
    AND k.status IN ('launching', 'running', 'paused', 'draining')
    AND NOT EXISTS (
      SELECT 1 FROM suppression s WHERE s.customer_id = t.customer_id
        AND (s.channel IS NULL OR s.channel = 'call') AND (s.until IS NULL OR s.until > %(at)s))
  ORDER BY t.id FOR UPDATE OF t
), unsent AS (
  SELECT w.contact_id, w.task_state FROM withdrawal w
  JOIN message m ON m.id = w.contact_id JOIN campaign k ON k.id = m.campaign_id
  JOIN channel n ON n.key = m.channel
  WHERE w.contact_id = ANY(%(ids)b::uuid[]) AND m.state = 'expired'
    AND k.status IN ('launching', 'running', 'paused', 'draining')
    AND NOT EXISTS (
      SELECT 1 FROM suppression s WHERE s.customer_id = m.customer_id
        AND (s.channel IS NULL OR s.channel = n.consent) AND (s.until IS NULL OR s.until > %(at)s))
  ORDER BY m.id FOR UPDATE OF m
), messages AS (
  UPDATE message m SET state = 'planned', closed_at = NULL
  FROM unsent b WHERE m.id = b.contact_id RETURNING m.id
), tasks AS (
  UPDATE task t SET state = b.task_state, next_at = b.next_at, closed_at = NULL, version = t.version + 1
  FROM back b WHERE t.id = b.contact_id RETURNING t.id
)
UPDATE contact c SET state = 'assigned', reason = NULL, closed_at = NULL, version = c.version + 1
FROM (SELECT contact_id, task_state FROM back UNION ALL SELECT contact_id, task_state FROM unsent) b
WHERE c.id = b.contact_id AND c.state = 'expired'
RETURNING c.id, c.campaign_id, c.customer_id, c.version, c.disposition, b.task_state
"""

_TOLD: Mapping[TaskState, ContactState] = {"accepted": "assigned"}
"""States of a task that events call by another name."""


async def reopen_contacts(session: AsyncSession, contacts: Sequence[UUID], *, at: datetime, by: str) -> int:
    """Brings withdrawn contacts back to where they stood, and tells."""
    if not contacts:
        return 0
    parameters = {"ids": sorted(contacts), "at": at}
    rows = await fetch(session, _REOPEN, parameters)
    await session.execute(delete(Withdrawal).where(Withdrawal.contact_id.in_(contacts)))
    events = [
        ContactRecorded(
            campaign_id=campaign_id,
            contact_id=contact_id,
            customer_id=customer_id,
            version=version,
            state=_TOLD.get(task_state, task_state),
            disposition=disposition,
            recorded_at=at,
            recorded_by=by,
        )
        for contact_id, campaign_id, customer_id, version, disposition, task_state in rows
    ]
    await emit(session, *events)
    return len(events)
