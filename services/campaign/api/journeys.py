"""Where customers stand in the journeys of a campaign."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.campaign.api.access import Reader
from services.campaign.queries.campaigns import find_campaign
from services.campaign.queries.journeys import journey_progress, list_positions
from shared.contracts.base import Key, Page
from shared.contracts.campaign.journeys import CampaignJourneys, JourneyPosition
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["campaigns"])


@router.get("/campaigns/{campaign_id}/journeys", summary="How journeys go", responses=problem_responses(404))
async def get_journeys(session: Session, principal: Reader, campaign_id: UUID) -> CampaignJourneys:
    """For each arm and each step of its journey: who came, who is there, and what came of contacts."""
    return await journey_progress(session, await find_campaign(session, principal, campaign_id))


@router.get(
    "/campaigns/{campaign_id}/journey-positions",
    summary="List customers on their journeys",
    responses=problem_responses(400, 404),
)
async def list_journey_positions(
    session: Session,
    principal: Reader,
    page: PageParams,
    campaign_id: UUID,
    arm: Annotated[Key | None, Query(description="Only customers of this arm")] = None,
    step: Annotated[Key | None, Query(description="Only customers who are, or ended, at this step")] = None,
) -> Page[JourneyPosition]:
    """Where each customer stands, by the id of their first contact."""
    campaign = await find_campaign(session, principal, campaign_id)
    return await list_positions(session, campaign.id, page, arm, step)
