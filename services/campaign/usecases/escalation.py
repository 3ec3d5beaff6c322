"""Tasks that are overdue for as long as their campaign lets them are escalated to the branch head, once."""

from collections import Counter

from sqlalchemy.ext.asyncio import AsyncSession

from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.db import fetch

_SYSTEM = Principal(id="system:escalation", roles=frozenset(), org="hq")
_BATCH = 1_000

# The task's version stays: nothing of the work has changed.
_ESCALATE = """
WITH late AS (
  SELECT t.id FROM campaign k JOIN task t ON t.campaign_id = k.id AND t.state NOT IN ('done', 'expired')
  WHERE k.status IN ('launching', 'running', 'paused', 'draining')
    AND (k.content #>> '{responsibility,escalate_after_days}') IS NOT NULL AND t.escalated_at IS NULL
    AND CASE WHEN t.next_at IS NULL THEN t.due_on ELSE (t.next_at AT TIME ZONE %(zone)s)::date END
      + (k.content #>> '{responsibility,escalate_after_days}')::int < %(today)s
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
UPDATE task t SET escalated_at = %(at)s FROM late WHERE t.id = late.id RETURNING t.campaign_id, t.org_path
"""


async def escalate_overdue(session: AsyncSession) -> int:
    """A batch; returns how many there were. One entry of the audit for each campaign and branch."""
    parameters = {
        "zone": str(clock.ZONE),
        "today": clock.today(),
        "at": clock.now(),
        "limit": _BATCH,
    }
    rows = await fetch(session, _ESCALATE, parameters)
    for (campaign_id, org), tasks in sorted(Counter(map(tuple, rows)).items()):
        detail = {"tasks": tasks}
        audit(session, _SYSTEM, "escalate_tasks", f"campaign/{campaign_id}", detail, org_path=org)
    return len(rows)
