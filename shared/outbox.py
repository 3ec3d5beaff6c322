"""Transactional outbox: events are rows of the transaction that made them true."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID

import orjson
from opentelemetry import propagate
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import BATCH_ITEMS, EventData
from shared.db import fetch
from shared.ids import new_id, partition_of

MAX_MESSAGE_BYTES = 512 * 1024
_ENVELOPE_BYTES = 4 * 1024
_STATEMENT_BYTES = 4 * 1024**2

Fact = tuple[UUID, bytes]
"""A customer's id and one finished JSON item about that customer."""


class Row(TypedDict):
    """Of the outbox: a finished message."""

    event_id: UUID
    subject: str
    payload: bytes


# Few statements: round trips, and one notification for all of a transaction.
_INSERT = """
INSERT INTO outbox (event_id, subject, payload) SELECT event_id, subject, payload
FROM unnest(%(event_id)b::uuid[], %(subject)b::text[], %(payload)b::bytea[]) WITH ORDINALITY
  AS e(event_id, subject, payload, n)
ORDER BY n
"""


async def emit(session: AsyncSession, *events: EventData) -> None:
    """Publish `events` if and only if the session's transaction commits."""
    await emit_all(session, events)


async def emit_all(session: AsyncSession, events: Iterable[EventData]) -> None:
    """As `emit`, for any number: made as they are stored, so that others get their turn in between."""
    await _insert(session, map(row, events))


async def emit_facts(
    session: AsyncSession, event: type[EventData], field: str, facts: Iterable[Fact]
) -> None:
    """Publish facts about customers in as few events as their partitions allow, in the order given.

    `field` is the list of `event` that carries them. The bulk path: each item's JSON was made once,
    by PostgreSQL or orjson, and a contract test holds it to its shape.
    """
    by_partition: dict[int, list[bytes]] = {}
    for customer_id, item in facts:
        by_partition.setdefault(partition_of(customer_id), []).append(item)
    await _insert(
        session,
        (
            row_of_json(event, str(partition), b'{"%s":[%s]}' % (field.encode(), b",".join(part)))
            for partition, items in by_partition.items()
            for part in _parts(items)
        ),
    )


async def emit_json(
    session: AsyncSession, event: type[EventData], messages: Iterable[tuple[str, bytes]]
) -> None:
    """Publish finished events: partition key and JSON of each, held to its shape by a contract test."""
    await _insert(session, (row_of_json(event, key, data) for key, data in messages))


async def _insert(session: AsyncSession, rows: Iterable[Row]) -> None:
    for part in _statements(rows):
        columns = {
            "event_id": [each["event_id"] for each in part],
            "subject": [each["subject"] for each in part],
            "payload": [each["payload"] for each in part],
        }
        await fetch(session, _INSERT, columns)


def _statements(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """A statement takes no more than a gigabyte, and nobody else has a turn while it is made."""
    part: list[Row] = []
    size = 0
    for each in rows:
        part.append(each)
        size += len(each["payload"])
        if size >= _STATEMENT_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def row(event: EventData) -> Row:
    """The outbox row of one event: subject and finished CloudEvent."""
    event_id = new_id()
    data = event.model_dump_json().encode()
    return row_of_json(type(event), event.partition_key(), data, event_id)


def row_of_json(event: type[EventData], key: str, data: bytes, event_id: UUID | None = None) -> Row:
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


def _parts(items: Sequence[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for item in items:
        if part and (len(part) == BATCH_ITEMS or size + len(item) > MAX_MESSAGE_BYTES - _ENVELOPE_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item) + 1
    if part:
        yield part
