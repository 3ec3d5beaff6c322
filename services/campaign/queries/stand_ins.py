"""Whose work a contact is, while managers are away."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    Uuid,
    case,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.campaign.domain.absences import StandIn
from services.campaign.models import Absence, Customer

Joins = list[tuple[FromClause, ColumnElement[bool]]]


def manager_there(
    away: Mapping[str, StandIn], *, use_backup: bool
) -> tuple[ColumnElement[str | None], Joins]:
    """The first of a customer's managers who is there, or stands in for one who is not; with what has to be
    joined to read it. When nobody is, the first of them: somebody has to be asked.
    """
    columns: list[Any] = [Customer.primary_manager, *([Customer.backup_manager] if use_backup else [])]
    if not away:
        return func.coalesce(*columns), []
    joins: Joins = []
    there: list[Any] = []
    for place, manager in enumerate(columns):
        absent = _absent(away, f"away_{place}")
        joins.append((absent, absent.c.manager == manager))
        stands_in = case((absent.c.org == Customer.org_path, absent.c.substitute))
        there.append(case((absent.c.manager.is_(None), manager), else_=stands_in))
    return func.coalesce(*there, *columns), joins


MOVE_COLUMNS = (
    "absence_id",
    "task_id",
    "moved_from",
    "moved_to",
    "owned",
    "task_state",
    "task_version",
    "moved_at",
)


def moves_of(
    opened: FromClause, away: Mapping[str, StandIn], at: datetime, *, use_backup: bool
) -> Select[Any]:
    """Rows of `MOVE_COLUMNS` for those of the tasks `opened` (id, customer_id, manager, version) that are not
    whose they would be, were that manager there: with the absence they go back, as if moved for it.
    """
    first, _ = manager_there({}, use_backup=use_backup)
    absent = _absent(away, "handed_over")
    return (
        select(
            absent.c.absence,
            opened.c.id,
            absent.c.manager,
            case((opened.c.manager != absent.c.manager, opened.c.manager)),
            literal(value=True),
            literal("assigned"),
            opened.c.version,
            literal(at),
        )
        .select_from(opened)
        .join(Customer, Customer.id == opened.c.customer_id)
        .join(absent, absent.c.manager == first)
        .join(Absence, Absence.id == absent.c.absence)
        .where(Absence.ended_at.is_(None), Absence.cancelled_at.is_(None))
    )


def _absent(away: Mapping[str, StandIn], name: str) -> FromClause:
    """Rows of manager, org, substitute and absence."""
    lists: tuple[list[str | None], ...] = (
        list(away),
        [each.org for each in away.values()],
        [each.substitute for each in away.values()],
    )
    absences = literal([each.absence for each in away.values()], ARRAY(Uuid))
    rows = func.unnest(*(literal(each, ARRAY(Text)) for each in lists), absences)
    columns = (column(each, Text) for each in ("manager", "org", "substitute"))
    return rows.table_valued(*columns, column("absence", Uuid), name=name).render_derived(name=name)
