"""What customers contribute, as the customer service tells it: of each file and month the newest edition."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.queries.prices import first_month
from services.campaign.usecases.forgetting import hold_off_erasures
from shared.contracts.events import ValuesCalculated
from shared.db import fetch

_STORE = """
INSERT INTO known_contribution AS known (customer_id, model, month, edition, currency, contribution)
SELECT told.id, %(model)s, %(month)s, %(edition)s, %(currency)s,
  told.contribution::numeric
FROM unnest(%(ids)b::uuid[], %(contributions)b::text[]) AS told(id, contribution)
WHERE NOT EXISTS (SELECT 1 FROM erased_customer e WHERE e.id = told.id)
ORDER BY told.id
ON CONFLICT (customer_id, model, month) DO UPDATE
SET edition = excluded.edition, currency = excluded.currency, contribution = excluded.contribution
WHERE known.edition < excluded.edition
"""
_DROP = """
DELETE FROM known_contribution
WHERE customer_id = ANY(%(ids)b::uuid[]) AND model = %(model)s AND month < %(first)s
"""


async def store_contributions(session: AsyncSession, event: ValuesCalculated) -> None:
    """Kept by the file it was calculated for, so that an undone merge leaves each its own. Months no quote
    looks at any more are not taken, and go.
    """
    first = first_month()
    if event.month < first:
        return
    await hold_off_erasures(session)
    rows = {each.home_id or each.customer_id: each for each in event.values}
    parameters = {
        "ids": list(rows),
        "contributions": [
            None if each.products == 0 and each.potential is None else str(each.contribution)
            for each in rows.values()
        ],
        "model": event.model,
        "month": event.month,
        "edition": event.edition,
        "currency": event.currency,
        "first": first,
    }
    await fetch(session, _STORE, parameters)
    await fetch(session, _DROP, parameters)
