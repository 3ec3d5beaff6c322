"""What a price list would change, before it is written and before it is approved."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.price_changes import changes
from services.campaign.domain.pricing import price_quote
from services.campaign.models import PriceList
from services.campaign.queries.prices import content_of, find_price_list, list_in_force, newest_list
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
    """As the next version of the key, against the list in force."""
    last = await newest_list(session, request.key)
    in_force = await list_in_force(session, request.key)
    return _preview(f"{request.key}@{last.version + 1 if last else 1}", request, in_force)


async def preview_written(session: AsyncSession, ref: str) -> PriceListPreview:
    """Of a version, against the one that was in force before it."""
    row = await find_price_list(session, ref)
    approved = (PriceList.state == "approved", PriceList.version < row.version)
    return _preview(ref, content_of(row), await newest_list(session, row.key, *approved))


def _preview(ref: str, prices: PriceListWrite, base: PriceList | None) -> PriceListPreview:
    """Each product priced for itself, beside its price in `base`."""
    content = content_of(base) if base else None
    before = {each.product: each for each in content.products} if content else {}
    sold = {each.product for each in prices.products}
    return PriceListPreview(
        ref=ref,
        base=f"{base.key}@{base.version}" if base else None,
        products=[_previewed(prices, each, before.get(each.product)) for each in prices.products],
        dropped=sorted(before.keys() - sold),
        changes=changes(content, prices),
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
