"""Business events about conversations and complaints, kept where managers work with them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Incoming
from shared import clock
from shared.contracts.events import CustomersContacted
from shared.db import fetch
from shared.ids import new_id
from shared.outbox import emit_facts

_INTERACTIONS = """
INSERT INTO interaction (id, customer_id, source, event_id, at, kind, direction, minutes, disposition, staff,
  updated_at)
SELECT i.*, %(now)s FROM unnest(%(id)b::uuid[], %(customer)b::uuid[], %(source)b::text[],
  %(event_id)b::text[], %(at)b::timestamptz[], %(kind)b::text[], %(direction)b::text[], %(minutes)b::int[],
  %(disposition)b::text[], %(staff)b::text[]) AS i
ON CONFLICT (source, event_id) DO NOTHING
"""

_OUTGOING = """
SELECT i.customer_id, json_build_object(
  'interaction_id', i.id, 'customer_id', i.customer_id, 'at', i.at, 'kind', i.kind)::text
FROM unnest(%(source)b::text[], %(event_id)b::text[]) AS told(source, event_id)
JOIN interaction i USING (source, event_id) WHERE i.direction = 'out' ORDER BY i.customer_id, i.at
"""

# Filed at the earliest, resolved at the latest that was told: any order of arrival ends in the same row.
_COMPLAINTS = """
INSERT INTO complaint AS c (id, customer_id, source, reference, category, severity, filed_at, resolved_at)
SELECT (array_agg(id))[1], customer_id, source, reference, max(category), max(severity), min(filed_at),
  max(resolved_at)
FROM unnest(%(id)b::uuid[], %(customer)b::uuid[], %(source)b::text[], %(reference)b::text[],
  %(category)b::text[], %(severity)b::text[], %(filed_at)b::timestamptz[], %(resolved_at)b::timestamptz[])
  AS i(id, customer_id, source, reference, category, severity, filed_at, resolved_at)
GROUP BY customer_id, source, reference ORDER BY 2, 3, 4
ON CONFLICT (customer_id, source, reference) DO UPDATE SET
  category = greatest(c.category, EXCLUDED.category), severity = greatest(c.severity, EXCLUDED.severity),
  filed_at = least(c.filed_at, EXCLUDED.filed_at),
  resolved_at = greatest(c.resolved_at, EXCLUDED.resolved_at), version = c.version + 1
"""

BLANKET = "\x1f"
"""Begins the reference of a resolution that names a category and no single complaint."""


async def keep_interactions(session: AsyncSession, events: Sequence[tuple[Incoming, UUID]]) -> None:
    """One row a conversation; what was said stays sealed with the event."""
    if not events:
        return
    columns: dict[str, list[Any]] = {
        "id": [new_id() for _ in events],
        "customer": [customer for _, customer in events],
        "source": [event.source for event, _ in events],
        "event_id": [event.event_id for event, _ in events],
        "at": [event.time for event, _ in events],
        "minutes": [_minutes(event) for event, _ in events],
        "staff": [event.data.get("by") for event, _ in events],
        **{
            name: [event.data.get(name) for event, _ in events]
            for name in ("kind", "direction", "disposition")
        },
    }
    await fetch(session, _INTERACTIONS, {**columns, "now": clock.now()})
    await tell_outgoing(session, columns["source"], columns["event_id"])


async def tell_outgoing(session: AsyncSession, sources: Sequence[str], event_ids: Sequence[str]) -> None:
    """Which of these conversations the bank began: each counts as a contact wherever contacts are counted."""
    rows = await fetch(session, _OUTGOING, {"source": list(sources), "event_id": list(event_ids)})
    await emit_facts(session, CustomersContacted, "interactions", ((row[0], row[1].encode()) for row in rows))


async def keep_complaints(
    session: AsyncSession,
    filed: Sequence[tuple[Incoming, UUID]],
    resolved: Sequence[tuple[Incoming, UUID]],
) -> None:
    """Whether a customer has an open complaint, whatever arrives first."""
    events = [*filed, *resolved]
    if not events:
        return
    columns = {
        "id": [new_id() for _ in events],
        "customer": [customer for _, customer in events],
        "source": [event.source for event, _ in events],
        "reference": [_reference(event) for event, _ in filed] + [_resolves(event) for event, _ in resolved],
        "category": [event.data.get("category") for event, _ in filed] + [None for _ in resolved],
        "severity": [event.data.get("severity") for event, _ in events],
        "filed_at": [event.time for event, _ in filed] + [None for _ in resolved],
        "resolved_at": [None for _ in filed] + [event.time for event, _ in resolved],
    }
    await fetch(session, _COMPLAINTS, columns)


def _minutes(event: Incoming) -> int | None:
    minutes = event.data.get("minutes")
    return None if minutes is None else round(minutes)


def _reference(event: Incoming) -> str:
    return str(event.data.get("reference") or event.event_id)


def _resolves(event: Incoming) -> str:
    reference, category = event.data.get("reference"), event.data.get("category")
    return str(reference) if reference else f"{BLANKET}{category}" if category else ""
