"""Who moves: into the audience of a campaign with a trigger, lately, and what was decided."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.campaign.domain.plan import Plan
from services.campaign.domain.triggers import MOVES
from services.campaign.models import (
    AudienceMember,
    Campaign,
    CampaignTrigger,
    Contact,
    Customer,
    Segment,
    SegmentMember,
    TriggerEntry,
)
from services.campaign.queries.audience import live_audience
from services.campaign.queries.campaigns import content_of
from shared.contracts.base import Page
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.campaign.triggers import Trigger, TriggeredContact, TriggerEstimate, TriggerProgress
from shared.pagination import PageRequest, paginate

LATELY = timedelta(days=30)
"""How far an estimate looks back."""


def moved_audience(
    campaign_id: UUID, plan: Plan, trigger: Trigger, segments: Mapping[str, UUID], among: Select[UUID]
) -> Select[UUID, int, str, str]:
    """Those `among` them who belong to the audience and are where they moved to; see `live_audience`."""
    audience = plan.audience.model_copy(update={"limit": None})
    member = aliased(SegmentMember)
    inside = exists().where(
        member.segment_id == segments[trigger.segment], member.customer_id == Customer.id, member.member
    )
    found = live_audience(campaign_id, audience, segments, plan.people.orgs, 1, among)
    return found.where(inside if trigger.on == "enter" else ~inside)


def moved_lately(segment_id: UUID, trigger: Trigger, since: datetime) -> Select[UUID]:
    """Whose last move was such a one."""
    return select(SegmentMember.customer_id).where(*_moved(segment_id, trigger, since))


def _moved(segment_id: UUID, trigger: Trigger, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        SegmentMember.segment_id == segment_id,
        SegmentMember.member == (trigger.on == "enter"),
        SegmentMember.changed_at >= since,
        SegmentMember.cause.in_(MOVES),
    )


async def estimate(
    session: AsyncSession, segment_id: UUID, trigger: Trigger, now: datetime
) -> TriggerEstimate:
    known_since, moved = (
        await session.execute(
            select(
                func.min(SegmentMember.changed_at).filter(SegmentMember.cause.is_not(None)),
                func.count().filter(*_moved(segment_id, trigger, now - LATELY)),
            ).where(SegmentMember.segment_id == segment_id)
        )
    ).one()
    since = None if known_since is None else max(known_since, now - LATELY)
    return TriggerEstimate(moved=moved or 0, since=since)


async def trigger_progress(session: AsyncSession, campaign_id: UUID) -> TriggerProgress | None:
    """`waiting` and `last_moved_at` of the organisations that the session may see."""
    row = (
        await session.execute(
            select(CampaignTrigger, Campaign, Segment.version, Segment.archived)
            .join(Campaign, Campaign.id == CampaignTrigger.campaign_id)
            .outerjoin(Segment, Segment.id == CampaignTrigger.segment_id)
            .where(CampaignTrigger.campaign_id == campaign_id)
        )
    ).one_or_none()
    if row is None:
        return None
    opened: CampaignTrigger = row[0]
    audience = content_of(row[1]).audience
    if audience is None or audience.trigger is None:
        raise RuntimeError(f"campaign {campaign_id} was opened without a trigger")
    waiting = await session.scalar(
        select(func.count(TriggerEntry.customer_id.distinct())).where(TriggerEntry.campaign_id == campaign_id)
    )
    last = await session.scalar(
        select(func.max(AudienceMember.moved_at)).where(
            AudienceMember.campaign_id == campaign_id, AudienceMember.moved_at.is_not(None)
        )
    )
    return TriggerProgress(
        **audience.trigger.model_dump(),
        version=opened.version,
        outdated=bool(row.archived) or row.version not in (None, opened.version),
        opened_at=opened.opened_at,
        waiting=waiting or 0,
        last_moved_at=last,
    )


async def list_triggered(
    session: AsyncSession, campaign_id: UUID, page: PageRequest
) -> Page[TriggeredContact]:
    query: Any = (
        select(AudienceMember, Contact)
        .join(
            Contact,
            (Contact.campaign_id == AudienceMember.campaign_id)
            & (Contact.customer_id == AudienceMember.customer_id)
            & (Contact.step == FIRST_STEP),
        )
        .where(AudienceMember.campaign_id == campaign_id, AudienceMember.moved_at.is_not(None))
    )
    order: list[Any] = [AudienceMember.moved_at.expression, AudienceMember.customer_id.expression]
    return await paginate(session, query, order, page, _triggered, descending=True)


def _triggered(row: Row[*tuple[Any, ...]]) -> TriggeredContact:
    member: AudienceMember = row[0]
    contact: Contact = row[1]
    return TriggeredContact(
        customer_id=member.customer_id,
        segment=member.segment,
        branch=member.org_path,
        moved_at=member.moved_at or contact.decided_at,
        decided_at=contact.decided_at,
        state=contact.state,
        reason=contact.reason,
        arm=contact.arm,
    )
