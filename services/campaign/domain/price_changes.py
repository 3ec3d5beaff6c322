"""What one price list changes against another, term by term."""

from collections.abc import Mapping
from decimal import Decimal

from shared.contracts.base import Schema
from shared.contracts.campaign.price_lists import PriceChange, PriceListWrite, PricePart

_Parts = Mapping[tuple[PricePart, str], Schema]

_NO_TERMS = {"key", "product", "role", "products", "bundles", "prices", "authority"}
"""What names a part, or holds other parts."""


def changes(before: PriceListWrite | None, after: PriceListWrite) -> list[PriceChange]:
    """In the order of the new list; what is gone comes last."""
    old, new = _parts(before) if before else {}, _parts(after)
    found: list[PriceChange] = []
    for at in dict.fromkeys([*new, *old]):
        lone = at not in old or at not in new
        was, is_ = (_terms(parts.get(at), lone=lone) for parts in (old, new))
        found += [
            PriceChange(part=at[0], key=at[1], term=term, before=was.get(term), after=is_.get(term))
            for term in dict.fromkeys([*is_, *was])
            if was.get(term) != is_.get(term)
        ]
    return found


def _parts(of: PriceListWrite) -> _Parts:
    parts: dict[tuple[PricePart, str], Schema] = {("list", ""): of}
    parts |= {("product", each.product): each for each in of.products}
    for bundle in of.bundles:
        parts["bundle", bundle.key] = bundle
        parts |= {("bundle_price", f"{bundle.key}/{each.product}"): each for each in bundle.prices}
    return parts | {("authority", each.role): each for each in of.authority}


def _terms(of: Schema | None, *, lone: bool) -> dict[str, str]:
    if of is None:
        return {}
    said = of.model_dump(exclude=_NO_TERMS, exclude_defaults=lone)
    return {term: _text(value) for term, value in said.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return " / ".join(value.values()) if isinstance(value, dict) else str(value)
