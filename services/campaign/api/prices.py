"""Price lists, and quotes by them."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Query, Response

from services.campaign.api.access import (
    BankApprover,
    BankPlanner,
    QuoteApprover,
    Quoter,
    QuoteTrier,
    Reader,
)
from services.campaign.models import PriceQuote
from services.campaign.queries import prices as queries
from services.campaign.queries.price_lists import preview_list, preview_written
from services.campaign.queries.price_simulation import simulate_quote
from services.campaign.usecases import prices as lists
from services.campaign.usecases import quotes as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign import CommentRequest, ReasonRequest
from shared.contracts.campaign.price_lists import (
    PriceListPreview,
    PriceListRef,
    PriceListState,
    PriceListView,
    PriceListWrite,
)
from shared.contracts.campaign.quotes import (
    PriceSimulation,
    QuotePatch,
    QuoteStatus,
    QuoteSummary,
    QuoteView,
    QuoteWrite,
)
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["prices"])

_VERB = problem_responses(404, 409, 412, 428)


def _view(response: Response, quote: PriceQuote) -> QuoteView:
    set_etag(response, quote.version)
    return queries.quote_view(quote)


@router.post("/price-lists", status_code=201, summary="Write a price list's next version")
async def create_price_list(session: Session, principal: BankPlanner, body: PriceListWrite) -> PriceListView:
    """Terms and costs of every product, bundles, and who may grant which discount. No version changes.

    It waits for review: quotes go on by the list in force until somebody else has approved it.
    """
    return await lists.create_price_list(session, principal, body)


@router.post("/price-lists:preview", summary="Preview a price list")
async def preview_price_list(
    session: Session, principal: BankPlanner, body: PriceListWrite
) -> PriceListPreview:
    """What each product costs and what changes against the list in force; nothing is kept."""
    return await preview_list(session, body)


@router.get("/price-lists", summary="List price lists", responses=problem_responses(400))
async def list_price_lists(
    session: Session,
    principal: Reader,
    page: PageParams,
    list_key: Annotated[Key | None, Query(alias="key", description="Only versions of this list")] = None,
    state: Annotated[PriceListState | None, Query(description="Only versions in this state")] = None,
    *,
    newest: Annotated[
        bool, Query(description="Only the newest of each list: approved, unless `state` says otherwise")
    ] = False,
) -> Page[PriceListView]:
    """In the order of keys and versions. With `newest` alone, those in force."""
    return await queries.list_price_lists(session, page, list_key, state, newest=newest)


@router.get("/price-lists/{ref}", summary="Read a price list", responses=problem_responses(404))
async def get_price_list(session: Session, principal: Reader, ref: PriceListRef) -> PriceListView:
    """At a version, as quotes name it: `corporate-2026@2`."""
    return queries.list_view(await queries.find_price_list(session, ref))


@router.get(
    "/price-lists/{ref}/preview", summary="Preview a written price list", responses=problem_responses(404)
)
async def preview_written_price_list(
    session: Session, principal: Reader, ref: PriceListRef
) -> PriceListPreview:
    """What it changes against the list that was in force before it: what its approval is about."""
    return await preview_written(session, ref)


@router.post(
    "/price-lists/{ref}:approve", summary="Approve a price list", responses=problem_responses(404, 409)
)
async def approve_price_list(
    session: Session, principal: BankApprover, ref: PriceListRef, body: CommentRequest
) -> PriceListView:
    """By somebody else than its author; it is in force from now on. 409 `price-list-superseded` when a newer
    version is in force already.
    """
    return await lists.decide_price_list(session, principal, ref, "approve", body.comment)


@router.post(
    "/price-lists/{ref}:reject", summary="Reject a price list", responses=problem_responses(404, 409)
)
async def reject_price_list(
    session: Session, principal: BankApprover, ref: PriceListRef, body: ReasonRequest
) -> PriceListView:
    """For good: what is better is its next version."""
    return await lists.decide_price_list(session, principal, ref, "reject", body.reason)


@router.post("/price-quotes:simulate", summary="Price a quote without saving it")
async def simulate_price_quote(session: Session, principal: QuoteTrier, body: QuoteWrite) -> PriceSimulation:
    """Floor, margin, break-even and your authority, and the same volumes one by one and in bundles."""
    return (await simulate_quote(session, principal, body)).simulation


@router.post("/price-quotes", status_code=201, summary="Draft a quote")
async def create_price_quote(
    session: Session, principal: Quoter, response: Response, body: QuoteWrite
) -> QuoteView:
    """Priced by its list in force."""
    quote = await usecases.create_quote(session, principal, body)
    response.headers["Location"] = f"/v1/price-quotes/{quote.id}"
    return _view(response, quote)


@router.get("/price-quotes", summary="List quotes", responses=problem_responses(400))
async def list_price_quotes(
    session: Session,
    principal: Reader,
    page: PageParams,
    customer_id: Annotated[UUID | None, Query(description="With all files merged into it")] = None,
    status: Annotated[QuoteStatus | None, Query(description="Only quotes in this state")] = None,
) -> Page[QuoteSummary]:
    """Newest first; of the customers of your organisation."""
    return await queries.list_quotes(session, page, customer_id, status)


@router.get("/price-quotes/{quote_id}", summary="Read a quote", responses=problem_responses(404))
async def get_price_quote(
    session: Session, principal: Reader, response: Response, quote_id: UUID
) -> QuoteView:
    """As it was priced last."""
    return _view(response, await queries.find_quote(session, quote_id))


@router.patch("/price-quotes/{quote_id}", summary="Edit a quote", responses=_VERB)
async def edit_price_quote(
    session: Session,
    principal: Quoter,
    response: Response,
    quote_id: UUID,
    expected: IfMatch,
    body: QuotePatch,
) -> QuoteView:
    """Prices it anew, even if nothing is named. It is a draft again; what was granted is not edited."""
    return _view(response, await usecases.edit_quote(session, principal, quote_id, expected, body))


@router.post("/price-quotes/{quote_id}:submit", summary="Submit a quote", responses=_VERB)
async def submit_price_quote(
    session: Session, principal: Quoter, response: Response, quote_id: UUID, expected: IfMatch
) -> QuoteView:
    """Priced once more: within your authority and not below cost it is approved, else it is in review."""
    return _view(response, await usecases.submit_quote(session, principal, quote_id, expected))


@router.post("/price-quotes/{quote_id}:approve", summary="Approve a quote", responses=_VERB)
async def approve_price_quote(
    session: Session,
    principal: QuoteApprover,
    response: Response,
    quote_id: UUID,
    expected: IfMatch,
    body: Annotated[CommentRequest | None, Body()] = None,
) -> QuoteView:
    """By someone who had no hand in it and whose authority reaches as far down as the quote goes."""
    comment = body.comment if body else None
    return _view(response, await usecases.approve_quote(session, principal, quote_id, expected, comment))


@router.post("/price-quotes/{quote_id}:reject", summary="Reject a quote", responses=_VERB)
async def reject_price_quote(
    session: Session,
    principal: QuoteApprover,
    response: Response,
    quote_id: UUID,
    expected: IfMatch,
    body: ReasonRequest,
) -> QuoteView:
    """With the reason, which the seller sees; an edit makes a draft of it again."""
    return _view(response, await usecases.reject_quote(session, principal, quote_id, expected, body.reason))
