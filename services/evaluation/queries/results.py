"""Results and their breakdowns, as far as the reader's organisation goes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import BranchEffect, Result
from shared.contracts.evaluation import BreakdownRow, CampaignResult
from shared.errors import NotFound


async def newest(session: AsyncSession, campaign_id: UUID) -> CampaignResult | None:
    """The newest result with the branches that row-level security shows this reader."""
    statement = (
        select(Result)
        .where(Result.campaign_id == campaign_id)
        .order_by(Result.evaluated_at.desc(), Result.id.desc())
        .limit(1)
    )
    row = (await session.scalars(statement)).one_or_none()
    if row is None:
        return None
    result = CampaignResult.model_validate(row.document)
    branches = await _branches(session, result.id)
    return result.model_copy(update={"breakdown": [*result.breakdown, *branches]})


async def required(session: AsyncSession, campaign_id: UUID) -> CampaignResult:
    result = await newest(session, campaign_id)
    if result is None:
        raise NotFound("This campaign has not been evaluated yet.", slug="not-evaluated")
    return result


async def newest_of_all(session: AsyncSession, campaigns: Sequence[UUID]) -> dict[UUID, CampaignResult]:
    """The newest result of each campaign, without branches."""
    statement = (
        select(Result)
        .where(Result.campaign_id.in_(campaigns))
        .ext(distinct_on(Result.campaign_id))
        .order_by(Result.campaign_id, Result.evaluated_at.desc(), Result.id.desc())
    )
    rows = await session.scalars(statement)
    return {row.campaign_id: CampaignResult.model_validate(row.document) for row in rows}


async def _branches(session: AsyncSession, result_id: UUID) -> list[BreakdownRow]:
    statement = (
        select(BranchEffect).where(BranchEffect.result_id == result_id).order_by(BranchEffect.org_path)
    )
    return [BreakdownRow.model_validate(found.row) for found in await session.scalars(statement)]
