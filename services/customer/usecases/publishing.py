"""What the other services are told, written to the outbox of the same transaction.

Bulk paths: the JSON of each item is made once, by PostgreSQL or orjson; a contract test holds it to the
shapes of ``shared.contracts.events``.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.queries.driver import fetch
from shared.contracts.events import (
    BATCH_ITEMS,
    CustomerEventsRecorded,
    CustomersChanged,
    EventData,
    HoldingsChanged,
)
from shared.ids import partition_of
from shared.outbox import MAX_MESSAGE_BYTES, row_of_json

Fact = tuple[UUID, bytes]
"""A customer's id and one finished JSON item about that customer."""

_ENVELOPE_BYTES = 4 * 1024

_STATES = """
SELECT id, json_build_object(
    'customer_id', id, 'ordinal', ordinal, 'version', version, 'kind', kind, 'status', status,
    'org', org_path,
    'primary_manager', primary_manager, 'backup_manager', backup_manager, 'gender', gender,
    'birth_date', birth_date, 'occupation', occupation, 'industry', industry, 'risk_level', risk_level,
    'risk_valid_until', risk_valid_until, 'customer_since', customer_since, 'consents', consents)::text
FROM customer WHERE id = ANY(%(ids)b::uuid[])
"""

# One statement: a notification and a round trip for all of them.
_OUTBOX = """
INSERT INTO outbox (event_id, subject, payload) SELECT event_id, subject, payload
FROM unnest(%(event_id)b::uuid[], %(subject)b::text[], %(payload)b::bytea[]) WITH ORDINALITY
  AS e(event_id, subject, payload, n)
ORDER BY n
"""


async def publish_customers(session: AsyncSession, customer_ids: Sequence[UUID]) -> None:
    """The present state of these customers, as CustomersChanged."""
    if customer_ids:
        rows = await fetch(session, _STATES, {"ids": list(customer_ids)})
        await _publish(session, CustomersChanged, "customers", ((row[0], row[1].encode()) for row in rows))


async def publish_events(session: AsyncSession, facts: Iterable[Fact]) -> None:
    await _publish(session, CustomerEventsRecorded, "events", facts)


async def publish_holdings(session: AsyncSession, facts: Iterable[Fact]) -> None:
    await _publish(session, HoldingsChanged, "holdings", facts)


async def _publish(session: AsyncSession, event: type[EventData], field: str, facts: Iterable[Fact]) -> None:
    by_partition: dict[int, list[bytes]] = {}
    for customer_id, item in facts:
        by_partition.setdefault(partition_of(customer_id), []).append(item)
    rows = [
        row_of_json(event, str(partition), b'{"%s":[%s]}' % (field.encode(), b",".join(part)))
        for partition, items in by_partition.items()
        for part in _parts(items)
    ]
    if rows:
        columns = {name: [row[name] for row in rows] for name in ("event_id", "subject", "payload")}
        await fetch(session, _OUTBOX, columns)


def _parts(items: list[bytes]) -> Iterable[list[bytes]]:
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
