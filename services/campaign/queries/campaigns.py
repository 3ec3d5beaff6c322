"""Reads of campaigns, and which of them a principal may see."""

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.fixes import missing
from services.campaign.domain.lifecycle import verbs
from services.campaign.models import Approval, Campaign, CampaignWave, Review
from services.campaign.queries.orgs import around, within
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign import (
    ApprovalView,
    CampaignContent,
    CampaignStatus,
    CampaignSummary,
    CampaignView,
    ReviewView,
    WaveView,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


def content_of(campaign: Campaign) -> CampaignContent:
    return CampaignContent.model_validate(campaign.content)


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """A campaign is seen by those it is for, those above them, and the organisation that made it."""
    if principal.scope == "*":
        return true()
    org = func.unnest(Campaign.orgs).column_valued("org")
    meets = select(1).where(around(org, principal.org))
    return or_(meets.correlate(Campaign).exists(), within(Campaign.home_org.expression, principal.org))


def select_visible(principal: Principal) -> Select[Campaign]:
    return select(Campaign).where(visible_to(principal))


async def find_campaign(session: AsyncSession, principal: Principal, campaign_id: UUID) -> Campaign:
    campaign = await session.scalar(select_visible(principal).where(Campaign.id == campaign_id))
    if campaign is None:
        raise NotFound(f"no campaign {campaign_id}")
    return campaign


async def list_campaigns(
    session: AsyncSession,
    principal: Principal,
    page: PageRequest,
    status: CampaignStatus | None,
    strategy: str | None = None,
    recommendation_id: UUID | None = None,
) -> Page[CampaignSummary]:
    query = select_visible(principal)
    if status is not None:
        query = query.where(Campaign.status == status)
    if strategy is not None:
        query = query.where(Campaign.strategy == strategy)
    if recommendation_id is not None:
        query = query.where(Campaign.content["recommendation_id"].astext == str(recommendation_id))
    return await paginate(
        session, query, [Campaign.id.expression], page, lambda row: _summary(row[0]), descending=True
    )


def _summary(campaign: Campaign) -> CampaignSummary:
    content = campaign.content
    return CampaignSummary.model_validate(
        {
            **_columns(campaign, CampaignSummary.model_fields),
            "name": content["name"],
            "owner": (content.get("people") or {}).get("owner"),
            "start": campaign.starts_on,
            "end": campaign.ends_on,
        }
    )


async def campaign_view(session: AsyncSession, campaign: Campaign) -> CampaignView:
    content = content_of(campaign)
    return CampaignView.model_validate(
        {
            **_columns(campaign, CampaignView.model_fields),
            **content.model_dump(),
            "missing": [error.pointer for error in missing(content)],
            "verbs": verbs(campaign.status),
            "approvals": await _approvals(session, campaign.id),
            "waves": await _waves(session, campaign.id),
            "evaluation": await _latest(session, campaign.id, "evaluation"),
            "recommendation": await _latest(session, campaign.id, "recommendation"),
        }
    )


def _columns(campaign: Campaign, names: Iterable[str]) -> dict[str, object]:
    stored = Campaign.__table__.columns.keys()
    return {name: getattr(campaign, name) for name in names if name in stored}


async def _approvals(session: AsyncSession, campaign_id: UUID) -> list[ApprovalView]:
    rows = await session.scalars(
        select(Approval).where(Approval.campaign_id == campaign_id).order_by(Approval.decided_at, Approval.id)
    )
    return [
        ApprovalView.model_validate({name: getattr(row, name) for name in ApprovalView.model_fields})
        for row in rows
    ]


async def _waves(session: AsyncSession, campaign_id: UUID) -> list[WaveView]:
    rows = await session.scalars(
        select(CampaignWave).where(CampaignWave.campaign_id == campaign_id).order_by(CampaignWave.wave)
    )
    return [
        WaveView(wave=row.wave, due_at=row.due_at, released_at=row.released_at, members=row.members)
        for row in rows
    ]


async def _latest(
    session: AsyncSession, campaign_id: UUID, kind: Literal["evaluation", "recommendation"]
) -> dict[str, Any] | None:
    return await session.scalar(
        select(Review.body)
        .where(Review.campaign_id == campaign_id, Review.kind == kind)
        .order_by(Review.at.desc(), Review.id.desc())
        .limit(1)
    )


async def list_reviews(session: AsyncSession, campaign_id: UUID, page: PageRequest) -> Page[ReviewView]:
    return await paginate(
        session,
        select(Review).where(Review.campaign_id == campaign_id),
        [Review.at.expression, Review.id.expression],
        page,
        lambda row: _review(row[0]),
        descending=True,
    )


def _review(review: Review) -> ReviewView:
    return ReviewView.model_validate({"kind": review.kind, "at": review.at, review.kind: review.body})
