"""Making, editing, submitting and deciding on quotes."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.price_authority import require_checker, require_verb
from services.campaign.domain.pricing import given_away
from services.campaign.models import PriceQuote
from services.campaign.queries.price_simulation import Pricing, require_customer, roles_of, simulate_quote
from services.campaign.queries.prices import list_in_force, status_of
from services.campaign.usecases.forgetting import hold_off_erasures
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.quotes import PriceSimulation, QuotePatch, QuoteVerb, QuoteWrite
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_TERMS = {"months", "lines", "bundle"}


async def create_quote(session: AsyncSession, principal: Principal, request: QuoteWrite) -> PriceQuote:
    await hold_off_erasures(session)
    pricing = await simulate_quote(session, principal, request)
    now = clock.now()
    quote = PriceQuote(
        id=new_id(),
        customer_id=request.customer_id,
        status="draft",
        version=1,
        created_at=now,
        created_by=principal.id,
        edited_by=principal.id,
    )
    _write(quote, request, pricing)
    session.add(quote)
    await session.flush()
    audit(session, principal, "create_quote", f"price_quote/{quote.id}", _figures(quote))
    return quote


async def edit_quote(
    session: AsyncSession, principal: Principal, quote_id: UUID, version: int, patch: QuotePatch
) -> PriceQuote:
    """Priced anew by the list in force; a submission or refusal is void afterwards."""
    quote = await _lock(session, quote_id, version, "edit")
    changes = patch.model_dump(exclude_unset=True)
    lost = [FieldError(f"/{name}", "is required") for name in changes if _is_lost(name, changes[name])]
    if lost:
        raise Unprocessable("a quote keeps its terms", errors=lost)
    request = QuoteWrite.model_validate({**_request(quote).model_dump(), **changes})
    _write(quote, request, await simulate_quote(session, principal, request, quote.id))
    quote.status, quote.edited_by = "draft", principal.id
    quote.submitted_at = quote.submitted_by = quote.valid_until = None
    quote.decided_at = quote.decided_by = quote.decision_comment = None
    await _save(session, principal, quote, "edit_quote")
    return quote


async def submit_quote(
    session: AsyncSession, principal: Principal, quote_id: UUID, version: int
) -> PriceQuote:
    """Priced once more. Within the seller's authority it is granted at once, else it waits for approval."""
    quote = await _lock(session, quote_id, version, "submit")
    # Two quotes of one customer at once would both give away the same contribution.
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:customer, 6))"),
        {"customer": str(quote.customer_id)},
    )
    request = _request(quote)
    pricing = await simulate_quote(session, principal, request, quote.id)
    _require_newest(quote, pricing.row.version)
    decision = pricing.simulation.decision
    if decision.needs_approval and not decision.approvers:
        raise Unprocessable(
            "the price list gives nobody the authority for this price",
            slug="beyond-authority",
            errors=[FieldError("/lines", "are priced below what anybody may approve")],
        )
    _write(quote, request, pricing)
    quote.status = "in_review" if decision.needs_approval else "approved"
    quote.submitted_by, quote.submitted_at = principal.id, clock.now()
    quote.valid_until = clock.today() + timedelta(days=pricing.prices.quote_days)
    await _save(session, principal, quote, "submit_quote")
    return quote


async def approve_quote(
    session: AsyncSession, principal: Principal, quote_id: UUID, version: int, comment: str | None
) -> PriceQuote:
    quote = await _lock(session, quote_id, version, "approve")
    _require_checker(principal, quote)
    await require_customer(session, quote.customer_id)
    newest = await list_in_force(session, quote.price_list)
    _require_newest(quote, newest.version if newest else None)
    return await _decide(session, principal, quote, comment, approved=True)


async def reject_quote(
    session: AsyncSession, principal: Principal, quote_id: UUID, version: int, reason: str
) -> PriceQuote:
    quote = await _lock(session, quote_id, version, "reject")
    _require_checker(principal, quote)
    return await _decide(session, principal, quote, reason, approved=False)


async def _decide(
    session: AsyncSession, principal: Principal, quote: PriceQuote, comment: str | None, *, approved: bool
) -> PriceQuote:
    quote.status = "approved" if approved else "rejected"
    quote.decided_by, quote.decided_at = principal.id, clock.now()
    quote.decision_comment = comment
    await _save(session, principal, quote, "approve_quote" if approved else "reject_quote")
    return quote


async def _lock(session: AsyncSession, quote_id: UUID, version: int, verb: QuoteVerb) -> PriceQuote:
    """The quote at `version`, held until the transaction ends, in a state that allows `verb`."""
    await hold_off_erasures(session)
    quote = await session.scalar(select(PriceQuote).where(PriceQuote.id == quote_id).with_for_update())
    if quote is None:
        raise NotFound(f"no quote {quote_id}")
    check_version(quote.version, version)
    require_verb(status_of(quote), verb)
    return quote


def _require_checker(principal: Principal, quote: PriceQuote) -> None:
    decision = PriceSimulation.model_validate(quote.figures).decision
    makers = (quote.created_by, quote.edited_by, quote.submitted_by)
    require_checker(principal.id, roles_of(principal), makers=makers, decision=decision)


def _require_newest(quote: PriceQuote, version: int | None) -> None:
    if version != quote.price_list_version:
        raise Conflict(
            f"{quote.price_list} is at version {version} now, the quote was priced by"
            f" {quote.price_list_version}: edit it, which prices it anew",
            slug="price-list-superseded",
        )


def _is_lost(name: str, value: object) -> bool:
    """Only the bundle may be taken away."""
    return value is None and name != "bundle"


def _request(quote: PriceQuote) -> QuoteWrite:
    named = {"customer_id": quote.customer_id, "price_list": quote.price_list, "note": quote.note}
    return QuoteWrite.model_validate({**quote.request, **named})


def _write(quote: PriceQuote, request: QuoteWrite, pricing: Pricing) -> None:
    total = pricing.simulation.total
    quote.price_list, quote.price_list_version = pricing.row.key, pricing.row.version
    quote.request = request.model_dump(mode="json", include=_TERMS)
    quote.note = request.note
    quote.figures = pricing.simulation.model_dump(mode="json")
    quote.currency = pricing.prices.currency
    quote.revenue, quote.cost, quote.floor = total.revenue, total.cost, total.floor
    quote.given_away = given_away(total.revenue, total.cost, request.months)
    quote.needs_approval = pricing.simulation.decision.needs_approval


async def _save(session: AsyncSession, principal: Principal, quote: PriceQuote, action: str) -> None:
    quote.version += 1
    await session.flush()
    audit(session, principal, action, f"price_quote/{quote.id}", _figures(quote))


def _figures(quote: PriceQuote) -> dict[str, object]:
    return {
        "price_list": f"{quote.price_list}@{quote.price_list_version}",
        "status": quote.status,
        "revenue": str(quote.revenue),
        "cost": str(quote.cost),
        "floor": str(quote.floor),
    }
