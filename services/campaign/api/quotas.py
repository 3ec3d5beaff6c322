"""Quotas of offers and budgets of campaigns."""

from uuid import UUID

from fastapi import Response

from services.campaign.api.access import BankPlanner, Reader
from services.campaign.queries import quotas as queries
from services.campaign.queries.campaigns import find_campaign
from services.campaign.usecases import quotas as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign.quotas import BudgetView, QuotaPatch, QuotaView, QuotaWrite
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["quotas"])


@router.post("/quotas", status_code=201, summary="Set an offer's quota", responses=problem_responses(409))
async def create_quota(
    session: Session, principal: BankPlanner, response: Response, body: QuotaWrite
) -> QuotaView:
    """From now on no more than so many units are sold, over all campaigns and managers."""
    view = await usecases.create_quota(session, principal, body)
    set_etag(response, view.version)
    return view


@router.get("/quotas", summary="List quotas", responses=problem_responses(400))
async def list_quotas(session: Session, principal: Reader, page: PageParams) -> Page[QuotaView]:
    """In the order of their offers."""
    return await queries.list_quotas(session, page)


@router.get("/quotas/{offer}", summary="Read an offer's quota", responses=problem_responses(404))
async def get_quota(session: Session, principal: Reader, response: Response, offer: Key) -> QuotaView:
    """Units, sold, reserved and left."""
    view = await queries.get_quota(session, offer)
    set_etag(response, view.version)
    return view


@router.patch(
    "/quotas/{offer}", summary="Change an offer's quota", responses=problem_responses(404, 409, 412, 428)
)
async def change_quota(
    session: Session,
    principal: BankPlanner,
    response: Response,
    offer: Key,
    version: IfMatch,
    body: QuotaPatch,
) -> QuotaView:
    """More units bring withdrawn contacts back; never below what is sold and reserved."""
    view = await usecases.change_quota(session, principal, offer, version, body)
    set_etag(response, view.version)
    return view


@router.get("/campaigns/{campaign_id}/budget", summary="Read a budget", responses=problem_responses(404))
async def get_budget(session: Session, principal: Reader, campaign_id: UUID) -> BudgetView:
    """What is reserved, spent and left since the launch."""
    campaign = await find_campaign(session, principal, campaign_id)
    return await queries.get_budget(session, campaign.id)
