"""Whole data sets as Arrow batches: one COPY, one chunk in memory, one snapshot of the database."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.csv

from services.customer.queries.export_datasets import INSTANT, Dataset
from shared.db import Database, psycopg_of

_CHUNK_BYTES = 4 * 1024 * 1024
_STATEMENT_TIMEOUT_MS = 3_600_000


async def export(
    database: Database, scope: str, dataset: Dataset, org: str | None = None, since: datetime | None = None
) -> AsyncIterator[pa.RecordBatch]:
    """The data set within an organisation scope, in a transaction that ends with the last batch.

    `org` narrows it to that unit and below, `since` to what was recorded at that time or later.
    """
    # COPY takes its parameters as text, and PostgreSQL reads no offset of sixteen hours or more.
    recorded = since.astimezone(UTC) if since else None
    async with database.transaction(scope, statement_timeout_ms=_STATEMENT_TIMEOUT_MS) as session:
        connection = await psycopg_of(session)
        async with (
            connection.cursor() as cursor,
            cursor.copy(
                f"COPY ({dataset.query}) TO STDOUT (FORMAT csv)", {"org": org, "since": recorded}
            ) as copy,
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
    wire = {field.name: pa.int64() if field.type == INSTANT else field.type for field in schema}
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
