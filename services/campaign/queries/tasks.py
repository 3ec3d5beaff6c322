"""Reads of managers' tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Row, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.tasks import OPEN
from services.campaign.models import Attempt, Campaign, CampaignArm, Contact, Customer, Task
from services.campaign.queries.arms import arm_of_contact
from services.campaign.queries.catalogue import get_offer
from services.campaign.queries.families import of_family
from shared import clock
from shared.auth import Principal, Role
from shared.contracts.base import Page
from shared.contracts.campaign import AttemptView, TaskDetail, TaskState, TaskView
from shared.errors import Forbidden, NotFound
from shared.pagination import PageRequest, paginate

OVERSEERS = (Role.branch_head, Role.strategist, Role.auditor)
"""They see the tasks of their organisation; a manager sees their own."""


@dataclass(frozen=True)
class TaskFilter:
    states: list[TaskState]
    campaign_id: UUID | None = None
    customer_id: UUID | None = None
    manager: str | None = None
    due_before: date | None = None
    overdue: bool = False
    escalated: bool = False
    beyond_capacity: bool = False


def due_day() -> ColumnElement[date]:
    """When a task is to be worked on: a call-back on the day that was promised."""
    promised = func.timezone(str(clock.ZONE), Task.next_at).cast(Date)
    return case((Task.next_at.is_not(None), promised), else_=Task.due_on.expression)


def select_tasks() -> Any:
    """Rows of task, its campaign's key and name, its arm, its contact's result, and the survivor."""
    return (
        select(
            Task,
            Campaign.key.label("campaign_key"),
            Campaign.content["name"].label("campaign_name"),
            Campaign.ends_on,
            CampaignArm.offer,
            CampaignArm.script,
            CampaignArm.materials,
            Contact.attempts,
            Contact.disposition,
            Contact.reason,
            Customer.merged_into.label("survivor"),
        )
        .join(Campaign, Campaign.id == Task.campaign_id)
        .join(Contact, Contact.id == Task.id)
        .join(CampaignArm, arm_of_contact())
        .outerjoin(Customer, Customer.id == Task.customer_id)
    )


async def list_tasks(
    session: AsyncSession, principal: Principal, page: PageRequest, wanted: TaskFilter
) -> Page[TaskView]:
    query = select_tasks()
    manager = whose(principal, wanted.manager)
    for column, value in (
        (Task.manager, manager),
        (Task.campaign_id, wanted.campaign_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.customer_id is not None:
        query = query.where(of_family(Task.customer_id.expression, wanted.customer_id))
    if wanted.states:
        query = query.where(Task.state.in_(wanted.states))
    if wanted.due_before is not None:
        query = query.where(Task.due_on < wanted.due_before)
    if wanted.overdue:
        query = query.where(Task.state.in_(OPEN), due_day() < clock.today())
    if wanted.escalated:
        query = query.where(Task.state.in_(OPEN), Task.escalated_at.is_not(None))
    if wanted.beyond_capacity:
        query = query.where(Task.state.in_(OPEN), Task.beyond_capacity)
    return await paginate(session, query, [Task.due_on, Task.id], page, _view)


def whose(principal: Principal, manager: str | None) -> str | None:
    """A manager sees their own; who oversees others sees those of one of them, or of all."""
    return manager if principal.has(*OVERSEERS) else staff_of(principal)


def staff_of(principal: Principal) -> str:
    if principal.staff is None:
        raise Forbidden("tasks belong to staff; this principal has no staff code")
    return principal.staff


async def get_task(session: AsyncSession, principal: Principal, task_id: UUID) -> TaskDetail:
    row = await _find(session, principal, task_id)
    attempts = await session.scalars(
        select(Attempt).where(Attempt.contact_id == task_id).order_by(Attempt.number)
    )
    return TaskDetail(
        **_view(row).model_dump(),
        offer_detail=await get_offer(session, row.offer),
        history=[
            AttemptView.model_validate({name: getattr(item, name) for name in AttemptView.model_fields})
            for item in attempts
        ],
    )


async def find_task(
    session: AsyncSession, principal: Principal, task_id: UUID
) -> tuple[TaskView, list[str], date]:
    """The task, the materials that go with it, and the last day of its campaign."""
    row = await _find(session, principal, task_id)
    return _view(row), row.materials, row.ends_on


async def task_view(session: AsyncSession, task_id: UUID) -> TaskView:
    return _view((await session.execute(select_tasks().where(Task.id == task_id))).one())


async def _find(session: AsyncSession, principal: Principal, task_id: UUID) -> Row[*tuple[Any, ...]]:
    row: Row[*tuple[Any, ...]] | None = (
        await session.execute(select_tasks().where(Task.id == task_id))
    ).one_or_none()
    if row is None or not (principal.has(*OVERSEERS) or row[0].manager == principal.staff):
        raise NotFound(f"no task {task_id}")
    return row


def _view(row: Row[*tuple[Any, ...]]) -> TaskView:
    return view_of(row, {})


def view_of(row: Row[*tuple[Any, ...]], changes: Mapping[str, object]) -> TaskView:
    """A row of `select_tasks`, as it is after `changes` were written."""
    task: Task = row[0]
    stored = {name: getattr(task, name) for name in TaskView.model_fields if name in Task.__table__.columns}
    joined = {
        name: getattr(row, name)
        for name in ("campaign_key", "campaign_name", "offer", "script", "attempts", "disposition", "reason")
    }
    return TaskView.model_validate(
        {
            **stored,
            **joined,
            "customer_id": row.survivor or task.customer_id,
            "org": task.org_path,
            **changes,
        }
    )
