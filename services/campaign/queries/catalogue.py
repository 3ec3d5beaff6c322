"""Reads of offers, scripts and materials."""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Material, Offer, Script
from shared.contracts.base import Page, Schema
from shared.contracts.campaign import OfferView
from shared.contracts.campaign.materials import MaterialView
from shared.contracts.campaign.scripts import ScriptView, WordingState
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

Wording = Script | Material
V = TypeVar("V", bound=Schema)
R = TypeVar("R", ScriptView, MaterialView)


def offer_view(offer: Offer) -> OfferView:
    return OfferView.model_validate({name: getattr(offer, name) for name in OfferView.model_fields})


async def list_offers(session: AsyncSession, page: PageRequest) -> Page[OfferView]:
    return await paginate(
        session, select(Offer), [Offer.key.expression], page, lambda row: offer_view(row[0])
    )


async def get_offer(session: AsyncSession, key: str) -> OfferView:
    offer = await session.get(Offer, key)
    if offer is None:
        raise NotFound(f"no offer {key}")
    return offer_view(offer)


async def offers_by_key(session: AsyncSession, keys: Collection[str]) -> dict[str, OfferView]:
    offers = await session.scalars(select(Offer).where(Offer.key.in_(keys)))
    return {offer.key: offer_view(offer) for offer in offers}


def _view(model: type[V], row: Wording) -> V:
    stored = {name: getattr(row, name) for name in model.model_fields if name != "ref"}
    return model.model_validate({**stored, "ref": f"{row.key}@{row.version}"})


def script_view(script: Script) -> ScriptView:
    return _view(ScriptView, script)


def material_view(material: Material) -> MaterialView:
    return _view(MaterialView, material)


async def list_scripts(
    session: AsyncSession, page: PageRequest, key: str | None, state: WordingState | None
) -> Page[ScriptView]:
    return await paginate(
        session,
        _narrowed(select(Script), Script, key, state),
        [Script.key.expression, Script.version.expression],
        page,
        lambda row: script_view(row[0]),
    )


async def list_materials(
    session: AsyncSession, page: PageRequest, key: str | None, state: WordingState | None
) -> Page[MaterialView]:
    return await paginate(
        session,
        _narrowed(select(Material), Material, key, state),
        [Material.key.expression, Material.version.expression],
        page,
        lambda row: material_view(row[0]),
    )


def _narrowed(
    query: Select[Any], table: type[Wording], key: str | None, state: WordingState | None
) -> Select[Any]:
    if key is not None:
        query = query.where(table.key == key)
    return query if state is None else query.where(table.state == state)


async def get_script(session: AsyncSession, ref: str) -> ScriptView:
    found = await scripts_by_ref(session, [ref])
    if ref not in found:
        raise NotFound(f"no script {ref}")
    return found[ref]


async def get_material(session: AsyncSession, ref: str) -> MaterialView:
    found = await materials_by_ref(session, [ref])
    if ref not in found:
        raise NotFound(f"no material {ref}")
    return found[ref]


async def scripts_by_ref(session: AsyncSession, refs: Collection[str]) -> dict[str, ScriptView]:
    scripts = await session.scalars(
        select(Script).where(tuple_(Script.key, Script.version).in_(map(version_of, refs)))
    )
    return _by_ref(script_view(script) for script in scripts)


async def materials_by_ref(session: AsyncSession, refs: Collection[str]) -> dict[str, MaterialView]:
    materials = await session.scalars(
        select(Material).where(tuple_(Material.key, Material.version).in_(map(version_of, refs)))
    )
    return _by_ref(material_view(material) for material in materials)


def version_of(ref: str) -> tuple[str, int]:
    key, _, version = ref.partition("@")
    return key, int(version)


def _by_ref(views: Iterable[R]) -> dict[str, R]:
    return {view.ref: view for view in views}
