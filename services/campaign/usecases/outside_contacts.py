"""What managers do by hand: counted with the contacts of campaigns, while any cap looks back so far."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.usecases.forgetting import hold_off_erasures
from shared import clock
from shared.contracts.events import CustomersContacted
from shared.db import fetch

_KEPT = timedelta(days=400)
"""Longer than any cap of a contact policy looks back."""
_BATCH = 1_000

_STORE = """
INSERT INTO outside_contact (id, customer_id, at)
SELECT told.* FROM unnest(%(ids)b::uuid[], %(customers)b::uuid[], %(at)b::timestamptz[])
  AS told(id, customer_id, at)
WHERE told.at > %(since)s AND NOT EXISTS (SELECT FROM erased_customer e WHERE e.id = told.customer_id)
ORDER BY told.id ON CONFLICT DO NOTHING
"""
_FORGET = """
DELETE FROM outside_contact WHERE id IN (
  SELECT id FROM outside_contact WHERE at <= %(since)s ORDER BY at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


async def store_outside_contacts(session: AsyncSession, event: CustomersContacted) -> None:
    await hold_off_erasures(session)
    told = [(each.interaction_id, each.customer_id, each.at) for each in event.interactions]
    await count_contacts(session, told)


async def count_contacts(session: AsyncSession, made: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """Each once, however often it is told: its id, the file it was recorded for, and when it was. After
    `hold_off_erasures`.
    """
    ids, customers, at = (list(column) for column in zip(*made, strict=True))
    parameters = {"ids": ids, "customers": customers, "at": at, "since": clock.now() - _KEPT}
    await fetch(session, _STORE, parameters)


async def forget_old_contacts(session: AsyncSession) -> None:
    """A batch of those that no cap counts any more."""
    await fetch(session, _FORGET, {"since": clock.now() - _KEPT, "limit": _BATCH})
