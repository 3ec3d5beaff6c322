"""What an erasure leaves of opportunities, visits and account plans: figures without words. Plans go."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Opportunity
from services.campaign.usecases.opportunities import moved
from shared.db import fetch
from shared.outbox import emit

_CLOSE = """
WITH closed AS (
  UPDATE opportunity SET status = 'lost', lost_reason = 'erased', closed_at = %(at)s, moves = moves + 1,
    version = version + 1
  WHERE customer_id = ANY(%(ids)b::uuid[]) AND status = 'open' RETURNING id, moves, stage
), told AS (
  INSERT INTO opportunity_move (opportunity_id, number, from_stage, to_stage, moved_at, moved_by)
  SELECT id, moves, stage, 'lost', %(at)s, %(by)s FROM closed
)
SELECT id FROM closed
"""

_BLANK: tuple[LiteralString, ...] = (
    """
    UPDATE opportunity SET name = '', next_action = NULL, lost_note = NULL
    WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1
    """,
    """
    UPDATE visit SET purpose = '', participants = '[]', result = NULL, next_step = NULL,
      closed_at = coalesce(closed_at, %(at)s), closed_by = coalesce(closed_by, %(by)s),
      state = CASE state WHEN 'planned' THEN 'cancelled' ELSE state END
    WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1
    """,
    "DELETE FROM account_plan WHERE customer_id = ANY(%(ids)b::uuid[]) RETURNING 1",
)


async def forget_accounts(session: AsyncSession, ids: list[UUID], *, at: datetime, by: str) -> int:
    """How many rows went or lost their words."""
    parameters = {"ids": ids, "at": at, "by": by}
    closed = [row[0] for row in await fetch(session, _CLOSE, parameters)]
    rows = 0
    for statement in _BLANK:
        rows += len(await fetch(session, statement, parameters))
    if closed:
        found = await session.scalars(select(Opportunity).where(Opportunity.id.in_(closed)))
        await emit(session, *(moved(each, each.stage, "lost", at, by) for each in found))
    return rows
