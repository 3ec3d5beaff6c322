"""A quote as it would be priced now. Nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import get_args
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.price_authority import decide
from services.campaign.domain.pricing import allowed_subsidy, alternatives, price_quote
from services.campaign.models import Customer, PriceList
from services.campaign.queries.prices import content_of, list_in_force, measured_contribution
from shared.auth import Principal, Role
from shared.contracts.campaign.price_lists import PriceListWrite, PriceRole
from shared.contracts.campaign.quotes import PriceSimulation, QuoteWrite
from shared.errors import FieldError, Unprocessable

_NO_QUOTES: Mapping[str, str] = {
    "merged": "is merged; quote for the survivor",
    "erased": "is erased",
    "closed": "is closed",
}


@dataclass(frozen=True)
class Pricing:
    row: PriceList
    prices: PriceListWrite
    simulation: PriceSimulation


def roles_of(principal: Principal) -> list[PriceRole]:
    return [role for role in get_args(PriceRole) if principal.has(Role(role))]


async def simulate_quote(
    session: AsyncSession, principal: Principal, request: QuoteWrite, quote_id: UUID | None = None
) -> Pricing:
    """By the list in force, with the authority of `principal` and what the customer is measured
    to contribute; `quote_id` names the saved quote this is, so that it does not count against itself.
    """
    await require_customer(session, request.customer_id)
    row = await list_in_force(session, request.price_list)
    if row is None:
        missing = FieldError("/price_list", f"there is no approved price list {request.price_list}")
        raise Unprocessable("the quote refers to what does not exist", errors=[missing])
    prices = content_of(row)
    measured = await measured_contribution(session, request.customer_id, prices, quote_id)
    subsidy = Decimal("0.00")
    if measured is not None:
        share, told = prices.subsidy_share, measured.contribution
        subsidy = allowed_subsidy(share, told, measured.committed, request.months)
    priced = price_quote(prices, request.lines, request.bundle, request.months, subsidy)
    simulation = PriceSimulation(
        customer_id=request.customer_id,
        price_list=f"{row.key}@{row.version}",
        currency=prices.currency,
        months=request.months,
        bundle=request.bundle,
        lines=priced.lines,
        total=priced.total,
        alternatives=alternatives(prices, request.lines, request.months, subsidy),
        measured=measured,
        decision=decide(prices.authority, roles_of(principal), priced),
    )
    return Pricing(row, prices, simulation)


async def require_customer(session: AsyncSession, customer_id: UUID) -> None:
    """Prices are for customers the bank has, of the caller's organisation."""
    status = await session.scalar(select(Customer.status).where(Customer.id == customer_id))
    wrong = "is not a known customer" if status is None else _NO_QUOTES.get(status)
    if wrong:
        raise Unprocessable("no quote for this customer", errors=[FieldError("/customer_id", wrong)])
