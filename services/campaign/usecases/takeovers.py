"""Open tasks follow their customers to new owners, and go back when the change is taken back; opportunities,
account plans and visits go with them, and the referrals of somebody who left.

A task of a manager who no longer looks after the customer goes to the primary manager, or else the backup;
without either it is returned, for the branch head to give to somebody. Accepted and begun work starts anew
with the new manager, a call-back stays promised. Whose it was and why it moved stays on the task. With the
customer the open contact also changes its branch, in audience, ledger and task together, so that the books
of each branch balance; outside the organisations of its campaign it is withdrawn until the customer is back.

A colleague whom the branch head gave the task keeps it, unless the customer leaves the branch.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.usecases import account_takeovers, referral_takeovers
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.withdrawal import reopen_contacts, withdraw_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import HandoverCompleted, OwnershipChange, OwnershipChanged
from shared.db import fetch

_BY = "system:ownership"
_SYSTEM = Principal(id=_BY, roles=frozenset(), org="hq")

_CHANGES = f"""
{account_takeovers.CHANGES}, mine AS (
  SELECT t.id FROM change c JOIN task t ON t.customer_id = c.customer_id
  WHERE t.state NOT IN ('done', 'expired')
  UNION SELECT contact_id FROM withdrawal
), theirs AS (
  SELECT t.*, c.before_org, c.before_primary, c.before_backup, c.org, c.primary_manager, c.backup_manager,
    c.cause,
    w.reason AS withdrawn_for,
    EXISTS (SELECT 1 FROM unnest(k.orgs) AS covered(path)
            WHERE c.org = covered.path OR starts_with(c.org, covered.path || '.')) AS inside
  FROM mine JOIN task t ON t.id = mine.id JOIN change c ON c.customer_id = t.customer_id
  JOIN campaign k ON k.id = t.campaign_id LEFT JOIN withdrawal w ON w.contact_id = t.id
)
"""  # noqa: S608 - constants

_LEAVING = _CHANGES + "SELECT id FROM theirs WHERE NOT inside AND withdrawn_for IS NULL"  # noqa: S608
_BACK = _CHANGES + "SELECT id FROM theirs WHERE inside AND withdrawn_for = 'moved'"  # noqa: S608

# Where a withdrawn task stood is kept by its withdrawal, and comes back with it.
# Going back to whom it was taken from comes first: they may have stayed on as the other of the two managers.
# What had begun is begun again: the rules may refuse it by now.
_MOVE = f"""
{_CHANGES}, decided AS (
  SELECT id, org, cause, goes_back, CASE
    WHEN goes_back THEN taken_from
    WHEN manager IN (primary_manager, backup_manager) THEN manager
    WHEN org = before_org AND org = org_path
      AND manager NOT IN (coalesce(before_primary, ''), coalesce(before_backup, '')) THEN manager
    ELSE coalesce(primary_manager, backup_manager) END AS goes_to
  FROM (
    SELECT *, taken_from IN (primary_manager, backup_manager) AND (
        (cause = 'handover_undone' AND taken_because = 'handover')
        OR (cause = 'merge' AND taken_because = 'merge')) IS TRUE AS goes_back
    FROM theirs WHERE inside
  ) AS weighed
), moved AS (
  UPDATE task t SET
    manager = coalesce(d.goes_to, t.manager), org_path = d.org, version = t.version + 1,
    taken_from = CASE WHEN d.goes_back THEN NULL WHEN d.goes_to <> t.manager THEN t.manager
      ELSE t.taken_from END,
    taken_because = CASE WHEN d.goes_back THEN NULL WHEN d.goes_to <> t.manager THEN d.cause
      ELSE t.taken_because END,
    taken_at = CASE WHEN d.goes_back THEN NULL WHEN d.goes_to <> t.manager THEN %(at)s::timestamptz
      ELSE t.taken_at END,
    taken_state = CASE WHEN d.goes_back THEN NULL
      WHEN d.goes_to <> t.manager THEN nullif(t.state, 'expired') ELSE t.taken_state END,
    state = CASE
      WHEN t.state = 'expired' THEN t.state
      WHEN d.goes_to IS NULL THEN 'returned'
      WHEN d.goes_back AND t.taken_state IS NULL THEN t.state
      WHEN d.goes_back AND t.state = 'assigned'
        THEN CASE t.taken_state WHEN 'started' THEN 'accepted' ELSE t.taken_state END
      WHEN d.goes_to <> t.manager AND t.state IN ('accepted', 'started', 'returned') THEN 'assigned'
      ELSE t.state END
  FROM decided d
  WHERE t.id = d.id AND (d.goes_to IS DISTINCT FROM t.manager OR d.org <> t.org_path)
  RETURNING t.id, t.campaign_id, t.customer_id, t.manager, t.org_path
), lines AS (
  UPDATE contact c SET manager = m.manager, org_path = m.org_path, version = c.version + 1
  FROM moved m WHERE c.id = m.id
), members AS (
  UPDATE audience_member a SET org_path = m.org_path FROM moved m
  WHERE a.campaign_id = m.campaign_id AND a.customer_id = m.customer_id AND a.org_path <> m.org_path
)
SELECT count(*) FROM moved
"""  # noqa: S608 - constants

_LEFT_OVER = """
SELECT t.customer_id, c.org_path, nullif(c.primary_manager, %(staff)s), nullif(c.backup_manager, %(staff)s)
FROM task t JOIN known_customer c ON c.id = t.customer_id
WHERE t.manager = %(staff)s AND t.state NOT IN ('done', 'expired')
GROUP BY t.customer_id, c.org_path, c.primary_manager, c.backup_manager
"""

_TAKEN = """
SELECT t.customer_id, c.org_path, t.manager FROM task t JOIN known_customer c ON c.id = t.customer_id
WHERE t.taken_from = %(staff)s AND t.taken_because = 'handover' AND t.state NOT IN ('done', 'expired')
GROUP BY t.customer_id, c.org_path, t.manager
"""


async def follow_owners(session: AsyncSession, event: OwnershipChanged) -> None:
    """What the changes of one event mean for open tasks; several of one customer count as one."""
    folded: dict[UUID, tuple[OwnershipChange, OwnershipChange]] = {}
    for change in event.changes:
        first, _ = folded.get(change.customer_id, (change, change))
        folded[change.customer_id] = (first, change)
    rows = [
        (
            customer_id,
            first.before.org,
            first.before.primary_manager,
            first.before.backup_manager,
            last.after.org,
            last.after.primary_manager,
            last.after.backup_manager,
            last.cause,
        )
        for customer_id, (first, last) in folded.items()
    ]
    await _apply(session, rows, "ownership")


async def complete_handover(session: AsyncSession, event: HandoverCompleted) -> None:
    """The customers' own changes have moved nearly all. What remains with who left, because somebody had
    given it to them by hand, goes to the customer's managers too; what went so comes back when it is undone.
    """
    await hold_off_erasures(session)
    parameters = {"staff": event.staff}
    if event.undone:
        found = await fetch(session, _TAKEN, parameters)
        rows = [(id_, org, by, None, org, event.staff, by, "handover_undone") for id_, org, by in found]
    else:
        left = await fetch(session, _LEFT_OVER, parameters)
        rows = [(id_, org, event.staff, None, org, *owners, "handover") for id_, org, *owners in left]
    await _apply(session, rows, f"handover/{event.handover_id}")
    await account_takeovers.complete_handover(session, event)
    await referral_takeovers.complete_handover(session, event)


async def _apply(session: AsyncSession, rows: Sequence[tuple[Any, ...]], origin: str) -> None:
    """Rows as `columns_of` takes them."""
    if not rows:
        return
    now = clock.now()
    parameters = account_takeovers.columns_of(rows)
    leaving = [row[0] for row in await fetch(session, _LEAVING, parameters)]
    withdrawn = await withdraw_contacts(session, leaving, "moved", at=now, by=_BY)
    back = [row[0] for row in await fetch(session, _BACK, parameters)]
    reopened = await reopen_contacts(session, back, at=now, by=_BY)
    moved = (await fetch(session, _MOVE, {**parameters, "at": now}))[0][0]
    if withdrawn or reopened or moved:
        detail = {"moved": moved, "withdrawn": withdrawn, "reopened": reopened}
        audit(session, _SYSTEM, "move_tasks", origin, detail)
    await account_takeovers.follow_customers(session, parameters, origin)
