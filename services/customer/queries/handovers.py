"""Handovers and their customers as contracts."""

from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Handover, HandoverItem
from shared.contracts.base import Page
from shared.contracts.customer.handover import (
    HandoverDetail,
    HandoverItemView,
    HandoverState,
    HandoverView,
    ItemState,
)
from shared.contracts.customer.ownership import OwnersThen
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_PLAIN = (
    "id",
    "staff",
    "reason",
    "effective_on",
    "keep_in_branch",
    "plan",
    "state",
    "blocked",
    "customers",
    "done",
    "left",
    "job_id",
    "version",
    "created_by",
    "created_at",
    "started_at",
    "finished_at",
)


def handovers(staff: str | None, state: HandoverState | None) -> Select[Handover]:
    statement = select(Handover)
    if staff is not None:
        statement = statement.where(Handover.staff == staff)
    return statement if state is None else statement.where(Handover.state == state)


async def handover_detail(
    session: AsyncSession, handover_id: UUID, state: ItemState | None, page: PageRequest
) -> HandoverDetail:
    """404 when it is not visible."""
    row = await session.get(Handover, handover_id)
    if row is None:
        raise NotFound("There is no such handover in your organisation")
    statement = select(HandoverItem).where(HandoverItem.handover_id == handover_id)
    if state is not None:
        statement = statement.where(HandoverItem.state == state)
    items: Page[HandoverItemView] = await paginate(
        session, statement, [HandoverItem.customer_id], page, lambda found: _item(found[0])
    )
    return HandoverDetail.model_validate({**handover_view(row).model_dump(), "items": items})


def handover_view(row: Handover) -> HandoverView:
    values = {name: getattr(row, name) for name in _PLAIN}
    return HandoverView.model_validate({**values, "progress": progress_of(row)})


def progress_of(row: Handover) -> float:
    """Of what is going on; an end is an end."""
    match row.state:
        case "running":
            return (row.done + row.left) / max(row.customers, 1)
        case "undoing":
            return 1 - row.done / max(row.customers, 1)
        case "done" | "undone":
            return 1
        case _:
            return 0


def _item(row: HandoverItem) -> HandoverItemView:
    return HandoverItemView.model_validate(
        {
            "customer_id": row.customer_id,
            "state": row.state,
            "before": OwnersThen(
                org=row.before_org, primary_manager=row.before_primary, backup_manager=row.before_backup
            ),
            "after": OwnersThen(
                org=row.after_org, primary_manager=row.after_primary, backup_manager=row.after_backup
            ),
        }
    )
