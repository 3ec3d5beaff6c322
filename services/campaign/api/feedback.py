"""What managers say of a campaign, and what strategists answer."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from services.campaign.api.access import FeedbackCloser, FeedbackGiver, FeedbackReader, Planner
from services.campaign.queries import feedback as queries
from services.campaign.queries.feedback import FeedbackFilter
from services.campaign.usecases import feedback as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign import ScriptRef
from shared.contracts.campaign.feedback import FeedbackAnswer, FeedbackCount, FeedbackView, FeedbackWrite
from shared.contracts.events.feedback import FeedbackKind, FeedbackState
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["feedback"])

_VERB = problem_responses(404, 409, 412, 428)


def _filter(
    campaign_id: UUID | None = None,
    task_id: UUID | None = None,
    kind: FeedbackKind | None = None,
    state: FeedbackState | None = None,
    script: Annotated[ScriptRef | None, Query(description="Only of this version of a script")] = None,
    offer: Annotated[Key | None, Query(description="Only of this offer")] = None,
) -> FeedbackFilter:
    return FeedbackFilter(campaign_id, task_id, kind, state, script, offer)


Wanted = Annotated[FeedbackFilter, Depends(_filter)]


@router.post("/feedback", status_code=201, summary="Give feedback", responses=problem_responses(404, 409))
async def give_feedback(
    session: Session, principal: FeedbackGiver, response: Response, body: FeedbackWrite
) -> FeedbackView:
    """Of the list, the script or the offer: of one task, or of a campaign that was launched."""
    feedback = await usecases.give_feedback(session, principal, body)
    response.headers["Location"] = f"/v1/feedback/{feedback.id}"
    set_etag(response, feedback.version)
    return await queries.get_feedback(session, principal, feedback.id)


@router.get("/feedback", summary="List feedback", responses=problem_responses(400))
async def list_feedback(
    session: Session, principal: FeedbackReader, page: PageParams, wanted: Wanted
) -> Page[FeedbackView]:
    """The latest first; a manager sees what they gave, others what was given in their organisation."""
    return await queries.list_feedback(session, principal, page, wanted)


@router.get("/feedback/counts", summary="Count feedback", responses=problem_responses(400))
async def count_feedback(
    session: Session, principal: FeedbackReader, page: PageParams, wanted: Wanted
) -> Page[FeedbackCount]:
    """By campaign's list, script version and offer: how often judged, how well, how many unanswered."""
    return await queries.count_feedback(session, principal, page, wanted)


@router.get("/feedback/{feedback_id}", summary="Read feedback", responses=problem_responses(404))
async def get_feedback(
    session: Session, principal: FeedbackReader, response: Response, feedback_id: UUID
) -> FeedbackView:
    """With its answer."""
    view = await queries.get_feedback(session, principal, feedback_id)
    set_etag(response, view.version)
    return view


@router.post("/feedback/{feedback_id}:answer", summary="Answer feedback", responses=_VERB)
async def answer_feedback(
    session: Session,
    principal: Planner,
    response: Response,
    feedback_id: UUID,
    expected: IfMatch,
    body: FeedbackAnswer,
) -> FeedbackView:
    """Until it is closed it may be answered again: the newest answer stands."""
    feedback = await usecases.answer_feedback(session, principal, feedback_id, expected, body.answer)
    set_etag(response, feedback.version)
    return await queries.get_feedback(session, principal, feedback_id)


@router.post("/feedback/{feedback_id}:close", summary="Close feedback", responses=_VERB)
async def close_feedback(
    session: Session, principal: FeedbackCloser, response: Response, feedback_id: UUID, expected: IfMatch
) -> FeedbackView:
    """By a strategist, or by whoever gave it."""
    feedback = await usecases.close_feedback(session, principal, feedback_id, expected)
    set_etag(response, feedback.version)
    return await queries.get_feedback(session, principal, feedback_id)
