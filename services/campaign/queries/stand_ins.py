"""Whose work a contact is, while managers are away."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Text, case, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY

from services.campaign.domain.absences import StandIn
from services.campaign.models import Customer

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


def _absent(away: Mapping[str, StandIn], name: str) -> FromClause:
    """Rows of manager, org and substitute."""
    lists: tuple[list[str | None], ...] = (
        list(away),
        [each.org for each in away.values()],
        [each.substitute for each in away.values()],
    )
    rows = func.unnest(*(literal(each, ARRAY(Text)) for each in lists))
    columns = (column(each, Text) for each in ("manager", "org", "substitute"))
    return rows.table_valued(*columns, name=name).render_derived(name=name)
