"""Reads of offers and scripts."""

from collections.abc import Collection

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Offer, Script
from shared.contracts.base import Page
from shared.contracts.campaign import OfferView, ScriptView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


def offer_view(offer: Offer) -> OfferView:
    return OfferView.model_validate({name: getattr(offer, name) for name in OfferView.model_fields})


def script_view(script: Script) -> ScriptView:
    stored = {name: getattr(script, name) for name in ScriptView.model_fields if name != "ref"}
    return ScriptView.model_validate({**stored, "ref": f"{script.key}@{script.version}"})


async def list_offers(session: AsyncSession, page: PageRequest) -> Page[OfferView]:
    return await paginate(
        session, select(Offer), [Offer.key.expression], page, lambda row: offer_view(row[0])
    )


async def list_scripts(session: AsyncSession, page: PageRequest, key: str | None) -> Page[ScriptView]:
    query = select(Script) if key is None else select(Script).where(Script.key == key)
    return await paginate(
        session,
        query,
        [Script.key.expression, Script.version.expression],
        page,
        lambda row: script_view(row[0]),
    )


async def get_offer(session: AsyncSession, key: str) -> OfferView:
    offer = await session.get(Offer, key)
    if offer is None:
        raise NotFound(f"no offer {key}")
    return offer_view(offer)


async def get_script(session: AsyncSession, ref: str) -> ScriptView:
    found = await scripts_by_ref(session, [ref])
    if ref not in found:
        raise NotFound(f"no script {ref}")
    return found[ref]


async def offers_by_key(session: AsyncSession, keys: Collection[str]) -> dict[str, OfferView]:
    offers = await session.scalars(select(Offer).where(Offer.key.in_(keys)))
    return {offer.key: offer_view(offer) for offer in offers}


async def scripts_by_ref(session: AsyncSession, refs: Collection[str]) -> dict[str, ScriptView]:
    versions = [(key, int(version)) for key, _, version in (ref.partition("@") for ref in refs)]
    scripts = await session.scalars(select(Script).where(tuple_(Script.key, Script.version).in_(versions)))
    return {f"{script.key}@{script.version}": script_view(script) for script in scripts}
