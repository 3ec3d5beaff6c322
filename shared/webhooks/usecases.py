"""Registering endpoints, replacing their secrets, sending again."""

import time
from datetime import UTC, datetime
from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import audit
from shared.auth import Principal
from shared.contracts.webhooks import TEST_EVENT, ReplayRequest, WebhookPatch, WebhookWrite
from shared.db import fetch
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id
from shared.service import Runtime
from shared.topology import events_of
from shared.webhooks.destinations import Destinations, RefusedDestinationError
from shared.webhooks.fanout import everything_of
from shared.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from shared.webhooks.secrets import secret_box
from shared.webhooks.signing import show_secret

PREVIOUS_SECRET_HOURS = 24


def patterns_of(service: str) -> list[str]:
    """What an endpoint may subscribe to: each of the service's event types, or all."""
    return [everything_of(service), *(event.type_name() for event in events_of(service))]


async def create(
    session: AsyncSession, runtime: Runtime, principal: Principal, body: WebhookWrite
) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its secret, which nobody can read again."""
    _check(runtime, body.url, body.event_types)
    endpoint_id = new_id()
    key, sealed = secret_box(runtime).new(endpoint_id)
    row = WebhookEndpoint(
        id=endpoint_id,
        org_path=principal.org,
        secret=sealed,
        created_by=principal.id,
        **body.model_dump(),
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    audit(session, principal, "create", _name(row), {"event_types": row.event_types})
    return row, show_secret(key)


async def change(
    session: AsyncSession, runtime: Runtime, principal: Principal, row: WebhookEndpoint, body: WebhookPatch
) -> None:
    changes = body.model_dump(exclude_none=True)
    _check(runtime, changes.get("url", row.url), changes.get("event_types", row.event_types))
    for name, value in changes.items():
        setattr(row, name, value)
    row.version += 1
    await session.flush()
    audit(session, principal, "change", _name(row), {"fields": sorted(changes)})


async def remove(session: AsyncSession, principal: Principal, row: WebhookEndpoint) -> None:
    """Its deliveries go with it, sent or not."""
    await session.delete(row)
    await session.flush()
    audit(session, principal, "delete", _name(row))


async def rotate(session: AsyncSession, runtime: Runtime, principal: Principal, row: WebhookEndpoint) -> str:
    """A new secret; the old one signs beside it for a day."""
    key, sealed = secret_box(runtime).new(row.id)
    row.previous_secret, row.secret = row.secret, sealed
    row.previous_valid_until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, PREVIOUS_SECRET_HOURS)
    row.version += 1
    await session.flush()
    await session.refresh(row)
    audit(session, principal, "rotate_secret", _name(row))
    return show_secret(key)


async def switch(session: AsyncSession, principal: Principal, row: WebhookEndpoint, *, on: bool) -> None:
    """What waits stays waiting while it is off, and goes out when it is on again."""
    state = "enabled" if on else "disabled"
    if row.state == state:
        raise Conflict(f"The webhook is {state} already; it can be {'disabled' if on else 'enabled'}.")
    row.state = state
    row.disabled_reason = None if on else "by_request"
    row.disabled_at = None if on else func.clock_timestamp()
    row.failing_since = None
    row.version += 1
    await session.flush()
    await session.refresh(row)
    audit(session, principal, "enable" if on else "disable", _name(row))


async def send_test(
    session: AsyncSession, runtime: Runtime, principal: Principal, row: WebhookEndpoint
) -> tuple[WebhookDelivery, WebhookMessage]:
    """An event of no other use, to this endpoint alone, on the way every event takes."""
    if row.state != "enabled":
        raise Conflict("The webhook is disabled: enable it first.")
    event_id = new_id()
    now = datetime.fromtimestamp(time.time(), UTC)
    envelope = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": f"/services/{runtime.service.name}",
        "type": TEST_EVENT,
        "subject": str(row.id),
        "time": now,
        "datacontenttype": "application/json",
        "partitionkey": str(row.id),
        "data": {"webhook_id": str(row.id)},
    }
    message = WebhookMessage(
        event_id=event_id, event_type=TEST_EVENT, occurred_at=now, payload=orjson.dumps(envelope)
    )
    delivery = WebhookDelivery(endpoint_id=row.id, event_id=event_id)
    session.add(message)
    await session.flush()
    session.add(delivery)
    await session.flush()
    await session.refresh(delivery)
    audit(session, principal, "test", _name(row))
    return delivery, message


# Also what came while the endpoint was disabled or subscribed to less: it has no delivery yet.
_REPLAY = """
INSERT INTO webhook_delivery AS d (endpoint_id, event_id)
SELECT %(endpoint)s, m.event_id FROM webhook_message m
WHERE (%(since)s::timestamptz IS NULL OR m.occurred_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR m.occurred_at < %(until)s)
  AND (%(ids)b::uuid[] IS NULL OR m.event_id = ANY(%(ids)b::uuid[]))
  AND (m.event_type = ANY(%(types)b::text[]) OR %(everything)s AND m.event_type <> %(test)s
    OR EXISTS (SELECT 1 FROM webhook_delivery o
      WHERE o.endpoint_id = %(endpoint)s AND o.event_id = m.event_id))
  AND (NOT %(failed)s OR EXISTS (SELECT 1 FROM webhook_delivery o
    WHERE o.endpoint_id = %(endpoint)s AND o.event_id = m.event_id AND o.state = 'failed'))
ON CONFLICT (endpoint_id, event_id) DO UPDATE SET state = 'pending', attempts = 0,
  next_attempt_at = clock_timestamp(), delivered_at = NULL, response_status = NULL, last_error = NULL,
  replays = d.replays + 1
WHERE d.state <> 'pending'
RETURNING 1
"""


async def replay(
    session: AsyncSession, runtime: Runtime, principal: Principal, row: WebhookEndpoint, body: ReplayRequest
) -> int:
    """Start again the deliveries asked for, under their old event ids; how many there are."""
    if body.event_ids is not None:
        await _refuse_unknown(session, body.event_ids)
    queued = await fetch(
        session,
        _REPLAY,
        {
            "endpoint": row.id,
            "since": body.since,
            "until": body.until,
            "ids": body.event_ids,
            "types": row.event_types,
            "everything": everything_of(runtime.service.name) in row.event_types,
            "test": TEST_EVENT,
            "failed": body.failed,
        },
    )
    audit(session, principal, "replay", _name(row), {"queued": len(queued)})
    return len(queued)


async def _refuse_unknown(session: AsyncSession, event_ids: list[UUID]) -> None:
    kept = set(
        await session.scalars(select(WebhookMessage.event_id).where(WebhookMessage.event_id.in_(event_ids)))
    )
    errors = [
        FieldError(f"/event_ids/{index}", "is not an event that is kept")
        for index, event_id in enumerate(event_ids)
        if event_id not in kept
    ]
    if errors:
        raise Unprocessable("Not all of these events are kept.", errors=errors)


def _check(runtime: Runtime, url: str, event_types: list[str]) -> None:
    errors = []
    try:
        Destinations.of(runtime.settings).check_url(url)
    except RefusedDestinationError as error:
        errors.append(FieldError("/url", str(error)))
    known = set(patterns_of(runtime.service.name))
    errors += [
        FieldError(f"/event_types/{index}", "is not an event type of this service")
        for index, pattern in enumerate(event_types)
        if pattern not in known
    ]
    if errors:
        raise Unprocessable("The webhook cannot be registered like this.", errors=errors)


def _name(row: WebhookEndpoint) -> str:
    return f"webhook/{row.id}"
