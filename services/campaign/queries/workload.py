"""What managers have to do, and how much they can."""

from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.tasks import OPEN
from services.campaign.models import Absence, ManagerCapacity, Task
from services.campaign.queries.tasks import OVERSEERS, due_day, staff_of
from services.campaign.settings import CampaignSettings
from shared import clock
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.workload import CapacityView, Workload
from shared.pagination import PageRequest, paginate


async def list_workload(
    session: AsyncSession, principal: Principal, settings: CampaignSettings, page: PageRequest
) -> Page[Workload]:
    """Everybody who has open tasks, in the order of their codes."""
    today, count = clock.today(), func.count()
    query = select(
        Task.manager,
        func.min(Task.org_path).label("org"),
        count.label("open"),
        count.filter(due_day() == today).label("due_today"),
        count.filter(due_day() < today).label("overdue"),
        count.filter(Task.escalated_at.is_not(None)).label("escalated"),
        count.filter(Task.beyond_capacity).label("beyond_capacity"),
    ).where(Task.state.in_(OPEN))
    if not principal.has(*OVERSEERS):
        query = query.where(Task.manager == staff_of(principal))
    counted = query.group_by(Task.manager).subquery("counted")
    away = (
        select(Absence.id)
        .where(
            Absence.manager == counted.c.manager,
            Absence.cancelled_at.is_(None),
            Absence.starts_on <= today,
            Absence.ends_on >= today,
        )
        .exists()
    )
    minutes = func.coalesce(ManagerCapacity.minutes_per_day, settings.manager_minutes_per_day)
    shown = select(*counted.c, minutes.label("minutes_per_day"), away.label("away")).outerjoin(
        ManagerCapacity, ManagerCapacity.manager == counted.c.manager
    )
    return await paginate(session, shown, [counted.c.manager], page, _workload)


def _workload(row: Row[Any]) -> Workload:
    return Workload.model_validate({name: getattr(row, name) for name in Workload.model_fields})


async def get_capacity(session: AsyncSession, settings: CampaignSettings, manager: str) -> CapacityView:
    row = await session.get(ManagerCapacity, manager)
    return CapacityView(
        manager=manager,
        minutes_per_day=row.minutes_per_day if row else settings.manager_minutes_per_day,
        own=row is not None,
        changed_at=row.changed_at if row else None,
        changed_by=row.changed_by if row else None,
        version=row.version if row else 0,
    )
