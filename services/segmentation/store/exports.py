"""Whole exports of the customer service loaded into empty tables, batch by batch."""

import duckdb
import pyarrow as pa

_CHANNELS = ("call", "sms", "email", "visit", "app")

_LATEST = """
INSERT INTO holding_latest
FROM holding QUALIFY row_number() OVER (PARTITION BY ordinal, account ORDER BY as_of DESC) = 1
"""


def load_customers(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    consents = ", ".join(f"{_consent(reader.schema, channel)} AS consent_{channel}" for channel in _CHANNELS)
    cursor.register("exported", reader)
    cursor.execute(
        "INSERT INTO customer BY NAME SELECT ordinal, customer_id::UUID AS customer_id, version, kind, "  # noqa: S608
        "status, org, primary_manager, backup_manager, gender, birth_date::DATE AS birth_date, "
        "occupation, industry, risk_level, risk_valid_until::DATE AS risk_valid_until, "
        f"customer_since::DATE AS customer_since, {consents} FROM exported ORDER BY ordinal"
    )
    cursor.unregister("exported")


def _consent(exported: pa.Schema, channel: str) -> str:
    """Absent means not given."""
    if f"consent_{channel}" in exported.names:
        return f"coalesce(consent_{channel}, false)"
    return f"coalesce((consents::JSON ->> '$.{channel}')::BOOLEAN, false)"


def load_holdings(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    cursor.register("exported", reader)
    cursor.execute(
        "INSERT INTO holding BY NAME SELECT ordinal, account, product, category, "
        "balance::DECIMAL(20, 2) AS balance, currency, as_of::DATE AS as_of, opened_on::DATE AS opened_on, "
        "matures_on::DATE AS matures_on, coalesce(closed, false) AS closed FROM exported"
    )
    cursor.unregister("exported")
    cursor.execute(_LATEST)


def load_events(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    cursor.register("exported", reader)
    cursor.execute(
        "INSERT INTO event BY NAME SELECT seq, ordinal, type, "
        "(time::TIMESTAMPTZ AT TIME ZONE 'UTC')::TIMESTAMP AS time, source, event_id, "
        "TRY_CAST(data ->> '$.amount' AS DECIMAL(20, 2)) AS amount, data ->> '$.direction' AS direction, "
        "data ->> '$.channel' AS channel, data ->> '$.product' AS product, data "
        "FROM (SELECT * REPLACE (json(data::JSON) AS data) FROM exported)"
    )
    cursor.unregister("exported")
