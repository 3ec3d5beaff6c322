"""Recommendations and what people decide on them."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Depends, Path, Query, Request

from services.evaluation.api.access import CampaignId, ReviewRead, ReviewWrite
from services.evaluation.api.visible import visible_advice
from services.evaluation.queries.allocation import allocation
from services.evaluation.queries.recommendations import recommendation_page
from services.evaluation.queries.track_record import track_record
from services.evaluation.usecases.in_person import Credentials
from services.evaluation.usecases.recommendations import accept, reject
from shared.contracts.base import Page
from shared.contracts.evaluation import Recommendation, RecommendationDecision, RecommendationState
from shared.contracts.evaluation.allocation import Allocation
from shared.contracts.evaluation.recommendations import TrackRecord
from shared.pagination import PageParams
from shared.web import CurrentRuntime, Router, Session, problem_responses

router = Router(tags=["recommendations"])

RecommendationId = Annotated[UUID, Path(description="Id of the recommendation")]
Decision = Annotated[RecommendationDecision | None, Body()]


def _own_credentials(request: Request) -> Credentials:
    """What the caller has proved himself with; a token counts before a key, as it did for this request."""
    for name in ("Authorization", "X-API-Key"):
        if name in request.headers:
            return {name: request.headers[name]}
    return {}


OwnCredentials = Annotated[Credentials, Depends(_own_credentials)]


@router.get("/recommendations")
async def list_recommendations(
    session: Session,
    principal: ReviewRead,
    page: PageParams,
    state: Annotated[RecommendationState | None, Query(description="Only those in this state")] = None,
    campaign_id: Annotated[UUID | None, Query(description="Only those of this campaign")] = None,
) -> Page[Recommendation]:
    """Newest first, each with the evidence it rests on."""
    found = await recommendation_page(session, page, state, campaign_id)
    return found.model_copy(update={"items": [visible_advice(principal, each) for each in found.items]})


@router.get("/recommendations/track-record")
async def get_track_record(session: Session, principal: ReviewRead) -> TrackRecord:
    """Accepted recommendations whose follow-up was evaluated: what was predicted, and what came of it."""
    return await track_record(session)


@router.get("/campaigns/{campaign_id}/allocation", responses=problem_responses(404, 409))
async def get_allocation(
    session: Session,
    principal: ReviewRead,
    campaign_id: CampaignId,
    floor: Annotated[
        float | None,
        Query(ge=0, le=1, allow_inf_nan=False, description="Share of the treated that every arm keeps"),
    ] = None,
) -> Allocation:
    """Shares of the arms in a next round, with each arm's chance of being best and its expected loss.

    As of the newest evaluation; the same question has the same answer. Without a `floor`, every arm keeps a
    tenth of the treated, or less if there are more than five.
    """
    return await allocation(session, campaign_id, floor)


@router.post("/recommendations/{recommendation_id}:accept", responses=problem_responses(404, 409, 429))
async def accept_recommendation(
    session: Session,
    principal: ReviewWrite,
    recommendation_id: RecommendationId,
    runtime: CurrentRuntime,
    credentials: OwnCredentials,
    body: Decision = None,
) -> Recommendation:
    """Follow it: what `follow_up` says is done in your name. `created`, `created_segment` and `stopped` tell.

    Accepting again answers the same. 503 while another service does not answer, and its own refusal where it
    refuses: the recommendation then stays open, with what was made until then, and may be accepted again.
    """
    note = body.note if body else ""
    return visible_advice(
        principal, await accept(session, principal, recommendation_id, note, runtime, credentials)
    )


@router.post("/recommendations/{recommendation_id}:reject", responses=problem_responses(404, 409))
async def reject_recommendation(
    session: Session, principal: ReviewWrite, recommendation_id: RecommendationId, body: Decision = None
) -> Recommendation:
    """Note that it will not be followed, and why."""
    note = body.note if body else ""
    return visible_advice(principal, await reject(session, principal, recommendation_id, note))
