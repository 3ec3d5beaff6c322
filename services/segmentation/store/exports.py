"""Whole exports of the customer service loaded into empty tables, batch by batch."""

import duckdb
import pyarrow as pa

_CHANNELS = ("call", "sms", "email", "visit", "app")

_LATEST = """
INSERT INTO holding_latest
FROM holding QUALIFY row_number() OVER (PARTITION BY home, account ORDER BY as_of DESC) = 1
"""

# Of whom the export says that they were erased, nothing is kept but that.
_ERASED = """
INSERT INTO erased BY NAME SELECT ordinal, customer_id, 0 AS rows, $sequence AS applied
FROM exported_customer WHERE status = 'erased'
"""

# A merge the stream tells again is at least as new as one that came by export.
_MERGED = """
INSERT INTO alias BY NAME
SELECT merged.ordinal AS home, survivor.ordinal AS survivor, TIMESTAMP '-infinity' AS changed_at
FROM exported_customer AS merged
JOIN exported_customer AS survivor ON survivor.customer_id = merged.merged_into
WHERE merged.status = 'merged'
"""

_REGROUPED = """
INSERT INTO regrouped BY NAME
SELECT DISTINCT unnest([home, survivor]) AS ordinal, $sequence AS applied FROM alias
"""

_OWNED = """
SELECT exported.* EXCLUDE (ordinal, home_ordinal), home, coalesce(alias.survivor, home) AS ordinal
FROM (SELECT *, coalesce(home_ordinal, ordinal) AS home FROM exported) AS exported
ANTI JOIN erased ON erased.ordinal = exported.home
LEFT JOIN alias USING (home)
"""


def load_customers(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader, sequence: int) -> None:
    """Customers, who was merged and who was erased, as of stream position `sequence` or later."""
    consents = ", ".join(f"{_consent(reader.schema, channel)} AS consent_{channel}" for channel in _CHANNELS)
    cursor.register("exported", reader)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE exported_customer AS SELECT ordinal, customer_id::UUID AS customer_id, "  # noqa: S608
        "version, kind, status, merged_into::UUID AS merged_into, org, primary_manager, backup_manager, "
        "gender, birth_date::DATE AS birth_date, occupation, industry, risk_level, "
        "risk_valid_until::DATE AS risk_valid_until, customer_since::DATE AS customer_since, "
        f"{consents} FROM exported"
    )
    cursor.unregister("exported")
    cursor.execute(_ERASED, {"sequence": sequence})
    cursor.execute(_MERGED)
    cursor.execute(_REGROUPED, {"sequence": sequence})
    cursor.execute(
        "INSERT INTO customer BY NAME SELECT exported.* REPLACE (alias.survivor AS merged_into) "
        "FROM exported_customer AS exported LEFT JOIN alias ON alias.home = exported.ordinal "
        "WHERE exported.status <> 'erased' ORDER BY exported.ordinal"
    )
    cursor.execute("DROP TABLE exported_customer")


def _consent(exported: pa.Schema, channel: str) -> str:
    """Absent means not given."""
    if f"consent_{channel}" in exported.names:
        return f"coalesce(consent_{channel}, false)"
    return f"coalesce((consents::JSON ->> '$.{channel}')::BOOLEAN, false)"


def load_holdings(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    cursor.register("exported", reader)
    cursor.execute(
        "INSERT INTO holding BY NAME SELECT home, ordinal, account, product, category, "  # noqa: S608 - ours
        "balance::DECIMAL(20, 2) AS balance, currency, as_of::DATE AS as_of, opened_on::DATE AS opened_on, "
        f"matures_on::DATE AS matures_on, coalesce(closed, false) AS closed FROM ({_OWNED})"
    )
    cursor.unregister("exported")
    cursor.execute(_LATEST)


def load_events(cursor: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader) -> None:
    cursor.register("exported", reader)
    cursor.execute(
        "INSERT INTO event BY NAME SELECT seq, home, ordinal, type, "  # noqa: S608 - ours
        "(time::TIMESTAMPTZ AT TIME ZONE 'UTC')::TIMESTAMP AS time, source, event_id, "
        "TRY_CAST(data ->> '$.amount' AS DECIMAL(20, 2)) AS amount, data ->> '$.direction' AS direction, "
        "data ->> '$.channel' AS channel, data ->> '$.product' AS product, data "
        f"FROM (SELECT * REPLACE (json(data::JSON) AS data) FROM ({_OWNED}))"
    )
    cursor.unregister("exported")
