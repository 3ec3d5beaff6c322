"""Open opportunities, account plans and planned visits follow their customers to new owners, and go back when
the change is taken back. What is closed stays with whoever closed it, and with their branch.

Work of a manager who no longer looks after the customer goes to the primary manager, or else the backup;
without either it stays with them, in the customer's branch, whose head assigns it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import HandoverCompleted
from shared.db import fetch

_SYSTEM = Principal(id="system:ownership", roles=frozenset(), org="hq")
_COLUMNS = ("customer", "before_org", "before_primary", "before_backup", "org", "primary", "backup", "cause")

CHANGES: LiteralString = """
WITH change AS (
  SELECT * FROM unnest(
    %(customer)b::uuid[], %(before_org)b::text[], %(before_primary)b::text[], %(before_backup)b::text[],
    %(org)b::text[], %(primary)b::text[], %(backup)b::text[], %(cause)b::text[]
  ) AS c(customer_id, before_org, before_primary, before_backup, org, primary_manager, backup_manager, cause)
)
"""
"""By the columns that `columns_of` gives."""


def _move(table: LiteralString, holder: LiteralString, is_open: LiteralString) -> LiteralString:
    """Going back to whom it was taken from comes first: they may have stayed on as the other manager. A
    colleague to whom the branch head gave the work keeps it, unless the customer leaves the branch.
    """
    return f"""
{CHANGES}, weighed AS (
  SELECT w.id, w.{holder} AS holder, w.org_path, c.*, w.taken_from IN (c.primary_manager, c.backup_manager)
    AND ((c.cause = 'handover_undone' AND w.taken_because = 'handover')
      OR (c.cause = 'merge' AND w.taken_because = 'merge')) IS TRUE AS goes_back, w.taken_from
  FROM change c JOIN {table} w ON w.customer_id = c.customer_id WHERE {is_open}
), decided AS (
  SELECT id, org, cause, goes_back, CASE
    WHEN goes_back THEN taken_from
    WHEN holder IN (primary_manager, backup_manager) THEN holder
    WHEN org = before_org AND org = org_path
      AND holder NOT IN (coalesce(before_primary, ''), coalesce(before_backup, '')) THEN holder
    ELSE coalesce(primary_manager, backup_manager, holder) END AS goes_to
  FROM weighed
), moved AS (
  UPDATE {table} w SET {holder} = d.goes_to, org_path = d.org, version = w.version + 1,
    taken_from = CASE WHEN d.goes_back THEN NULL WHEN d.goes_to <> w.{holder} THEN w.{holder}
      ELSE w.taken_from END,
    taken_because = CASE WHEN d.goes_back THEN NULL WHEN d.goes_to <> w.{holder} THEN d.cause
      ELSE w.taken_because END
  FROM decided d WHERE w.id = d.id AND (d.goes_to <> w.{holder} OR d.org <> w.org_path)
  RETURNING 1
)
SELECT count(*) FROM moved
"""  # noqa: S608 - constants


_MOVES: Mapping[str, LiteralString] = {
    "opportunities": _move("opportunity", "manager", "w.status = 'open'"),
    "visits": _move("visit", "manager", "w.state = 'planned'"),
    "plans": _move("account_plan", "owner", "w.status <> 'closed'"),
}
_OPEN: LiteralString = """
  SELECT customer_id, manager AS holder, taken_from, taken_because FROM opportunity WHERE status = 'open'
  UNION SELECT customer_id, manager, taken_from, taken_because FROM visit WHERE state = 'planned'
  UNION SELECT customer_id, owner, taken_from, taken_because FROM account_plan WHERE status <> 'closed'
"""
_LEFT_OVER: LiteralString = f"""
SELECT w.customer_id, c.org_path, nullif(c.primary_manager, %(staff)s), nullif(c.backup_manager, %(staff)s)
FROM ({_OPEN}) AS w JOIN known_customer c ON c.id = w.customer_id
WHERE w.holder = %(staff)s GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants
_TAKEN: LiteralString = f"""
SELECT w.customer_id, c.org_path, w.holder FROM ({_OPEN}) AS w JOIN known_customer c ON c.id = w.customer_id
WHERE w.taken_from = %(staff)s AND w.taken_because = 'handover' GROUP BY 1, 2, 3
"""  # noqa: S608 - constants


async def follow_customers(session: AsyncSession, parameters: Mapping[str, Any], origin: str) -> None:
    """By the columns of what changed."""
    counts = {name: (await fetch(session, move, parameters))[0][0] for name, move in _MOVES.items()}
    if any(counts.values()):
        audit(session, _SYSTEM, "move_accounts", origin, counts)


async def complete_handover(session: AsyncSession, event: HandoverCompleted) -> None:
    """What remains with who left, because the customer was not theirs, and what went so when it is undone."""
    parameters = {"staff": event.staff}
    if event.undone:
        found = await fetch(session, _TAKEN, parameters)
        rows = [(id_, org, by, None, org, event.staff, by, "handover_undone") for id_, org, by in found]
    else:
        left = await fetch(session, _LEFT_OVER, parameters)
        rows = [(id_, org, event.staff, None, org, *owners, "handover") for id_, org, *owners in left]
    if rows:
        await follow_customers(session, columns_of(rows), f"handover/{event.handover_id}")


def columns_of(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows of customer; organisation, primary and backup before; the same now; cause."""
    return dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
