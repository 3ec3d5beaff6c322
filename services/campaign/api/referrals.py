"""The referral desk."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import Reader, ReferralParty, ReferralReader, ServiceSettings
from services.campaign.models import Referral
from services.campaign.queries import referrals as queries
from services.campaign.queries.next_offers import next_offers
from services.campaign.usecases import referrals as usecases
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.referrals import (
    BusinessLine,
    NextOffers,
    ReferralAssign,
    ReferralDecline,
    ReferralSide,
    ReferralState,
    ReferralView,
    ReferralWin,
    ReferralWrite,
)
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["referrals"])

_VERB = problem_responses(404, 409, 412, 428)


async def _view(
    session: Session, principal: Principal, response: Response, referral: Referral
) -> ReferralView:
    view = await queries.get_referral(session, principal, referral.id)
    set_etag(response, view.version)
    return view


@router.post("/referrals", status_code=201, summary="Make a referral", responses=problem_responses(409))
async def create_referral(
    session: Session,
    principal: ReferralParty,
    settings: ServiceSettings,
    response: Response,
    body: ReferralWrite,
) -> ReferralView:
    """Hands a customer of your organisation on to another line of business, branch or manager.

    It makes no task and permits no contact: whether the customer may be contacted is decided where a contact
    begins. Nor does it open the customer's file to another branch. 409 `already-referred` while the same
    customer is with the same people for the same.
    """
    made = await usecases.make_referral(session, principal, settings, body)
    return await _view(session, principal, response, made)


@router.get("/referrals", summary="List referrals", responses=problem_responses(400))
async def list_referrals(
    session: Session,
    principal: ReferralReader,
    page: PageParams,
    side: Annotated[ReferralSide | None, Query(description="Made or received by you, or your branch")] = None,
    state: Annotated[list[ReferralState] | None, Query(description="Any of these states")] = None,
    customer_id: UUID | None = None,
    line: Annotated[BusinessLine | None, Query(description="From or to this line of business")] = None,
    overdue: Annotated[bool | None, Query(description="Open and past their time, or not")] = None,
) -> Page[ReferralView]:
    """A manager's own and those they may take; of a branch head and an auditor all of the organisation.
    The newest first.
    """
    wanted = queries.ReferralFilter(side, state or [], customer_id, line, overdue)
    return await queries.list_referrals(session, principal, page, wanted)


@router.get("/referrals/{referral_id}", summary="Read a referral", responses=problem_responses(404))
async def get_referral(
    session: Session, principal: ReferralReader, response: Response, referral_id: UUID
) -> ReferralView:
    """With what you may do about it."""
    view = await queries.get_referral(session, principal, referral_id)
    set_etag(response, view.version)
    return view


@router.post("/referrals/{referral_id}:assign", summary="Assign a referral", responses=_VERB)
async def assign_referral(
    session: Session,
    principal: ReferralParty,
    response: Response,
    referral_id: UUID,
    version: IfMatch,
    body: ReferralAssign,
) -> ReferralView:
    """The head of the receiving branch names the manager who sees to it, also in place of another."""
    done = await usecases.assign_referral(session, principal, referral_id, version, body.manager)
    return await _view(session, principal, response, done)


@router.post("/referrals/{referral_id}:accept", summary="Accept a referral", responses=_VERB)
async def accept_referral(
    session: Session,
    principal: ReferralParty,
    settings: ServiceSettings,
    response: Response,
    referral_id: UUID,
    version: IfMatch,
) -> ReferralView:
    """Takes the customer on, at the credit offered. No task comes of it: contact them by the tasks of a
    campaign, which ask for consent and the other rules when they begin.
    """
    done = await usecases.accept_referral(session, principal, settings, referral_id, version)
    return await _view(session, principal, response, done)


@router.post("/referrals/{referral_id}:reject", summary="Reject a referral", responses=_VERB)
async def reject_referral(
    session: Session,
    principal: ReferralParty,
    response: Response,
    referral_id: UUID,
    version: IfMatch,
    body: ReferralDecline,
) -> ReferralView:
    """Tells who made it why."""
    done = await usecases.reject_referral(session, principal, referral_id, version, body.reason)
    return await _view(session, principal, response, done)


@router.post("/referrals/{referral_id}:withdraw", summary="Withdraw a referral", responses=_VERB)
async def withdraw_referral(
    session: Session, principal: ReferralParty, response: Response, referral_id: UUID, version: IfMatch
) -> ReferralView:
    """By who made it, before it is answered."""
    done = await usecases.withdraw_referral(session, principal, referral_id, version)
    return await _view(session, principal, response, done)


@router.post("/referrals/{referral_id}:win", summary="Record a referral as won", responses=_VERB)
async def win_referral(
    session: Session,
    principal: ReferralParty,
    response: Response,
    referral_id: UUID,
    version: IfMatch,
    body: ReferralWin,
) -> ReferralView:
    """What it brought; `credited` shares it between the two."""
    done = await usecases.win_referral(session, principal, referral_id, version, body)
    return await _view(session, principal, response, done)


@router.post("/referrals/{referral_id}:lose", summary="Record a referral as lost", responses=_VERB)
async def lose_referral(
    session: Session,
    principal: ReferralParty,
    response: Response,
    referral_id: UUID,
    version: IfMatch,
    body: ReferralDecline,
) -> ReferralView:
    """Nothing came of it, and why."""
    done = await usecases.lose_referral(session, principal, referral_id, version, body.reason)
    return await _view(session, principal, response, done)


@router.get(
    "/customers/{customer_id}/next-offers", summary="Suggest next offers", responses=problem_responses(404)
)
async def list_next_offers(session: Session, principal: Reader, customer_id: UUID) -> NextOffers:
    """After an accepted offer or a referral that was won: what else suits, and was not offered before."""
    return await next_offers(session, customer_id)
