"""Whole data sets as Arrow batches: one COPY, one chunk in memory, one snapshot of the database.

Columns are those of CustomerState, HoldingState and RecordedEvent; `consents` and `data` are JSON text.
`customer_id` of a fact is the survivor's now; `home_id` is whom it was recorded for, when that is another.
"""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import LiteralString

import pyarrow as pa
import pyarrow.csv

from shared.db import Database, psycopg_of

_CHUNK_BYTES = 4 * 1024 * 1024
_STATEMENT_TIMEOUT_MS = 3_600_000
_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Dataset:
    """What PostgreSQL writes as CSV and how Arrow reads it; instants travel as microseconds."""

    query: LiteralString
    schema: pa.Schema


_TEXT, _DAY, _MONEY = pa.string(), pa.date32(), pa.decimal128(18, 2)

DATASETS: dict[str, Dataset] = {
    "customers": Dataset(
        "SELECT id, ordinal, version, kind, status, org_path, primary_manager, backup_manager, gender,"
        " birth_date, occupation, industry, risk_level, risk_valid_until, customer_since, consents,"
        " merged_into FROM customer ORDER BY ordinal",
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("version", pa.int32()),
                ("kind", _TEXT),
                ("status", _TEXT),
                ("org", _TEXT),
                ("primary_manager", _TEXT),
                ("backup_manager", _TEXT),
                ("gender", _TEXT),
                ("birth_date", _DAY),
                ("occupation", _TEXT),
                ("industry", _TEXT),
                ("risk_level", _TEXT),
                ("risk_valid_until", _DAY),
                ("customer_since", _DAY),
                ("consents", _TEXT),
                ("merged_into", _TEXT),
            ]
        ),
    ),
    "holdings": Dataset(
        "SELECT coalesce(s.id, c.id), coalesce(s.ordinal, c.ordinal), d.account, h.product, p.category,"
        " d.balance, h.currency, d.as_of, h.opened_on, h.matures_on, coalesce(h.closed_on = d.as_of, false),"
        " CASE WHEN s.id IS NOT NULL THEN c.id END, CASE WHEN s.id IS NOT NULL THEN c.ordinal END"
        " FROM holding h"
        # Closed on the day it was closed: it was open before, and a balance told later opens it again.
        # An account whose balance nobody has told yet has no day: it is exported as the present knows it.
        " JOIN (SELECT customer_id, account, as_of, balance FROM holding_day UNION ALL"
        "       SELECT customer_id, account, as_of, balance FROM holding WHERE measured_at < '1900-01-02') d"
        " USING (customer_id, account) JOIN customer c ON c.id = h.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into JOIN product p ON p.code = h.product",
        pa.schema(
            [
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("account", _TEXT),
                ("product", _TEXT),
                ("category", _TEXT),
                ("balance", _MONEY),
                ("currency", _TEXT),
                ("as_of", _DAY),
                ("opened_on", _DAY),
                ("matures_on", _DAY),
                ("closed", pa.bool_()),
                ("home_id", _TEXT),
                ("home_ordinal", pa.int64()),
            ]
        ),
    ),
    "events": Dataset(
        "SELECT e.seq, e.event_id, e.source, e.type, coalesce(s.id, c.id),"
        " coalesce(s.ordinal, c.ordinal), (extract(epoch FROM e.time) * 1000000)::bigint, e.data,"
        " CASE WHEN s.id IS NOT NULL THEN c.id END, CASE WHEN s.id IS NOT NULL THEN c.ordinal END"
        " FROM customer_event e JOIN customer c ON c.id = e.customer_id"
        " LEFT JOIN customer s ON s.id = c.merged_into ORDER BY e.seq",
        pa.schema(
            [
                ("seq", pa.int64()),
                ("event_id", _TEXT),
                ("source", _TEXT),
                ("type", _TEXT),
                ("customer_id", _TEXT),
                ("ordinal", pa.int64()),
                ("time", _INSTANT),
                ("data", _TEXT),
                ("home_id", _TEXT),
                ("home_ordinal", pa.int64()),
            ]
        ),
    ),
}


async def export(database: Database, scope: str, dataset: Dataset) -> AsyncIterator[pa.RecordBatch]:
    """The data set within an organisation scope, in a transaction that ends with the last batch."""
    async with database.transaction(scope, statement_timeout_ms=_STATEMENT_TIMEOUT_MS) as session:
        connection = await psycopg_of(session)
        async with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY ({dataset.query}) TO STDOUT (FORMAT csv)") as copy,
        ):
            buffer = bytearray()
            async for part in copy:
                buffer += part
                if len(buffer) >= _CHUNK_BYTES:
                    for batch in _batches(dataset.schema, bytes(buffer)):
                        yield batch
                    buffer.clear()
            if buffer:
                for batch in _batches(dataset.schema, bytes(buffer)):
                    yield batch


def _batches(schema: pa.Schema, rows: bytes) -> list[pa.RecordBatch]:
    """CSV rows as written by COPY: PostgreSQL hands over whole rows, and no value holds a line break."""
    wire = {field.name: pa.int64() if field.type == _INSTANT else field.type for field in schema}
    table = pyarrow.csv.read_csv(
        io.BytesIO(rows),
        read_options=pyarrow.csv.ReadOptions(column_names=schema.names, use_threads=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=wire,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return list(table.cast(schema).to_batches())
