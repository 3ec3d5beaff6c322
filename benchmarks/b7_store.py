"""The bank of B7: exposures of one campaign, tiers and events of their customers, in a store of their own."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import duckdb

from services.evaluation.domain.catalogue import NET_INFLOW, TRANSACTIONS
from services.evaluation.settings import EvaluationSettings
from services.evaluation.store import Store, open_store
from services.evaluation.store.outcomes import named

CAMPAIGN = UUID("01890000-0000-7000-8000-000000000007")
START = datetime(2026, 6, 1, 1, tzinfo=UTC)
EACH = 6
"""Events a customer, in the sixty days around the assignment."""
METRICS = (
    NET_INFLOW,
    TRANSACTIONS,
    NET_INFLOW.model_copy(update={"key": "net_inflow_14d", "window_days": 14}),
    TRANSACTIONS.model_copy(update={"key": "txn_count_14d", "window_days": 14}),
)
_ID = "('01890000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::UUID"
_PEOPLE = f"""
INSERT INTO exposure BY NAME SELECT $campaign::UUID AS campaign_id, {_ID} AS contact_id, {_ID} AS customer_id,
  ['', 'call', 'call2', 'sms'][1 + (i % 4)::INTEGER] AS arm, 0.25 AS propensity,
  $start::TIMESTAMP AS assigned_at, 1 AS wave, 's' || (i // 7 % 4) AS segment,
  'hq.b' || (i // 3 % 100) AS branch, 'S' || (i // 3 % 100) || '-' || (i // 300 % 10) AS primary_manager
FROM range(0, $size) AS t(i)
"""
_TIERS = f"""
INSERT INTO tier BY NAME SELECT {_ID} AS home, 'value' AS scheme, 'value' AS kind,
  ['silver', 'gold', 'private'][1 + (i // 11 % 3)::INTEGER] AS tier,
  $start::TIMESTAMP - INTERVAL 90 DAY AS effective_at FROM range(0, $size) AS t(i)
"""
_EVENTS = f"""
INSERT INTO event BY NAME SELECT {_ID} AS customer_id, 'transaction.posted' AS type,
  $start::TIMESTAMP + to_seconds(((random() - 0.5) * 60 * 86400)::INTEGER) AS time,
  round(random() * 10000, 2) AS amount, CASE WHEN random() < 0.6 THEN 'in' ELSE 'out' END AS direction
FROM (SELECT (random() * ($size - 1))::BIGINT AS i FROM range(0, $size * $each))
"""


def opened(file: Path) -> Store:
    """With the memory and the threads that a service has unless it is told otherwise."""
    given = EvaluationSettings.model_fields
    return open_store(file, memory=given["store_memory"].default, threads=given["store_threads"].default)


def fill(cursor: duckdb.DuckDBPyConnection, size: int) -> None:
    known = {"campaign": str(CAMPAIGN), "start": START.replace(tzinfo=None), "size": size, "each": EACH}
    for statement in (_PEOPLE, _TIERS, _EVENTS):
        cursor.execute(statement, named(statement, known))
