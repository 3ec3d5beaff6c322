"""What the other services are told, written to the outbox of the same transaction.

Bulk paths: the JSON of each item is made once, by PostgreSQL or orjson; a contract test holds it to the
shapes of ``shared.contracts.events``.
"""

from collections.abc import Iterable, Sequence
from typing import LiteralString
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import clock
from shared.contracts.events import (
    CustomerEventsRecorded,
    CustomersChanged,
    HoldingsChanged,
    OwnershipChanged,
    RelationsChanged,
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

# The trigger that noted them knows the server's time only; here they get the bank's.
_OWNERSHIP = """
WITH told AS (
  UPDATE ownership_change SET published = true, changed_at = %(now)s, effective_on = %(today)s
  WHERE customer_id = ANY(%(ids)b::uuid[]) AND NOT published RETURNING *
)
SELECT customer_id, json_build_object(
    'customer_id', customer_id,
    'before', json_build_object(
      'org', before_org, 'primary_manager', before_primary, 'backup_manager', before_backup),
    'after', json_build_object(
      'org', after_org, 'primary_manager', after_primary, 'backup_manager', after_backup),
    'effective_on', effective_on, 'cause', cause)::text
FROM told ORDER BY seq
"""

_END: LiteralString = """
SELECT coalesce(s.id, c.id) AS owner, json_build_object(
    'customer_id', coalesce(s.id, c.id), 'ordinal', coalesce(s.ordinal, c.ordinal),
    'home_id', CASE WHEN s.id IS NOT NULL THEN c.id END,
    'home_ordinal', CASE WHEN s.id IS NOT NULL THEN c.ordinal END) AS body
FROM customer c LEFT JOIN customer s ON s.id = c.merged_into WHERE c.id ="""

_RELATIONS: LiteralString = f"""
SELECT a.owner, json_build_object(
    'relation_id', r.id, 'version', r.version, 'type', r.kind,
    'symmetric', r.kind IN ('associate', 'household'),
    'from_customer', a.body, 'to_customer', b.body,
    'valid_from', nullif(r.valid_from, '0001-01-01'), 'valid_until', r.valid_to)::text
FROM relationship r CROSS JOIN LATERAL ({_END} r.from_id) a CROSS JOIN LATERAL ({_END} r.to_id) b
WHERE r.id = ANY(%(ids)b::uuid[]) ORDER BY r.id
"""  # noqa: S608 - put together from constants


async def publish_customers(session: AsyncSession, customer_ids: Sequence[UUID]) -> None:
    """The present state of these customers, as CustomersChanged; with it how their owners changed."""
    if customer_ids:
        rows = await fetch(session, _STATES, {"ids": list(customer_ids)})
        await emit_facts(session, CustomersChanged, "customers", ((row[0], row[1].encode()) for row in rows))
        moment = {"ids": list(customer_ids), "now": clock.now(), "today": clock.today()}
        changes = await fetch(session, _OWNERSHIP, moment)
        await emit_facts(session, OwnershipChanged, "changes", ((row[0], row[1].encode()) for row in changes))


async def publish_events(session: AsyncSession, facts: Iterable[Fact]) -> None:
    await emit_facts(session, CustomerEventsRecorded, "events", facts)


async def publish_holdings(session: AsyncSession, facts: Iterable[Fact]) -> None:
    await emit_facts(session, HoldingsChanged, "holdings", facts)


async def publish_relations(session: AsyncSession, relation_ids: Sequence[UUID]) -> None:
    """The present state of these relations, as RelationsChanged."""
    if relation_ids:
        rows = await fetch(session, _RELATIONS, {"ids": list(relation_ids)})
        await emit_facts(session, RelationsChanged, "relations", ((row[0], row[1].encode()) for row in rows))
