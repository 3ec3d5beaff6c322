"""Business events that happen in this service: they join the log and are published as any other."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.usecases.publishing import publish_events
from shared.db import fetch

SOURCE = "huanying"
"""Source of these events: no system's key may write it."""

_INSERT = """
INSERT INTO customer_event (source, event_id, type, customer_id, time, data, content_hash)
VALUES (%(source)s, %(event_id)s, %(type)s, %(customer)s, %(time)s, %(data)s::jsonb, %(hash)s)
RETURNING seq
"""

_WHO = """
SELECT c.id, c.ordinal, s.id, s.ordinal FROM customer c LEFT JOIN customer s ON s.id = c.merged_into
WHERE c.id = %(customer)s
"""


async def record_own(
    session: AsyncSession,
    customer_id: UUID,
    kind: str,
    event_id: str,
    time: datetime,
    data: Mapping[str, Any],
) -> None:
    """Append the event to the customer's log and publish it. `data` holds no personal data."""
    public = orjson.dumps({name: value for name, value in data.items() if value is not None})
    values = {
        "source": SOURCE,
        "event_id": event_id,
        "type": kind,
        "customer": customer_id,
        "time": time,
        "data": public.decode(),
        "hash": blake2b(public, digest_size=16).digest(),
    }
    ((seq,),) = await fetch(session, _INSERT, values)
    ((home, home_ordinal, survivor, survivor_ordinal),) = await fetch(
        session, _WHO, {"customer": customer_id}
    )
    whose = (
        {"customer_id": home, "ordinal": home_ordinal}
        if survivor is None
        else {
            "customer_id": survivor,
            "ordinal": survivor_ordinal,
            "home_id": home,
            "home_ordinal": home_ordinal,
        }
    )
    fact = {
        "seq": seq,
        "event_id": event_id,
        "source": SOURCE,
        "type": kind,
        **whose,
        "time": time,
        "data": orjson.Fragment(public),
    }
    await publish_events(session, [(survivor or home, orjson.dumps(fact))])
