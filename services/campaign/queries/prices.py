"""Reads of price lists and quotes, and what a customer is known to contribute."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.price_authority import VERBS
from services.campaign.models import KnownContribution, PriceList, PriceQuote
from services.campaign.queries.catalogue import version_of
from services.campaign.queries.families import of_family
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign.price_lists import PriceListState, PriceListView, PriceListWrite
from shared.contracts.campaign.quotes import (
    MeasuredContribution,
    PriceSimulation,
    QuoteStatus,
    QuoteSummary,
    QuoteView,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_NOTHING = Decimal("0.00")
_OF_ROW = ("created_at", "created_by", "state", "decided_at", "decided_by", "comment")


def list_view(row: PriceList) -> PriceListView:
    return PriceListView.model_validate(
        {
            **row.content,
            "version": row.version,
            "ref": f"{row.key}@{row.version}",
            **{name: getattr(row, name) for name in _OF_ROW},
        }
    )


def content_of(row: PriceList) -> PriceListWrite:
    return PriceListWrite.model_validate(row.content)


async def list_in_force(session: AsyncSession, key: str) -> PriceList | None:
    """What quotes are priced by: the newest that is approved."""
    return await newest_list(session, key, PriceList.state == "approved")


async def newest_list(session: AsyncSession, key: str, *of: ColumnElement[bool]) -> PriceList | None:
    return await session.scalar(
        select(PriceList).where(PriceList.key == key, *of).order_by(PriceList.version.desc()).limit(1)
    )


async def list_price_lists(
    session: AsyncSession, page: PageRequest, key: str | None, state: PriceListState | None, *, newest: bool
) -> Page[PriceListView]:
    query = select(PriceList)
    if key is not None:
        query = query.where(PriceList.key == key)
    wanted: PriceListState | None = state or ("approved" if newest else None)
    if wanted is not None:
        query = query.where(PriceList.state == wanted)
    if newest:
        last = select(PriceList.key, func.max(PriceList.version).label("version"))
        of = last.where(PriceList.state == wanted).group_by(PriceList.key).subquery("last")
        query = query.join(of, (of.c.key == PriceList.key) & (of.c.version == PriceList.version))
    return await paginate(
        session,
        query,
        [PriceList.key.expression, PriceList.version.expression],
        page,
        lambda row: list_view(row[0]),
    )


async def find_price_list(session: AsyncSession, ref: str) -> PriceList:
    row = await session.get(PriceList, version_of(ref))
    if row is None:
        raise NotFound(f"no price list {ref}")
    return row


def shown_status() -> ColumnElement[str]:
    """As callers see it: what is past its last day has expired, unless it was refused before."""
    open_ = PriceQuote.status.in_(("in_review", "approved"))
    return case(
        (open_ & (PriceQuote.valid_until < clock.today()), "expired"), else_=PriceQuote.status.expression
    )


def status_of(quote: PriceQuote) -> QuoteStatus:
    """The same for one quote."""
    lasting = quote.status in {"in_review", "approved"}
    if lasting and quote.valid_until is not None and quote.valid_until < clock.today():
        return "expired"
    return quote.status


async def find_quote(session: AsyncSession, quote_id: UUID) -> PriceQuote:
    quote = await session.get(PriceQuote, quote_id)
    if quote is None:
        raise NotFound(f"no quote {quote_id}")
    return quote


def quote_view(quote: PriceQuote) -> QuoteView:
    status = status_of(quote)
    own = QuoteView.model_fields.keys() - PriceSimulation.model_fields.keys() - {"status", "verbs"}
    return QuoteView.model_validate(
        {
            **quote.figures,
            **{name: getattr(quote, name) for name in own},
            "status": status,
            "verbs": list(VERBS[status]),
        }
    )


async def list_quotes(
    session: AsyncSession, page: PageRequest, customer_id: UUID | None, status: QuoteStatus | None
) -> Page[QuoteSummary]:
    query = select(PriceQuote)
    if customer_id is not None:
        query = query.where(of_family(PriceQuote.customer_id.expression, customer_id))
    if status is not None:
        query = query.where(shown_status() == status)
    return await paginate(
        session,
        query,
        [PriceQuote.id.expression],
        page,
        lambda row: _summary(row[0]),
        descending=True,
    )


def _summary(quote: PriceQuote) -> QuoteSummary:
    named = QuoteSummary.model_fields.keys() - {"price_list", "status"}
    return QuoteSummary.model_validate(
        {
            **{name: getattr(quote, name) for name in named},
            "price_list": f"{quote.price_list}@{quote.price_list_version}",
            "status": status_of(quote),
        }
    )


async def measured_contribution(
    session: AsyncSession, customer_id: UUID, prices: PriceListWrite, quote_id: UUID | None
) -> MeasuredContribution | None:
    """Of the customer's whole family; `quote_id` is the quote it is asked for, whose own share is not taken.

    Only what was measured in the currency of the list counts: nothing is converted here.
    """
    if prices.value_model is None:
        return None
    family = of_family(KnownContribution.customer_id.expression, customer_id)
    now = clock.today().replace(day=1)
    told = (
        await session.execute(
            select(
                func.count(KnownContribution.month.distinct()).label("months"),
                func.max(KnownContribution.month).label("through"),
                func.coalesce(func.sum(KnownContribution.contribution), _NOTHING).label("contribution"),
            ).where(
                family,
                KnownContribution.model == prices.value_model,
                KnownContribution.currency == prices.currency,
                KnownContribution.contribution.is_not(None),
                KnownContribution.month >= first_month(),
                KnownContribution.month < now,
            )
        )
    ).one()
    others = select(func.coalesce(func.sum(PriceQuote.given_away), _NOTHING)).where(
        of_family(PriceQuote.customer_id.expression, customer_id),
        PriceQuote.currency == prices.currency,
        shown_status().in_(("in_review", "approved")),
    )
    committed = await session.scalar(others if quote_id is None else others.where(PriceQuote.id != quote_id))
    return MeasuredContribution(
        months=told.months,
        through=told.through,
        contribution=told.contribution or _NOTHING,
        committed=committed or _NOTHING,
    )


def first_month() -> date:
    """The first of the twelve full months before this one."""
    now = clock.today().replace(day=1)
    return date(now.year - 1, now.month, 1)
