"""Recommendations, newest first."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import RecommendationRow
from shared.contracts.base import Page
from shared.contracts.evaluation import Recommendation, RecommendationState
from shared.pagination import PageRequest, paginate


async def recommendation_page(
    session: AsyncSession,
    page: PageRequest,
    state: RecommendationState | None,
    campaign_id: UUID | None,
) -> Page[Recommendation]:
    statement = select(RecommendationRow)
    if state is not None:
        statement = statement.where(RecommendationRow.state == state.value)
    if campaign_id is not None:
        statement = statement.where(RecommendationRow.campaign_id == campaign_id)
    keys = [RecommendationRow.issued_at, RecommendationRow.id]
    return await paginate(session, statement, keys, page, _convert, descending=True)


async def newest(session: AsyncSession, campaign_id: UUID) -> Recommendation | None:
    statement = (
        select(RecommendationRow)
        .where(RecommendationRow.campaign_id == campaign_id)
        .order_by(RecommendationRow.issued_at.desc(), RecommendationRow.id.desc())
        .limit(1)
    )
    row = (await session.scalars(statement)).one_or_none()
    return as_contract(row) if row else None


def as_contract(row: RecommendationRow) -> Recommendation:
    decision = {
        "state": row.state,
        "decided_at": row.decided_at,
        "decided_by": row.decided_by,
        "note": row.note,
    }
    return Recommendation.model_validate(row.document | decision)


def _convert(row: Row[Any]) -> Recommendation:
    found: RecommendationRow = row[0]
    return as_contract(found)
