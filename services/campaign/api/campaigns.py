"""Campaigns: draft, review, launch, course and end."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Query, Response

from services.campaign.api.access import Approver, Overseer, Planner, Reader, ServiceSettings
from services.campaign.domain.plan import plan_of
from services.campaign.models import Campaign
from services.campaign.queries import campaigns as queries
from services.campaign.queries.decided import last_decided
from services.campaign.queries.references import load_references, require_known
from services.campaign.queries.simulation import simulate
from services.campaign.usecases import campaigns as usecases
from services.campaign.usecases.closing import abort_campaign as abort
from services.campaign.usecases.closing import complete_campaign as complete
from services.campaign.usecases.draining import drain_campaign as drain
from services.campaign.usecases.launch import request_launch
from services.campaign.usecases.release import release_policy
from shared import clock
from shared.contracts.base import JobView, Key, Page
from shared.contracts.campaign import (
    CampaignPatch,
    CampaignStatus,
    CampaignSummary,
    CampaignView,
    CampaignWrite,
    CommentRequest,
    CompleteRequest,
    PauseRequest,
    ReasonRequest,
    ReviewView,
    Simulation,
)
from shared.contracts.campaign.decided import DecidedContent
from shared.jobs import location_of
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["campaigns"])

_VERB = problem_responses(404, 409)


async def _view(session: Session, response: Response, campaign: Campaign) -> CampaignView:
    set_etag(response, campaign.version)
    return await queries.campaign_view(session, campaign)


@router.post("/campaigns", status_code=201, summary="Draft a campaign", responses=problem_responses(409))
async def create_campaign(
    session: Session, principal: Planner, response: Response, body: CampaignWrite
) -> CampaignView:
    """A draft may lack fixes; `missing` says which ones `:submit` will ask for."""
    campaign = await usecases.create_campaign(session, principal, body)
    response.headers["Location"] = f"/v1/campaigns/{campaign.id}"
    return await _view(session, response, campaign)


@router.get("/campaigns", summary="List campaigns", responses=problem_responses(400))
async def list_campaigns(
    session: Session,
    principal: Reader,
    page: PageParams,
    status: Annotated[CampaignStatus | None, Query(description="Only campaigns in this state")] = None,
    strategy: Annotated[Key | None, Query(description="Only campaigns of this strategy")] = None,
    recommendation_id: Annotated[
        UUID | None, Query(description="Only campaigns that follow this recommendation")
    ] = None,
) -> Page[CampaignSummary]:
    """Newest first; those of your organisation, of those above it and of those below."""
    return await queries.list_campaigns(session, principal, page, status, strategy, recommendation_id)


@router.get("/campaigns/{campaign_id}", summary="Read a campaign", responses=problem_responses(404))
async def get_campaign(
    session: Session, principal: Reader, response: Response, campaign_id: UUID
) -> CampaignView:
    """With its approvals, waves, the latest evaluation and recommendation, and the verbs open to it."""
    return await _view(session, response, await queries.find_campaign(session, principal, campaign_id))


@router.patch(
    "/campaigns/{campaign_id}", summary="Edit a campaign", responses=problem_responses(404, 409, 412, 428)
)
async def edit_campaign(
    session: Session,
    principal: Planner,
    response: Response,
    campaign_id: UUID,
    expected: IfMatch,
    body: CampaignPatch,
) -> CampaignView:
    """Replaces the parts you name, whole. Review and approval are void: the campaign is a draft again, and if
    you name none, it is only that.
    """
    campaign = await usecases.edit_campaign(session, principal, campaign_id, expected, body)
    return await _view(session, response, campaign)


@router.post("/campaigns/{campaign_id}:submit", summary="Submit for approval", responses=_VERB)
async def submit_campaign(
    session: Session, principal: Planner, response: Response, campaign_id: UUID
) -> CampaignView:
    """Binds the content by its hash. Each missing fix is one error with its pointer."""
    return await _view(session, response, await usecases.submit_campaign(session, principal, campaign_id))


@router.post("/campaigns/{campaign_id}:approve", summary="Approve", responses=_VERB)
async def approve_campaign(
    session: Session,
    principal: Approver,
    response: Response,
    campaign_id: UUID,
    body: Annotated[CommentRequest | None, Body()] = None,
) -> CampaignView:
    """By someone who neither wrote nor submitted it, and only of the content as submitted."""
    comment = body.comment if body else None
    campaign = await usecases.approve_campaign(session, principal, campaign_id, comment)
    return await _view(session, response, campaign)


@router.post("/campaigns/{campaign_id}:reject", summary="Send back to draft", responses=_VERB)
async def reject_campaign(
    session: Session, principal: Approver, response: Response, campaign_id: UUID, body: ReasonRequest
) -> CampaignView:
    """With the reason, which the author sees."""
    campaign = await usecases.reject_campaign(session, principal, campaign_id, body.reason)
    return await _view(session, response, campaign)


@router.post("/campaigns/{campaign_id}:launch", status_code=202, summary="Launch", responses=_VERB)
async def launch_campaign(
    session: Session, principal: Planner, response: Response, campaign_id: UUID
) -> JobView:
    """Freezes the audience and assigns the first wave, or opens the campaign to whom its trigger brings;
    before its first day the campaign is scheduled.
    """
    job = await request_launch(session, principal, campaign_id)
    response.headers["Location"] = location_of(job)
    return job


@router.post("/campaigns/{campaign_id}:pause", summary="Pause", responses=_VERB)
async def pause_campaign(
    session: Session, principal: Planner, response: Response, campaign_id: UUID, body: PauseRequest
) -> CampaignView:
    """No task is started, no message sent and no wave released until `:resume`; what happened may still be
    recorded. Waits of journeys are as much longer as the pause.
    """
    campaign = await usecases.pause_campaign(session, principal, campaign_id, body)
    return await _view(session, response, campaign)


@router.post("/campaigns/{campaign_id}:resume", summary="Resume", responses=_VERB)
async def resume_campaign(
    session: Session, principal: Planner, response: Response, campaign_id: UUID
) -> CampaignView:
    """Waves that came due meanwhile are released at once, and so are held moves."""
    return await _view(session, response, await usecases.resume_campaign(session, principal, campaign_id))


@router.post("/campaigns/{campaign_id}:drain", summary="Drain", responses=_VERB)
async def drain_campaign(
    session: Session, principal: Planner, response: Response, campaign_id: UUID
) -> CampaignView:
    """Nobody new is contacted: waves to come are written off, moves count no more. Open contacts and journeys
    go on; the campaign completes by itself with the last of them. After its last day it drains by itself.
    """
    return await _view(session, response, await drain(session, principal, campaign_id))


@router.post("/campaigns/{campaign_id}:abort", summary="Abort", responses=_VERB)
async def abort_campaign(
    session: Session, principal: Planner, response: Response, campaign_id: UUID, body: ReasonRequest
) -> CampaignView:
    """For good: open tasks expire, waves that are still to come are written off."""
    return await _view(session, response, await abort(session, principal, campaign_id, body.reason))


@router.post("/campaigns/{campaign_id}:complete", summary="Complete", responses=_VERB)
async def complete_campaign(
    session: Session,
    principal: Planner,
    response: Response,
    campaign_id: UUID,
    body: Annotated[CompleteRequest | None, Body()] = None,
) -> CampaignView:
    """Only when the ledger balances; `expire_open` closes what is still open."""
    expire_open = body is not None and body.expire_open
    campaign = await complete(session, principal, campaign_id, expire_open=expire_open)
    return await _view(session, response, campaign)


@router.get(
    "/campaigns/{campaign_id}/decided-content",
    summary="Read the content decided on last",
    responses=problem_responses(404),
)
async def get_decided_content(session: Session, principal: Overseer, campaign_id: UUID) -> DecidedContent:
    """What was approved or rejected last, word for word, whatever the campaign has become since.

    404 also if nobody has decided yet.
    """
    campaign = await queries.find_campaign(session, principal, campaign_id)
    return await last_decided(session, campaign.id)


@router.post(
    "/campaigns/{campaign_id}:simulate", summary="Simulate the launch", responses=problem_responses(404)
)
async def simulate_campaign(
    session: Session, principal: Planner, settings: ServiceSettings, campaign_id: UUID
) -> Simulation:
    """What a launch would decide now, by the same statement, counted; nothing is written. With a trigger:
    what would have been decided on those who moved within the last 30 days.
    """
    campaign = await queries.find_campaign(session, principal, campaign_id)
    content = queries.content_of(campaign)
    plan = plan_of(content)
    found = await load_references(session, content)
    require_known(content, found)
    policy = await release_policy(session, settings, plan, clock.now())
    return await simulate(session, settings, campaign.id, plan, found, policy, content.budget)


@router.get("/campaigns/{campaign_id}/reviews", summary="List reviews", responses=problem_responses(400, 404))
async def list_campaign_reviews(
    session: Session, principal: Reader, page: PageParams, campaign_id: UUID
) -> Page[ReviewView]:
    """Evaluations and recommendations that arrived, newest first."""
    campaign = await queries.find_campaign(session, principal, campaign_id)
    return await queries.list_reviews(session, campaign.id, page)
