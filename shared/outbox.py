"""Transactional outbox: events are rows of the transaction that made them true."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

import orjson
from opentelemetry import propagate
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.base import Schema
from shared.contracts.events import BATCH_ITEMS, EventData
from shared.db import Outbox
from shared.ids import new_id, partition_of

MAX_MESSAGE_BYTES = 512 * 1024

Item = TypeVar("Item", bound=Schema)


async def emit(session: AsyncSession, *events: EventData) -> None:
    """Publish `events` if and only if the session's transaction commits."""
    if events:
        await session.execute(insert(Outbox), [row(event) for event in events])


async def emit_each(
    session: AsyncSession,
    event: type[EventData],
    field: str,
    items: Iterable[Item],
    customer: str = "customer_id",
) -> None:
    """Publish customer-keyed `items`, grouped by the customer's partition, as few full events.

    `field` is the list of `event` that carries them; order within a customer is kept.
    """
    by_partition: dict[int, list[Item]] = {}
    for item in items:
        by_partition.setdefault(partition_of(getattr(item, customer)), []).append(item)
    await emit(
        session,
        *(
            event.model_construct(None, **{field: part})
            for group in by_partition.values()
            for part in _chunks(group, BATCH_ITEMS)
        ),
    )


def row(event: EventData) -> dict[str, object]:
    """The outbox row of one event: subject and finished CloudEvent."""
    event_id = new_id()
    data = event.model_dump_json().encode()
    return row_of_json(type(event), event.partition_key(), data, event_id)


def row_of_json(
    event: type[EventData], key: str, data: bytes, event_id: UUID | None = None
) -> dict[str, object]:
    """As `row`, for bulk paths that wrote the `data` themselves and know it fits the contract."""
    identity = event_id or new_id()
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    envelope = {
        "specversion": "1.0",
        "id": str(identity),
        "source": f"/services/{event.service()}",
        "type": event.type_name(),
        "subject": key,
        "time": datetime.fromtimestamp(time.time(), UTC),
        "datacontenttype": "application/json",
        "partitionkey": key,
        **({"traceparent": carrier["traceparent"]} if "traceparent" in carrier else {}),
        "data": orjson.Fragment(data),
    }
    return {"event_id": identity, "subject": f"{event.SUBJECT}.{key}", "payload": orjson.dumps(envelope)}


def _chunks(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
