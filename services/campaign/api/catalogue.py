"""Offers and scripts."""

from typing import Annotated

from fastapi import Query

from services.campaign.api.access import Planner, Reader
from services.campaign.queries import catalogue as queries
from services.campaign.usecases import catalogue as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign import OfferView, OfferWrite, ScriptRef, ScriptView, ScriptWrite
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["catalogue"])


@router.post("/offers", status_code=201, summary="Create an offer", responses=problem_responses(409))
async def create_offer(session: Session, principal: Planner, body: OfferWrite) -> OfferView:
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


@router.post("/scripts", status_code=201, summary="Write a script's next version")
async def create_script(session: Session, principal: Planner, body: ScriptWrite) -> ScriptView:
    """The first post of a key makes `key@1`, the next `key@2`; no version ever changes."""
    return await usecases.create_script(session, principal, body)


@router.get("/scripts", summary="List scripts", responses=problem_responses(400))
async def list_scripts(
    session: Session,
    principal: Reader,
    page: PageParams,
    script_key: Annotated[Key | None, Query(alias="key", description="Only versions of this script")] = None,
) -> Page[ScriptView]:
    """In the order of keys and versions."""
    return await queries.list_scripts(session, page, script_key)


@router.get("/scripts/{ref}", summary="Read a script", responses=problem_responses(404))
async def get_script(session: Session, principal: Reader, ref: ScriptRef) -> ScriptView:
    """A script at a version, as campaigns name it: `wealth-50plus@3`."""
    return await queries.get_script(session, ref)
