"""Reads of absences, and who stands in for whom."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.absences import Away, StandIn, stand_ins, state_of
from services.campaign.domain.tasks import OPEN
from services.campaign.models import Absence, AbsenceMove, Customer, Task
from services.campaign.queries.tasks import OVERSEERS, due_day
from shared import clock
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.absences import AbsenceView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


def _due() -> ColumnElement[int]:
    today = clock.today()
    return (
        select(func.count())
        .select_from(Task)
        .where(
            Task.manager == Absence.manager,
            Task.state.in_(OPEN - {"returned"}),
            due_day() <= Absence.ends_on,
            # Once away, what is overdue waits as well.
            or_(Absence.starts_on <= today, due_day() >= Absence.starts_on),
        )
        .correlate(Absence)
        .scalar_subquery()
    )


def _moved() -> ColumnElement[int]:
    return (
        select(func.count())
        .select_from(AbsenceMove)
        .join(Task, Task.id == AbsenceMove.task_id)
        .where(
            AbsenceMove.absence_id == Absence.id,
            Task.version == AbsenceMove.task_version,
            Task.state.in_(OPEN),
        )
        .correlate(Absence)
        .scalar_subquery()
    )


def _select() -> Any:
    return select(Absence, _due().label("due"), _moved().label("moved"))


async def list_absences(
    session: AsyncSession, principal: Principal, page: PageRequest, manager: str | None, *, to_come: bool
) -> Page[AbsenceView]:
    query = _select()
    if not principal.has(*OVERSEERS):
        query = query.where(_of(principal))
    if manager is not None:
        query = query.where(Absence.manager == manager)
    if to_come:
        query = query.where(Absence.cancelled_at.is_(None), Absence.ends_on >= clock.today())
    keys = [Absence.starts_on, Absence.id]
    return await paginate(session, query, keys, page, _view, descending=True)


def _of(principal: Principal) -> ColumnElement[bool]:
    """A manager sees their own and those they stand in for."""
    if principal.staff is None:
        return false()
    return or_(Absence.manager == principal.staff, Absence.substitute == principal.staff)


async def get_absence(session: AsyncSession, principal: Principal, absence_id: UUID) -> AbsenceView:
    query = _select().where(Absence.id == absence_id)
    if not principal.has(*OVERSEERS):
        query = query.where(_of(principal))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"no absence {absence_id}")
    return _view(row)


def _view(row: Row[Any]) -> AbsenceView:
    absence: Absence = row[0]
    over = absence.cancelled_at is not None
    stored = ("id", "manager", "starts_on", "ends_on", "substitute", "created_at", "created_by", "version")
    return AbsenceView.model_validate(
        {
            **{name: getattr(absence, name) for name in stored},
            "org": absence.org_path,
            "state": state_of(absence.starts_on, absence.ends_on, clock.today(), cancelled=over),
            "due": row.due,
            "moved": row.moved,
        }
    )


async def branch_of(session: AsyncSession, manager: str) -> str | None:
    """Where the manager holds most customers, of those the caller sees."""
    return await session.scalar(
        select(Customer.org_path)
        .where(or_(Customer.primary_manager == manager, Customer.backup_manager == manager))
        .group_by(Customer.org_path)
        .order_by(func.count().desc(), Customer.org_path)
        .limit(1)
    )


async def holds_customers(session: AsyncSession, org: str, manager: str) -> bool:
    """Whoever holds customers of the branch is one of its managers."""
    found = await session.scalar(
        select(Customer.id)
        .where(
            Customer.org_path == org,
            or_(Customer.primary_manager == manager, Customer.backup_manager == manager),
        )
        .limit(1)
    )
    return found is not None


async def overlapping(
    session: AsyncSession, manager: str, starts_on: date, ends_on: date, but: UUID | None
) -> bool:
    query = select(Absence.id).where(
        Absence.manager == manager,
        Absence.cancelled_at.is_(None),
        Absence.starts_on <= ends_on,
        Absence.ends_on >= starts_on,
    )
    if but is not None:
        query = query.where(Absence.id != but)
    return await session.scalar(query.limit(1)) is not None


async def away_from(session: AsyncSession, days: Collection[date], share: float) -> Mapping[str, StandIn]:
    """Who is away on more than `share` of `days`, and who stands in."""
    found = await session.execute(
        select(
            Absence.manager,
            Absence.org_path,
            Absence.starts_on,
            Absence.ends_on,
            Absence.substitute,
            Absence.id,
        ).where(Absence.cancelled_at.is_(None), Absence.starts_on <= max(days), Absence.ends_on >= min(days))
    )
    return stand_ins([Away(*row) for row in found], days, share)
