"""How much one manager can do in a day."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import ManagerCapacity
from services.campaign.queries.absences import branch_of
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.errors import Conflict, NotFound
from shared.web import check_version


async def set_capacity(
    session: AsyncSession, principal: Principal, manager: str, version: int, minutes: int
) -> None:
    """From the next release on; what is planned stays."""
    org = await branch_of(session, manager)
    if org is None:
        raise NotFound(f"{manager} holds no customers of {principal.org}")
    # Whoever sets the first one holds the row, so that a second one sees it.
    await session.execute(
        insert(ManagerCapacity)
        .values(
            manager=manager,
            org_path=org,
            minutes_per_day=minutes,
            version=0,
            changed_at=clock.now(),
            changed_by=principal.id,
        )
        .on_conflict_do_nothing()
    )
    row = await session.get(ManagerCapacity, manager, with_for_update=True)
    if row is None:
        raise Conflict(f"another branch says what {manager} can do", slug="set-elsewhere")
    check_version(row.version, version)
    row.org_path, row.minutes_per_day = org, minutes
    row.changed_at, row.changed_by = clock.now(), principal.id
    row.version += 1
    await session.flush()
    audit(
        session, principal, "set_capacity", f"manager/{manager}", {"minutes_per_day": minutes}, org_path=org
    )
