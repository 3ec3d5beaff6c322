"""Facts merged into the store: a newer state replaces an older one, an event counts once.

Every merge may be repeated and may overlap an export: customers by version, holdings by
business date, events by their position in the customer service's log. Whose a fact is now
follows from its home and `alias` alone, never from the message; of the erased nothing is taken.
"""

from typing import get_args

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from services.segmentation.store import schema
from services.segmentation.store.staging import with_staged
from shared.contracts.events import Channel, CustomerState, HoldingState, RecordedEvent

_MERGE_CUSTOMERS = """
MERGE INTO customer USING (
  SELECT newest.*, alias.survivor AS merged_into
  FROM (FROM staged QUALIFY row_number() OVER (PARTITION BY ordinal ORDER BY version DESC) = 1) AS newest
  ANTI JOIN erased USING (ordinal)
  LEFT JOIN alias ON alias.home = newest.ordinal
) AS staged ON customer.ordinal = staged.ordinal
WHEN MATCHED AND staged.version > customer.version THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""

_OWNED = """
  SELECT staged.*, coalesce(alias.survivor, staged.home) AS ordinal FROM staged
  ANTI JOIN erased ON erased.ordinal = staged.home
  LEFT JOIN alias ON alias.home = staged.home
"""

_MERGE_HOLDINGS = f"""
MERGE INTO holding USING (
  SELECT * EXCLUDE (position) FROM ({_OWNED})
  QUALIFY row_number() OVER (PARTITION BY home, account, as_of ORDER BY position DESC) = 1
) AS staged
ON holding.home = staged.home AND holding.account = staged.account AND holding.as_of = staged.as_of
WHEN MATCHED THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""  # noqa: S608 - a constant

_MERGE_LATEST = f"""
MERGE INTO holding_latest USING (
  SELECT * EXCLUDE (position) FROM ({_OWNED})
  QUALIFY row_number() OVER (PARTITION BY home, account ORDER BY as_of DESC, position DESC) = 1
) AS staged ON holding_latest.home = staged.home AND holding_latest.account = staged.account
WHEN MATCHED AND staged.as_of >= holding_latest.as_of THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""  # noqa: S608 - a constant

# The bounds let the engine skip all blocks but the newest.
_INSERT_EVENTS = f"""
INSERT INTO event BY NAME
SELECT seq, home, ordinal, type, (time AT TIME ZONE 'UTC')::TIMESTAMP AS time, source, event_id,
  TRY_CAST(data ->> '$.amount' AS DECIMAL(20, 2)) AS amount, data ->> '$.direction' AS direction,
  data ->> '$.channel' AS channel, data ->> '$.product' AS product, data
FROM (SELECT * REPLACE (data::JSON AS data) FROM ({_OWNED}))
WHERE seq NOT IN (SELECT seq FROM event WHERE seq BETWEEN $low AND $high)
QUALIFY row_number() OVER (PARTITION BY seq) = 1
"""  # noqa: S608 - a constant


def merge_customers(cursor: duckdb.DuckDBPyConnection, staged: pa.Table) -> None:
    with_staged(cursor, staged, _MERGE_CUSTOMERS)


def merge_holdings(cursor: duckdb.DuckDBPyConnection, staged: pa.Table) -> None:
    positioned = staged.append_column("position", pa.array(range(len(staged)), pa.int64()))
    with_staged(cursor, positioned, _MERGE_HOLDINGS)
    with_staged(cursor, positioned, _MERGE_LATEST)


def insert_events(cursor: duckdb.DuckDBPyConnection, staged: pa.Table) -> None:
    bounds = pc.min_max(staged["seq"]).as_py()
    with_staged(cursor, staged, _INSERT_EVENTS, {"low": bounds["min"], "high": bounds["max"]})


def customer_table(states: list[CustomerState]) -> pa.Table:
    rows = [
        {
            **state.model_dump(exclude={"consents", "merged_into"}),
            "customer_id": str(state.customer_id),
            **{f"consent_{channel}": state.consents.get(channel, False) for channel in get_args(Channel)},
        }
        for state in states
    ]
    return pa.Table.from_pylist(rows, schema.CUSTOMERS)


def holding_table(states: list[HoldingState]) -> pa.Table:
    rows = [{**state.model_dump(exclude=_WHOSE), "home": _home(state)} for state in states]
    return pa.Table.from_pylist(rows, schema.HOLDINGS)


def event_table(events: list[RecordedEvent]) -> pa.Table:
    rows = [
        {
            **event.model_dump(exclude={"data", *_WHOSE}),
            "home": _home(event),
            "data": orjson.dumps(event.data).decode(),
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema.EVENTS)


_WHOSE = {"customer_id", "ordinal", "home_id", "home_ordinal"}


def _home(fact: HoldingState | RecordedEvent) -> int:
    return fact.ordinal if fact.home_ordinal is None else fact.home_ordinal
