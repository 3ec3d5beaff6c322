"""The books of a campaign."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.campaign.api.access import Overseer, Reader
from services.campaign.queries import ledger as queries
from services.campaign.queries.campaigns import find_campaign
from services.campaign.queries.triggers import list_triggered
from shared.contracts.base import Key, Page
from shared.contracts.campaign import AudienceMember, CampaignProgress, LedgerEntry, LedgerState
from shared.contracts.campaign.triggers import TriggeredContact
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["ledger"])


@router.get(
    "/campaigns/{campaign_id}/audience",
    summary="List the frozen audience",
    responses=problem_responses(400, 404),
)
async def list_audience(
    session: Session, principal: Overseer, page: PageParams, campaign_id: UUID
) -> Page[AudienceMember]:
    """Who was in the audience at launch, or came by its trigger, with what was decided since; your
    organisation's part.
    """
    campaign = await find_campaign(session, principal, campaign_id)
    return await queries.list_audience(session, campaign.id, page)


@router.get(
    "/campaigns/{campaign_id}/triggered",
    summary="List who came by the trigger",
    responses=problem_responses(400, 404),
)
async def list_triggered_contacts(
    session: Session, principal: Overseer, page: PageParams, campaign_id: UUID
) -> Page[TriggeredContact]:
    """Whoever moved last comes first, with what was decided; your organisation's part. Empty for a campaign
    without a trigger.
    """
    campaign = await find_campaign(session, principal, campaign_id)
    return await list_triggered(session, campaign.id, page)


@router.get(
    "/campaigns/{campaign_id}/ledger", summary="List the ledger", responses=problem_responses(400, 404)
)
async def list_ledger(
    session: Session,
    principal: Overseer,
    page: PageParams,
    campaign_id: UUID,
    state: Annotated[LedgerState | None, Query(description="Only lines in this state")] = None,
    arm: Annotated[Key | None, Query(description="Only lines of this arm")] = None,
) -> Page[LedgerEntry]:
    """One line per customer: decision, arm, chance, manager, result; your organisation's part."""
    campaign = await find_campaign(session, principal, campaign_id)
    return await queries.list_ledger(session, campaign.id, page, state, arm)


@router.get("/campaigns/{campaign_id}/progress", summary="Read the totals", responses=problem_responses(404))
async def get_progress(session: Session, principal: Reader, campaign_id: UUID) -> CampaignProgress:
    """Audience = planned + suppressed + held_out + assigned; assigned = open + done + expired."""
    campaign = await find_campaign(session, principal, campaign_id)
    return await queries.read_progress(session, campaign.id)
