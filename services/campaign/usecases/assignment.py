"""Tasks of a release: whose they are, and on which of their days they are due."""

from uuid import UUID

from sqlalchemy import CTE, Boolean, case, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.plan import Plan
from services.campaign.models import AbsenceMove, ManagerDay, Task
from services.campaign.queries.policy import Policy
from services.campaign.queries.stand_ins import MOVE_COLUMNS, moves_of
from services.campaign.queries.timetable import Timetable, day_of, room
from shared import clock
from shared.db import fetch

_TASK_COLUMNS = (
    "id",
    "campaign_id",
    "customer_id",
    "org_path",
    "manager",
    "arm",
    "state",
    "due_on",
    "planned_minutes",
    "beyond_capacity",
    "assigned_at",
)

_FORGET_DAYS = "DELETE FROM manager_day"
_COUNT_DAYS = """
INSERT INTO manager_day (manager, day, minutes)
SELECT manager, due_on, sum(planned_minutes) FROM task
WHERE state NOT IN ('done', 'expired') AND due_on >= %(today)s AND planned_minutes > 0
GROUP BY manager, due_on
"""


async def count_days_anew(session: AsyncSession) -> None:
    """What is planned for each manager's days; what was done, closed or moved meanwhile makes room again.
    The caller holds off other releases.
    """
    await fetch(session, _FORGET_DAYS)
    await fetch(session, _COUNT_DAYS, {"today": clock.today()})


def open_tasks(decided: CTE, campaign_id: UUID, plan: Plan, policy: Policy, by: Timetable) -> list[CTE]:
    """Inserts of the tasks of `decided` ledger lines and of what they add to their managers' days.

    A manager's contacts are due in the order of their customers' ids, as many on each of the manager's days
    as it has room for. What no day has room for is due on the last of them, and says so. A manager who is
    away has nobody who stands in: the task is the branch head's to give.
    """
    work = (
        select(
            decided,
            func.row_number()
            .over(partition_by=decided.c.manager, order_by=decided.c.customer_id)
            .label("number"),
        )
        .where(decided.c.state == "assigned", decided.c.arm.in_(plan.task_arms))
        .cte("work")
    )
    managers = select(work.c.manager).distinct().subquery("managers")
    has = room(managers, ManagerDay.__table__, by)
    returned = work.c.manager.in_(list(policy.stand_ins)) if policy.stand_ins else literal(value=False)
    day = day_of(work.c.number, has)
    opened = (
        insert(Task)
        .from_select(
            _TASK_COLUMNS,
            select(
                work.c.id,
                literal(campaign_id),
                work.c.customer_id,
                work.c.org_path,
                work.c.manager,
                work.c.arm,
                case((returned, "returned"), else_="assigned"),
                func.coalesce(day, has.c.last_there, plan.schedule.end),
                case(dict(by.minutes), value=work.c.arm),
                (day.is_(None) & ~returned).cast(Boolean),
                literal(policy.as_of),
            ).outerjoin(has, has.c.manager == work.c.manager),
        )
        .returning(Task.id, Task.customer_id, Task.manager, Task.version, Task.due_on, Task.planned_minutes)
        .cte("opened")
    )
    moves = [_stood_in(opened, policy)] if policy.stand_ins else []
    return [opened, _add_to_days(opened), *moves]


def _stood_in(opened: CTE, policy: Policy) -> CTE:
    rows = moves_of(opened, policy.stand_ins, policy.as_of, use_backup=policy.use_backup)
    return insert(AbsenceMove).from_select(MOVE_COLUMNS, rows).cte("stood_in")


def _add_to_days(opened: CTE) -> CTE:
    minutes = func.sum(opened.c.planned_minutes)
    added = insert(ManagerDay).from_select(
        ["manager", "day", "minutes"],
        select(opened.c.manager, opened.c.due_on, minutes).group_by(opened.c.manager, opened.c.due_on),
    )
    total = ManagerDay.minutes + added.excluded.minutes
    return added.on_conflict_do_update(index_elements=["manager", "day"], set_={"minutes": total}).cte(
        "counted"
    )
