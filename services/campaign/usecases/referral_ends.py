"""Referrals that end without an answer: not answered in time, or of a customer who is forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.referrals import OPEN
from services.campaign.models import Referral
from services.campaign.usecases.referrals import answered
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.referrals import ReferralState
from shared.db import fetch
from shared.outbox import emit

_CLOCK = "system:referrals"
_BATCH = 1_000

_BLANK: tuple[LiteralString, ...] = (
    """
    UPDATE referral SET note = NULL, reason = NULL, lead_core_id = NULL, lead_role = NULL
    WHERE customer_id = ANY(%(ids)b::uuid[])
      AND (note, reason, lead_core_id, lead_role) IS DISTINCT FROM (NULL, NULL, NULL, NULL) RETURNING 1
    """,
    # What is noted of a lead may speak of the company it came from.
    """
    UPDATE referral SET note = NULL, lead_core_id = NULL, lead_role = NULL
    WHERE lead_core_id = ANY(%(ids)b::uuid[]) RETURNING 1
    """,
)


async def lapse_referrals(session: AsyncSession) -> None:
    """A batch of those that nobody answered in time."""
    due = (
        select(Referral.id)
        .where(Referral.state == "made", Referral.due_at <= clock.now())
        .order_by(Referral.due_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    lapsed = await _end(session, Referral.id.in_(due), "lapsed", at=clock.now(), by=_CLOCK)
    if lapsed:
        system = Principal(id=_CLOCK, roles=frozenset(), org="hq")
        audit(session, system, "lapse_referrals", "referrals", {"referrals": lapsed})


async def forget_referrals(session: AsyncSession, ids: Sequence[UUID], *, at: datetime, by: str) -> int:
    """Open ones of these customers are withdrawn, and nothing written remains; what was won stays counted.
    Returns how many rows lost something.
    """
    of_them = Referral.customer_id.in_(ids) & Referral.state.in_(OPEN)
    await _end(session, of_them, "withdrawn", at=at, by=by)
    rows = 0
    for statement in _BLANK:
        rows += len(await fetch(session, statement, {"ids": ids}))
    return rows


async def _end(
    session: AsyncSession, which: ColumnElement[bool], state: ReferralState, *, at: datetime, by: str
) -> int:
    ended = (
        await session.scalars(
            update(Referral)
            .where(which)
            .values(
                state=state,
                version=Referral.version + 1,
                answered_at=func.coalesce(Referral.answered_at, at),
                answered_by=func.coalesce(Referral.answered_by, by),
            )
            .returning(Referral)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
    ).all()
    await emit(session, *(answered(each, each.version, at, by) for each in ended))
    return len(ended)
