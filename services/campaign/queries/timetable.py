"""On which of their days managers have room for contacts, as SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    FromClause,
    Numeric,
    Select,
    Subquery,
    Text,
    case,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan
from services.campaign.domain.tasks import OPEN
from services.campaign.models import Absence, ManagerCapacity, Task
from services.campaign.queries.catalogue import scripts_by_ref
from services.campaign.settings import CampaignSettings


@dataclass(frozen=True)
class Timetable:
    """What contacts are planned by: the days that are worked, and the minutes of a contact by each arm that
    managers carry out. Contacts count for as long as the longest of them, so that no day is ever too full.
    """

    days: Sequence[date]
    minutes: Mapping[str, Decimal]
    minutes_per_day: int
    """Of managers without a capacity of their own."""

    @property
    def longest(self) -> Decimal:
        return max(self.minutes.values())


async def timetable_of(
    session: AsyncSession, settings: CampaignSettings, plan: Plan, days: Sequence[date]
) -> Timetable:
    """Of a plan in which managers carry out at least one arm."""
    arms = {arm.key: arm.script for arm in plan.scheme.arms if arm.key in plan.task_arms}
    scripts = await scripts_by_ref(session, set(arms.values()))
    minutes = {key: Decimal(scripts[script].minutes) for key, script in arms.items()}
    return Timetable(days, minutes, settings.manager_minutes_per_day)


def room(managers: FromClause, planned: FromClause, by: Timetable) -> Subquery:
    """One row per row of `managers` (manager): `upto`, how many contacts fit until the end of each of `days`;
    `total`, how many fit at all; `last_there`, the last day on which they are there.

    `planned` has manager, day and minutes of what is planned already.
    """
    days = (
        func.unnest(literal(list(by.days), ARRAY(Date)))
        .table_valued(column("day", Date), name="days")
        .render_derived(name="days")
    )
    away = (
        select(Absence.id)
        .where(
            Absence.manager == managers.c.manager,
            Absence.cancelled_at.is_(None),
            Absence.starts_on <= days.c.day,
            Absence.ends_on >= days.c.day,
        )
        .exists()
    )
    minutes = func.coalesce(ManagerCapacity.minutes_per_day, by.minutes_per_day)
    free = minutes - func.coalesce(planned.c.minutes, 0)
    slots = func.greatest(func.floor(free / literal(by.longest, Numeric)), 0).cast(BigInteger)
    each = (
        select(
            managers.c.manager,
            days.c.day,
            (~away).label("there"),
            case((away, literal(0)), else_=slots).label("slots"),
        )
        .select_from(managers)
        .join(days, literal(value=True, type_=Boolean))
        .outerjoin(ManagerCapacity, ManagerCapacity.manager == managers.c.manager)
        .outerjoin(planned, (planned.c.manager == managers.c.manager) & (planned.c.day == days.c.day))
        .subquery("each_day")
    )
    upto = func.sum(each.c.slots).over(partition_by=each.c.manager, order_by=each.c.day).cast(BigInteger)
    running = select(each.c.manager, each.c.day, each.c.there, upto.label("upto")).subquery("running")
    return (
        select(
            running.c.manager,
            func.array_agg(aggregate_order_by(running.c.upto, running.c.day), type_=ARRAY(BigInteger)).label(
                "upto"
            ),
            func.array_agg(aggregate_order_by(running.c.day, running.c.day), type_=ARRAY(Date)).label("days"),
            func.max(running.c.upto).label("total"),
            func.max(running.c.day).filter(running.c.there).label("last_there"),
        )
        .group_by(running.c.manager)
        .subquery("room")
    )


def planned_now(managers: Sequence[str], days: Sequence[date]) -> Subquery:
    """Minutes of open tasks by manager and day."""
    return (
        select(Task.manager, Task.due_on.label("day"), func.sum(Task.planned_minutes).label("minutes"))
        .where(
            Task.manager.in_(managers),
            Task.due_on.in_(days),
            Task.state.in_(OPEN),
        )
        .group_by(Task.manager, Task.due_on)
        .subquery("planned")
    )


def day_of(number: ColumnElement[int], has: FromClause) -> ColumnElement[date | None]:
    """`domain.capacity.day_of` in SQL, over a row of `room`: the day for a manager's contact `number`, null
    when all are full.
    """
    full = func.width_bucket(number - 1, has.c.upto)
    day: ColumnElement[date | None] = has.c.days[full + 1]
    return day


async def beyond_capacity(session: AsyncSession, contacts: Mapping[str, int], by: Timetable) -> int:
    """How many of so many contacts of each manager no day has room for."""
    if not contacts:
        return 0
    wanted = func.unnest(
        literal(list(contacts), ARRAY(Text)), literal(list(contacts.values()), ARRAY(BigInteger))
    )
    managers = wanted.table_valued(
        column("manager", Text), column("contacts", BigInteger), name="wanted"
    ).render_derived(name="wanted")
    has = room(managers, planned_now(list(contacts), by.days), by)
    query: Select[Any] = select(
        func.sum(func.greatest(managers.c.contacts - has.c.total, 0)).cast(BigInteger)
    ).join(has, has.c.manager == managers.c.manager)
    found: int | None = await session.scalar(query)
    return found or 0
