"""Setting activity targets."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.activity import ACTIVITIES
from services.campaign.models import ActivityTarget
from services.campaign.usecases.opportunity_origins import require_manager_of
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.activity_targets import ActivityTargetPatch, ActivityTargetWrite
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version


async def set_target(
    session: AsyncSession, principal: Principal, request: ActivityTargetWrite
) -> ActivityTarget:
    if not principal.covers(request.org):
        raise Forbidden(f"{request.org} is not of your organisation")
    if request.manager is not None:
        await require_manager_of(session, request.org, request.manager, "/manager")
    taken = await session.scalar(
        select(ActivityTarget.id).where(
            ActivityTarget.org_path == request.org,
            ActivityTarget.manager.is_not_distinct_from(request.manager),
            ActivityTarget.period == request.period,
            ActivityTarget.valid_from == request.valid_from,
        )
    )
    if taken is not None:
        raise Conflict(f"target {taken} begins on that day", slug="target-exists")
    target = ActivityTarget(
        id=new_id(),
        org_path=request.org,
        manager=request.manager,
        period=request.period,
        valid_from=request.valid_from,
        **{name: getattr(request, name) for name in ACTIVITIES},
        changed_at=clock.now(),
        changed_by=principal.id,
        version=1,
    )
    session.add(target)
    await _save(session, principal, target, "set_activity_target")
    return target


async def change_target(
    session: AsyncSession, principal: Principal, target_id: UUID, version: int, patch: ActivityTargetPatch
) -> ActivityTarget:
    target = await session.scalar(
        select(ActivityTarget).where(ActivityTarget.id == target_id).with_for_update()
    )
    if target is None:
        raise NotFound(f"no activity target {target_id}")
    check_version(target.version, version)
    for name, value in patch.model_dump(exclude_unset=True).items():
        setattr(target, name, value)
    if all(getattr(target, name) is None for name in ACTIVITIES):
        raise Unprocessable("a target wants something", errors=[FieldError("/calls", "is required")])
    target.version += 1
    target.changed_at, target.changed_by = clock.now(), principal.id
    await _save(session, principal, target, "change_activity_target")
    return target


async def _save(session: AsyncSession, principal: Principal, target: ActivityTarget, action: str) -> None:
    await session.flush()
    detail: dict[str, object] = {
        "manager": target.manager,
        "period": target.period,
        "valid_from": target.valid_from.isoformat(),
        **{name: getattr(target, name) for name in ACTIVITIES},
    }
    audit(session, principal, action, f"activity_target/{target.id}", detail, org_path=target.org_path)
