"""What a unit says: those below read it, only the unit itself and those above change it."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Insight, TargetProfile
from shared.auth import Principal
from shared.errors import Forbidden, NotFound

Owned = TypeVar("Owned", Insight, TargetProfile)
_NAMES: dict[type[Insight | TargetProfile], str] = {Insight: "insight", TargetProfile: "target profile"}


async def find_owned(session: AsyncSession, kind: type[Owned], id_: UUID) -> Owned:
    found = await session.get(kind, id_)
    if found is None:
        raise NotFound(f"There is no {_NAMES[kind]} {id_}.")
    return found


def may_change(principal: Principal, owned: Insight | TargetProfile) -> None:
    """Raises `Forbidden` for what was said above the caller."""
    if not principal.covers(owned.org_path):
        raise Forbidden(f"It belongs to {owned.org_path}: only there it can be changed.")


async def lock_owned(session: AsyncSession, principal: Principal, kind: type[Owned], id_: UUID) -> Owned:
    """Locked for a change."""
    found = await find_owned(session, kind, id_)
    may_change(principal, found)
    await session.refresh(found, with_for_update=True)
    return found
