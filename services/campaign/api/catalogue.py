"""Offers."""

from services.campaign.api.access import BankPlanner, Reader
from services.campaign.queries import catalogue as queries
from services.campaign.usecases import catalogue as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign import OfferView, OfferWrite
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["catalogue"])


@router.post("/offers", status_code=201, summary="Create an offer", responses=problem_responses(409))
async def create_offer(session: Session, principal: BankPlanner, body: OfferWrite) -> OfferView:
    """An offer never changes: new terms are a new offer with a new key."""
    return await usecases.create_offer(session, principal, body)


@router.get("/offers", summary="List offers", responses=problem_responses(400))
async def list_offers(session: Session, principal: Reader, page: PageParams) -> Page[OfferView]:
    """In the order of their keys."""
    return await queries.list_offers(session, page)


@router.get("/offers/{offer_key}", summary="Read an offer", responses=problem_responses(404))
async def get_offer(session: Session, principal: Reader, offer_key: Key) -> OfferView:
    """Product, rating, terms and value."""
    return await queries.get_offer(session, offer_key)
