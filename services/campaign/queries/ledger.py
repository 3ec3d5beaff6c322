"""Reads of the books: audience, ledger lines, totals and progress."""

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Subquery, case, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.ledger import Books, imbalances
from services.campaign.models import AudienceMember, CampaignArm, Contact, JourneyRun, Message, Task
from services.campaign.queries.arms import arm_of_contact
from services.campaign.queries.triggers import trigger_progress
from shared.contracts.base import Page
from shared.contracts.campaign import (
    AudienceMember as AudienceMemberView,
)
from shared.contracts.campaign import CampaignProgress, LedgerEntry, LedgerState, SuppressionReason, Tally
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.pagination import PageRequest, paginate


async def read_books(session: AsyncSession, campaign_id: UUID) -> Books:
    """By one statement, of one moment: contacts are closed all the while, with their tasks and messages."""
    first = (Contact.step == FIRST_STEP).label("first")
    lines = (
        select(first, Contact.state, Contact.reason, Contact.disposition, func.count().label("count"))
        .where(Contact.campaign_id == campaign_id)
        .group_by(first, Contact.state, Contact.reason, Contact.disposition)
        .subquery()
    )
    totals = _totals(campaign_id)
    rows = (await session.execute(select(totals, lines).join_from(totals, lines, true(), isouter=True))).all()
    states: Counter[LedgerState] = Counter()
    follow_ups: Counter[LedgerState] = Counter()
    suppressed: Counter[SuppressionReason] = Counter()
    dispositions: Counter[str] = Counter()
    for _, _, _, is_first, state, reason, disposition, count in rows:
        if state is None:
            continue
        if not is_first:
            follow_ups[state] += count
            continue
        states[state] += count
        if state == "suppressed" and reason is not None:
            suppressed[reason] += count
        if state == "done" and disposition is not None:
            dispositions[disposition] += count
    audience, open_work, journeys, *_ = rows[0]
    return Books(
        audience, states, suppressed, dispositions, open_work, follow_ups=follow_ups, journeys=journeys
    )


def _totals(campaign_id: UUID) -> Subquery:
    """One row: members of the audience, open tasks and messages, journeys that go on."""
    audience = select(func.count()).where(AudienceMember.campaign_id == campaign_id)
    tasks = select(func.count()).where(
        Task.campaign_id == campaign_id, Task.state.not_in(("done", "expired"))
    )
    messages = select(func.count()).where(
        Message.campaign_id == campaign_id, Message.state.in_(("planned", "claimed", "submitting"))
    )
    running = select(func.count()).where(JourneyRun.campaign_id == campaign_id, JourneyRun.state != "ended")
    return select(
        audience.scalar_subquery().label("audience"),
        (tasks.scalar_subquery() + messages.scalar_subquery()).label("open_work"),
        running.scalar_subquery().label("journeys"),
    ).subquery()


async def read_progress(session: AsyncSession, campaign_id: UUID) -> CampaignProgress:
    books = await read_books(session, campaign_id)
    found = imbalances(books)
    minutes, cost, amount = (
        await session.execute(
            select(
                func.coalesce(func.sum(Contact.minutes), 0),
                func.coalesce(func.sum(Contact.cost), 0),
                func.coalesce(func.sum(Contact.outcome_amount), 0),
            ).where(Contact.campaign_id == campaign_id)
        )
    ).one()
    return CampaignProgress(
        ledger=books.totals(),
        planned=books.planned,
        balanced=not found,
        imbalances=found,
        minutes=Decimal(minutes or 0),
        cost=Decimal(cost or 0),
        outcome_amount=Decimal(amount or 0),
        arms=await _tallies(session, campaign_id, Contact.arm.expression),
        branches=await _tallies(session, campaign_id, Contact.org_path.expression),
        trigger=await trigger_progress(session, campaign_id),
    )


async def _tallies(session: AsyncSession, campaign_id: UUID, by: ColumnElement[Any]) -> list[Tally]:
    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((condition, 1)))

    first = Contact.step == FIRST_STEP
    rows = await session.execute(
        select(
            by.label("key"),
            counted(first).label("assigned"),
            counted(first & (Contact.state == "assigned")).label("open"),
            counted(first & (Contact.state == "done")).label("done"),
            counted(first & (Contact.state == "expired")).label("expired"),
            counted(Contact.disposition == "accepted").label("accepted"),
        )
        .where(Contact.campaign_id == campaign_id, Contact.arm.is_not(None))
        .group_by(by)
        .order_by(by)
    )
    return [Tally.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


async def list_audience(
    session: AsyncSession, campaign_id: UUID, page: PageRequest
) -> Page[AudienceMemberView]:
    query: Any = (
        select(AudienceMember, Contact.state, Contact.reason)
        .outerjoin(
            Contact,
            (Contact.campaign_id == AudienceMember.campaign_id)
            & (Contact.customer_id == AudienceMember.customer_id)
            & (Contact.step == FIRST_STEP),
        )
        .where(AudienceMember.campaign_id == campaign_id)
    )
    return await paginate(session, query, [AudienceMember.customer_id.expression], page, _member)


def _member(row: Row[*tuple[Any, ...]]) -> AudienceMemberView:
    member: AudienceMember = row[0]
    return AudienceMemberView(
        customer_id=member.customer_id,
        segment=member.segment,
        branch=member.org_path,
        wave=member.wave,
        state=row.state or "planned",
        reason=row.reason,
    )


def select_entries() -> Select[Contact, str, str, str]:
    """Ledger lines with what their arm offers and says."""
    return select(Contact, CampaignArm.offer, CampaignArm.channel, CampaignArm.script).outerjoin(
        CampaignArm, arm_of_contact()
    )


async def list_ledger(
    session: AsyncSession,
    campaign_id: UUID,
    page: PageRequest,
    state: LedgerState | None,
    arm: str | None,
) -> Page[LedgerEntry]:
    query: Any = select_entries().where(Contact.campaign_id == campaign_id)
    if state is not None:
        query = query.where(Contact.state == state)
    if arm is not None:
        query = query.where(Contact.arm == arm)
    return await paginate(
        session, query, [Contact.customer_id.expression, Contact.step.expression], page, _entry
    )


def _entry(row: Row[*tuple[Any, ...]]) -> LedgerEntry:
    contact: Contact = row[0]
    stored = {
        name: getattr(contact, name) for name in LedgerEntry.model_fields if name in Contact.__table__.columns
    }
    return LedgerEntry.model_validate(
        {
            **stored,
            "contact_id": contact.id,
            "branch": contact.org_path,
            "offer": row.offer,
            "channel": row.channel,
            "script": row.script,
        }
    )
