"""The figures of a finished calculation for the other services, in messages the database puts together."""

from typing import LiteralString

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import ValueRun
from services.customer.queries.value_facts import CAPITAL_YEARS, MONTHS, RAROC
from shared.contracts.events import ValuesCalculated
from shared.db import psycopg_of
from shared.outbox import emit_json

_MESSAGES_AT_ONCE = 40

# Whom only the older run had figures of is told without any. Partitions are those of `partition_of`.
_MESSAGES: LiteralString = f"""
WITH told AS (
  SELECT * FROM ({MONTHS.format(runs="run_id = %(run)s")}) t
  UNION ALL
  SELECT customer_id, %(run)s, 0, 0, 0, 0, 0, NULL FROM (
    (SELECT customer_id FROM customer_value WHERE run_id = %(older)s
     UNION SELECT customer_id FROM customer_potential WHERE run_id = %(older)s)
    EXCEPT SELECT customer_id FROM customer_value WHERE run_id = %(run)s
    EXCEPT SELECT customer_id FROM customer_potential WHERE run_id = %(run)s
  ) gone
), item AS (
  SELECT c.ordinal, get_byte(uuid_send(coalesce(s.id, c.id)), 15) & 63 AS partition,
    json_build_object(
      'customer_id', coalesce(s.id, c.id), 'ordinal', coalesce(s.ordinal, c.ordinal),
      'home_id', CASE WHEN s.id IS NOT NULL THEN c.id END,
      'home_ordinal', CASE WHEN s.id IS NOT NULL THEN c.ordinal END,
      'products', v.products, 'contribution', v.contribution::text, 'income', v.income::text,
      'net_income', v.net_income::text, 'capital_years', {CAPITAL_YEARS}::text, 'raroc', {RAROC}::text,
      'potential', v.potential::text)::text AS body
  FROM told v JOIN value_run r ON r.id = v.run_id
  JOIN customer c ON c.id = v.customer_id AND c.status <> 'erased'
  LEFT JOIN customer s ON s.id = c.merged_into
), placed AS (
  SELECT partition, body,
    (row_number() OVER (PARTITION BY partition ORDER BY ordinal) - 1) / 500 AS message
  FROM item
)
SELECT i.partition::text, rtrim(h.head, '}}') || ', "values": [' || i.bodies || ']}}'
FROM (SELECT partition, message, string_agg(body, ',') AS bodies FROM placed GROUP BY 1, 2) i
CROSS JOIN (
  SELECT json_build_object('model', model, 'month', month, 'run_id', id, 'edition', edition,
    'currency', currency)::text AS head
  FROM value_run WHERE id = %(run)s) h
ORDER BY i.partition, i.message
"""  # noqa: S608 - put together from constants


async def publish_values(session: AsyncSession, run: ValueRun, older: ValueRun | None) -> None:
    """What `run` found of every customer, and who of `older` is in it no more.

    Read through a cursor of the database: a million customers are two thousand messages, never all in memory.
    """
    parameters = {"run": run.id, "older": older.id if older else None}
    connection = await psycopg_of(session)
    async with connection.cursor(name="values_calculated") as cursor:
        await cursor.execute(_MESSAGES, parameters)
        while messages := await cursor.fetchmany(_MESSAGES_AT_ONCE):
            await emit_json(session, ValuesCalculated, ((key, data.encode()) for key, data in messages))
