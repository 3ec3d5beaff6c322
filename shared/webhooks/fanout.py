"""From the service's own stream to one row per event and endpoint that subscribes to it."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from shared.batches import Published
from shared.db import fetch
from shared.service import Runtime
from shared.webhooks.models import WebhookEndpoint


def everything_of(service: str) -> str:
    """The pattern for all events of `service`."""
    return f"huanying.{service}.*"


CLOCK_LEEWAY = timedelta(minutes=1)
"""Events of this long before an endpoint was made may come too: the clocks of two machines differ."""

_FAN_OUT = """
WITH e AS (
  SELECT * FROM unnest(%(event_id)b::uuid[], %(type)b::text[], %(time)b::timestamptz[], %(payload)b::bytea[])
    AS e(event_id, event_type, occurred_at, payload)
), wanted AS (
  SELECT w.id, w.state, e.event_id FROM e JOIN webhook_endpoint w
    ON w.event_types ?| ARRAY[e.event_type, %(everything)s::text]
    AND w.created_at - %(leeway)s::interval <= e.occurred_at
), kept AS (
  INSERT INTO webhook_message (event_id, event_type, occurred_at, payload)
  SELECT event_id, event_type, occurred_at, payload FROM e WHERE event_id IN (SELECT event_id FROM wanted)
  ON CONFLICT DO NOTHING
)
INSERT INTO webhook_delivery (endpoint_id, event_id)
SELECT id, event_id FROM wanted WHERE state = 'enabled' ON CONFLICT DO NOTHING
"""


async def fan_out(runtime: Runtime, events: Sequence[Published]) -> bool:
    """Keep what somebody subscribes to, with a delivery for each endpoint in use. Whether there was any.

    One transaction, and the same events again change nothing. What comes while an endpoint is disabled is
    kept for its replay.
    """
    everything = everything_of(runtime.service.name)
    async with runtime.db.transaction() as session:
        # Most installations subscribe to little: what nobody wants is not sent to the database at all.
        subscribed = {
            pattern
            for patterns in await session.scalars(select(WebhookEndpoint.event_types))
            for pattern in patterns
        }
        wanted = [event for event in events if {event.type, everything} & subscribed]
        if not wanted:
            return False
        await fetch(
            session,
            _FAN_OUT,
            {
                "event_id": [event.event_id for event in wanted],
                "type": [event.type for event in wanted],
                "time": [event.time for event in wanted],
                "payload": [event.payload for event in wanted],
                "everything": everything,
                "leeway": CLOCK_LEEWAY,
            },
        )
    return True
