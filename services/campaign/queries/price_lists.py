"""What a price list would say, before it is written."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.pricing import price_quote
from services.campaign.queries.prices import content_of, newest_list
from shared.contracts.campaign.price_lists import (
    PreviewedTerms,
    PriceKind,
    PriceListPreview,
    PriceListWrite,
    PriceTerms,
)
from shared.contracts.campaign.quotes import QuoteLineWrite

_MONTHS = 12
_VOLUME: Mapping[PriceKind, Decimal] = {
    "loan": Decimal(1_000_000),
    "deposit": Decimal(1_000_000),
    "fee": Decimal(100),
}
"""Volumes a preview prices: a balance, or units a month."""


async def preview_list(session: AsyncSession, request: PriceListWrite) -> PriceListPreview:
    """Each product priced for itself, beside its price in the newest version of the key."""
    last = await newest_list(session, request.key)
    before = {each.product: each for each in content_of(last).products} if last else {}
    sold = {each.product for each in request.products}
    return PriceListPreview(
        ref=f"{request.key}@{last.version + 1 if last else 1}",
        products=[_previewed(request, each, before.get(each.product)) for each in request.products],
        dropped=sorted(before.keys() - sold),
    )


def _previewed(prices: PriceListWrite, terms: PriceTerms, before: PriceTerms | None) -> PreviewedTerms:
    line = QuoteLineWrite(product=terms.product, volume=_VOLUME[terms.kind])
    priced = price_quote(prices, [line], None, _MONTHS, Decimal(0)).lines[0]
    return PreviewedTerms(
        product=terms.product,
        name=terms.name,
        kind=terms.kind,
        volume=line.volume,
        list_price=terms.list_price,
        before=before.list_price if before and before.kind == terms.kind else None,
        floor_price=priced.floor_price,
    )
