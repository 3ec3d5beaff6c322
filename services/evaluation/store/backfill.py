"""Holdings that were told before this store followed them, from the customer service's export."""

import duckdb
import pyarrow as pa

from services.evaluation.store.batches import OWNED

HOLDINGS = "CUSTOMER/holdings"
"""The store's watermark that is there once it has all holdings."""

_STAGED = """
CREATE OR REPLACE TEMP TABLE batch AS
SELECT coalesce(home_id, customer_id)::UUID AS home, account, product, category, currency,
    as_of::DATE AS as_of, balance::DECIMAL(20, 2) AS balance, coalesce(closed, false) AS closed
FROM exported
"""
# What the stream has told by now is at least as new.
_INSERT = f"""
INSERT INTO holding BY NAME
SELECT * FROM ({OWNED}) AS new
WHERE NOT EXISTS (
    FROM holding AS known
    WHERE coalesce(known.home, known.customer_id) = coalesce(new.home, new.customer_id)
      AND known.account = new.account AND known.as_of = new.as_of
)
"""  # noqa: S608 - a constant


def add_holdings(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    """Days of accounts that the store does not know yet, whose they are now; then the store has all."""
    cursor.register("exported", reader)
    cursor.execute(_STAGED)
    cursor.unregister("exported")
    cursor.execute(_INSERT)
    cursor.execute("DROP TABLE batch")
    cursor.execute("INSERT OR IGNORE INTO watermark VALUES (?, 1)", [HOLDINGS])
