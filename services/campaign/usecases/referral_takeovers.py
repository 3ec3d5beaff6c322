"""Open referrals of somebody who left go to a successor, and come back when the handover is undone.

Whom they were addressed to stays written. The successor is one of those who took the customers over: who
looks after the referral's customer now, or else who holds customers of the receiving branch and took most.
Without such a one whoever of the branch takes it answers; what was accepted stays, for the head to assign.
Who made a referral does not receive it.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import HandoverCompleted
from shared.db import fetch

_SYSTEM = Principal(id="system:ownership", roles=frozenset(), org="hq")

_LEAVE = """
WITH receiver AS (
  SELECT * FROM unnest(%(receivers)b::text[], %(customers)b::int[]) AS r(staff, customers)
), left_over AS (
  SELECT id, customer_id, referrer, to_org, state FROM referral
  WHERE receiver = %(staff)s AND state IN ('made', 'accepted') ORDER BY id FOR UPDATE
), decided AS (
  SELECT l.id, l.state, (
    SELECT r.staff FROM receiver r
    WHERE r.staff <> l.referrer AND manages_customers(l.to_org, r.staff)
    ORDER BY (r.staff IN (c.primary_manager, c.backup_manager)) IS TRUE DESC, r.customers DESC, r.staff
    LIMIT 1) AS goes_to
  FROM left_over l LEFT JOIN known_customer c ON c.id = l.customer_id
)
UPDATE referral r SET receiver = d.goes_to, taken_from = %(staff)s, version = r.version + 1
FROM decided d WHERE d.id = r.id AND (d.goes_to IS NOT NULL OR d.state = 'made')
RETURNING r.id, r.receiver
"""
_RETURN = """
WITH taken AS (
  SELECT id FROM referral WHERE taken_from = %(staff)s AND state IN ('made', 'accepted')
  ORDER BY id FOR UPDATE
)
UPDATE referral r SET receiver = r.taken_from, taken_from = NULL, version = r.version + 1
FROM taken t WHERE t.id = r.id RETURNING r.id, r.receiver
"""


async def complete_handover(session: AsyncSession, event: HandoverCompleted) -> None:
    if event.undone:
        moved = await fetch(session, _RETURN, {"staff": event.staff})
    else:
        receivers = {code: count for code, count in event.receivers.items() if code != event.staff}
        columns = {"receivers": list(receivers), "customers": list(receivers.values())}
        moved = await fetch(session, _LEAVE, {"staff": event.staff, **columns})
    if moved:
        detail = {"receivers": {str(id_): receiver for id_, receiver in moved}}
        audit(session, _SYSTEM, "move_referrals", f"handover/{event.handover_id}", detail)
