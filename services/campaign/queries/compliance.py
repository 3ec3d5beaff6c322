"""Reads of compliance lists, and of what approved texts say against them."""

import asyncio
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.compliance import Wording, check
from services.campaign.domain.wording import material_wording, script_wording
from services.campaign.models import ComplianceList, Material, Script
from services.campaign.queries.catalogue import list_materials, list_scripts, material_view, script_view
from shared.contracts.base import Page
from shared.contracts.campaign import ScriptView
from shared.contracts.campaign.compliance import (
    ComplianceHit,
    ComplianceListView,
    Finding,
    WordingKind,
)
from shared.contracts.campaign.materials import MaterialView
from shared.pagination import PageRequest, paginate


def list_view(row: ComplianceList) -> ComplianceListView:
    return ComplianceListView.model_validate(
        {name: getattr(row, name) for name in ComplianceListView.model_fields}
    )


async def list_lists(session: AsyncSession, page: PageRequest) -> Page[ComplianceListView]:
    return await paginate(
        session,
        select(ComplianceList),
        [ComplianceList.key.expression, ComplianceList.version.expression],
        page,
        lambda row: list_view(row[0]),
    )


async def lists_in_force(session: AsyncSession, day: date) -> list[ComplianceListView]:
    """Of every list the newest version whose day has come."""
    rows = await session.scalars(
        select(ComplianceList)
        .ext(distinct_on(ComplianceList.key))
        .where(ComplianceList.valid_from <= day)
        .order_by(ComplianceList.key, ComplianceList.version.desc())
    )
    return [list_view(row) for row in rows]


async def hits_in(wording: Wording, lists: Sequence[ComplianceListView]) -> list[ComplianceHit]:
    """Beside the event loop: long lists over long texts take their time."""
    return await asyncio.to_thread(check, wording, lists)


async def list_findings(
    session: AsyncSession, page: PageRequest, kind: WordingKind, day: date
) -> Page[Finding]:
    """Of one page of approved versions, those that say what is refused or warned of."""
    lists = await lists_in_force(session, day)
    if kind == "script":
        scripts = await list_scripts(session, page, None, "approved")
        return Page(items=await _findings(scripts.items, lists), next_cursor=scripts.next_cursor)
    materials = await list_materials(session, page, None, "approved")
    return Page(items=await _findings(materials.items, lists), next_cursor=materials.next_cursor)


async def affected_by(session: AsyncSession, changed: ComplianceListView) -> list[Finding]:
    """All approved versions that say one of the list's words."""
    scripts = await session.scalars(
        select(Script).where(Script.state == "approved").order_by(Script.key, Script.version)
    )
    materials = await session.scalars(
        select(Material).where(Material.state == "approved").order_by(Material.key, Material.version)
    )
    return await _findings([*map(script_view, scripts), *map(material_view, materials)], [changed])


async def _findings(
    versions: Sequence[ScriptView | MaterialView], lists: Sequence[ComplianceListView]
) -> list[Finding]:
    return await asyncio.to_thread(lambda: [each for one in versions if (each := _finding(one, lists))])


def _finding(version: ScriptView | MaterialView, lists: Sequence[ComplianceListView]) -> Finding | None:
    kind: WordingKind
    if isinstance(version, ScriptView):
        kind, wording = "script", script_wording(version)
    else:
        kind, wording = "material", material_wording(version)
    hits = check(wording, lists)
    if not hits:
        return None
    return Finding(
        kind=kind,
        ref=version.ref,
        name=version.name,
        refused=any(hit.severity == "refuse" for hit in hits),
        hits=hits,
    )
