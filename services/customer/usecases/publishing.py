"""What the other services are told, written to the outbox of the same transaction.

Bulk paths: the JSON of each item is made once, by PostgreSQL or orjson; a contract test holds it to the
shapes of ``shared.contracts.events``.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import (
    CustomerEventsRecorded,
    CustomersChanged,
    HoldingsChanged,
)
from shared.db import fetch
from shared.outbox import Fact, emit_facts

_STATES = """
SELECT id, json_build_object(
    'customer_id', id, 'ordinal', ordinal, 'version', version, 'kind', kind, 'status', status,
    'merged_into', merged_into,
    'org', org_path,
    'primary_manager', primary_manager, 'backup_manager', backup_manager, 'gender', gender,
    'birth_date', birth_date, 'occupation', occupation, 'industry', industry, 'risk_level', risk_level,
    'risk_valid_until', risk_valid_until, 'customer_since', customer_since, 'consents', consents)::text
FROM customer WHERE id = ANY(%(ids)b::uuid[])
"""


async def publish_customers(session: AsyncSession, customer_ids: Sequence[UUID]) -> None:
    """The present state of these customers, as CustomersChanged."""
    if customer_ids:
        rows = await fetch(session, _STATES, {"ids": list(customer_ids)})
        await emit_facts(session, CustomersChanged, "customers", ((row[0], row[1].encode()) for row in rows))


async def publish_events(session: AsyncSession, facts: Iterable[Fact]) -> None:
    await emit_facts(session, CustomerEventsRecorded, "events", facts)


async def publish_holdings(session: AsyncSession, facts: Iterable[Fact]) -> None:
    await emit_facts(session, HoldingsChanged, "holdings", facts)
