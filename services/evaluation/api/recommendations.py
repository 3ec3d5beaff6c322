"""Recommendations and what people decide on them."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Path, Query

from services.evaluation.api.access import ReviewRead, ReviewWrite
from services.evaluation.queries.recommendations import recommendation_page
from services.evaluation.usecases.recommendations import decide
from shared.contracts.base import Page
from shared.contracts.evaluation import Recommendation, RecommendationDecision, RecommendationState
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["recommendations"])

RecommendationId = Annotated[UUID, Path(description="Id of the recommendation")]
Decision = Annotated[RecommendationDecision | None, Body()]


@router.get("/recommendations")
async def list_recommendations(
    session: Session,
    principal: ReviewRead,
    page: PageParams,
    state: Annotated[RecommendationState | None, Query(description="Only those in this state")] = None,
    campaign_id: Annotated[UUID | None, Query(description="Only those of this campaign")] = None,
) -> Page[Recommendation]:
    """Newest first, each with the evidence it rests on."""
    return await recommendation_page(session, page, state, campaign_id)


@router.post("/recommendations/{recommendation_id}:accept", responses=problem_responses(404, 409))
async def accept_recommendation(
    session: Session, principal: ReviewWrite, recommendation_id: RecommendationId, body: Decision = None
) -> Recommendation:
    """Note that it will be followed. Only an open recommendation can be decided."""
    note = body.note if body else ""
    return await decide(session, principal, recommendation_id, RecommendationState.ACCEPTED, note)


@router.post("/recommendations/{recommendation_id}:reject", responses=problem_responses(404, 409))
async def reject_recommendation(
    session: Session, principal: ReviewWrite, recommendation_id: RecommendationId, body: Decision = None
) -> Recommendation:
    """Note that it will not be followed, and why."""
    note = body.note if body else ""
    return await decide(session, principal, recommendation_id, RecommendationState.REJECTED, note)
