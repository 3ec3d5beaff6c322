"""What the law or open business puts against an erasure."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.queries.families import Family
from services.customer.queries.notes import open_complaints
from shared import clock
from shared.contracts.customer.erasure import LegalHold
from shared.db import fetch

_OPEN_ACCOUNTS = "SELECT count(*) FROM holding WHERE customer_id = ANY(%(ids)b::uuid[]) AND balance <> 0"

_KEPT = """
SELECT r.code, r.name_en, f.last + make_interval(days => r.keep_days) AS until
FROM retention_rule r
CROSS JOIN LATERAL (
  SELECT max(h.closed_on)::timestamptz AS last FROM holding h
  WHERE r.applies_to = 'closed_account' AND h.customer_id = ANY(%(ids)b::uuid[])
  UNION ALL
  SELECT max(e.time) FROM customer_event e
  WHERE r.applies_to = 'event' AND e.customer_id = ANY(%(ids)b::uuid[]) AND e.type = r.event_type) f
WHERE r.active AND f.last + make_interval(days => r.keep_days) > %(now)s
ORDER BY r.code
"""


async def legal_holds(session: AsyncSession, family: Family) -> list[LegalHold]:
    """Everything that stands against erasing these files; empty when nothing does."""
    parameters = {"ids": family.ids, "now": clock.now()}
    holds = []
    accounts = (await fetch(session, _OPEN_ACCOUNTS, parameters))[0][0]
    if accounts:
        holds.append(LegalHold(code="open_holdings", detail=f"{accounts} accounts have a balance"))
    complaints = await open_complaints(session, family.head)
    if complaints:
        holds.append(LegalHold(code="open_complaint", detail=f"{complaints} complaints are not resolved"))
    holds += [
        LegalHold(code=code, detail=f"{name} must be kept", until=until)
        for code, name, until in await fetch(session, _KEPT, parameters)
    ]
    return holds
