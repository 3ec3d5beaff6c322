"""Scripts and materials: each is written once, and decided on by somebody else than its author."""

from collections.abc import Sequence
from typing import Literal, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.compliance import Wording, refusals, too_short
from services.campaign.domain.materials import fingerprint
from services.campaign.domain.wording import (
    material_faults,
    material_wording,
    require_decidable,
    script_faults,
    script_wording,
)
from services.campaign.models import ComplianceList, Material, Script
from services.campaign.queries.catalogue import material_view, script_view, version_of
from services.campaign.queries.compliance import affected_by, hits_in, list_view, lists_in_force
from services.campaign.usecases.versions import next_version
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import ScriptView, ScriptWrite
from shared.contracts.campaign.compliance import ComplianceListChange, ComplianceListWrite
from shared.contracts.campaign.materials import MaterialView, MaterialWrite
from shared.errors import FieldError, NotFound, Unprocessable

Verb = Literal["approve", "reject", "retire"]
W = TypeVar("W", Script, Material)


async def create_script(session: AsyncSession, principal: Principal, request: ScriptWrite) -> ScriptView:
    require_sound(script_faults(request))
    await _require_sayable(session, script_wording(request))
    script = Script(
        version=await next_version(session, Script, request.key),
        personalised=True,
        state="in_review",
        **request.model_dump(include={"key", "minutes", "products"}),
        **request.model_dump(mode="json", include={"name", "steps"}),
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(script)
    await session.flush()
    audit(session, principal, "create_script", f"script/{script.key}@{script.version}")
    return script_view(script)


async def create_material(
    session: AsyncSession, principal: Principal, request: MaterialWrite
) -> MaterialView:
    require_sound(material_faults(request))
    await _require_sayable(session, material_wording(request))
    sha256, size = fingerprint(request)
    material = Material(
        version=await next_version(session, Material, request.key),
        state="in_review",
        **request.model_dump(mode="json"),
        sha256=sha256,
        size=size,
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(material)
    await session.flush()
    audit(session, principal, "create_material", f"material/{material.key}@{material.version}")
    return material_view(material)


async def decide_script(
    session: AsyncSession, principal: Principal, ref: str, verb: Verb, comment: str | None
) -> ScriptView:
    script = await _decided(session, principal, Script, ref, verb, comment)
    if verb == "approve":
        await _require_sayable(session, script_wording(script_view(script)))
    audit(session, principal, f"{verb}_script", f"script/{ref}", {"comment": comment})
    return script_view(script)


async def decide_material(
    session: AsyncSession, principal: Principal, ref: str, verb: Verb, comment: str | None
) -> MaterialView:
    material = await _decided(session, principal, Material, ref, verb, comment)
    if verb == "approve":
        await _require_sayable(session, material_wording(material_view(material)))
    audit(session, principal, f"{verb}_material", f"material/{ref}", {"comment": comment})
    return material_view(material)


async def create_compliance_list(
    session: AsyncSession, principal: Principal, request: ComplianceListWrite
) -> ComplianceListChange:
    """The list's next version, checked against all that is approved."""
    require_sound(too_short(request.words))
    created = ComplianceList(
        version=await next_version(session, ComplianceList, request.key),
        **request.model_dump(include={"key", "channels", "products", "valid_from"}),
        **request.model_dump(mode="json", include={"name", "words"}),
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(created)
    await session.flush()
    view = list_view(created)
    affected = await affected_by(session, view)
    audit(
        session,
        principal,
        "create_compliance_list",
        f"compliance_list/{view.key}@{view.version}",
        {"affected": len(affected)},
    )
    return ComplianceListChange(**view.model_dump(), affected=affected)


def require_sound(faults: Sequence[FieldError]) -> None:
    if faults:
        raise Unprocessable("the text cannot be used as it stands", errors=faults, slug="text-refused")


async def _require_sayable(session: AsyncSession, wording: Wording) -> None:
    """What the lists in force refuse today is not taken."""
    errors = refusals(await hits_in(wording, await lists_in_force(session, clock.today())))
    if errors:
        raise Unprocessable("words of the compliance lists", errors=errors, slug="compliance-refused")


async def _decided(
    session: AsyncSession, principal: Principal, table: type[W], ref: str, verb: Verb, comment: str | None
) -> W:
    key, number = version_of(ref)
    version = await session.scalar(
        select(table).where(table.key == key, table.version == number).with_for_update()
    )
    if version is None:
        raise NotFound(f"no {table.__tablename__} {ref}")
    version.state = require_decidable(version.state, verb, author=version.created_by, checker=principal.id)
    version.comment = comment
    if verb == "retire":
        version.retired_at, version.retired_by = clock.now(), principal.id
    else:
        version.decided_at, version.decided_by = clock.now(), principal.id
    await session.flush()
    return version
