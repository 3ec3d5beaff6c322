"""Import files and their rejected rows as contracts."""

from collections.abc import AsyncIterator
from uuid import UUID

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.file_names import open_name
from services.customer.domain.vault import Vault
from services.customer.models import ImportFile, ImportRejection
from shared.contracts.customer.imports import ImportRowError, ImportView
from shared.db import Database, Job
from shared.errors import NotFound

ERRORS_SCHEMA = pa.schema([("row", pa.int64()), ("column", pa.string()), ("detail", pa.string())])
_BATCH_ROWS = 10_000


async def import_file(session: AsyncSession, vault: Vault, import_id: UUID) -> ImportView:
    row = await session.get(ImportFile, import_id)
    if row is None:
        raise NotFound("There is no such import in your organisation")
    return import_view(vault, row, await state_of(session, row))


async def state_of(session: AsyncSession, row: ImportFile) -> str:
    """As the file says, except that a job cancelled in the queue never ran to say so."""
    if (
        row.state == "queued"
        and await session.scalar(select(Job.state).where(Job.id == row.job_id)) == "cancelled"
    ):
        return "cancelled"
    return row.state


def import_view(vault: Vault, row: ImportFile, state: str) -> ImportView:
    fields = {name: getattr(row, name) for name in ImportView.model_fields}
    filename = open_name(vault, row.id, row.filename)
    return ImportView.model_validate({**fields, "filename": filename, "state": state})


def row_error(row: ImportRejection) -> ImportRowError:
    return ImportRowError(row=row.row, column=row.column, detail=row.detail)


async def error_batches(database: Database, scope: str, import_id: UUID) -> AsyncIterator[pa.RecordBatch]:
    """All rejected rows in file order, in a transaction of its own."""
    statement = (
        select(ImportRejection.row, ImportRejection.column, ImportRejection.detail)
        .where(ImportRejection.import_id == import_id)
        .order_by(ImportRejection.id)
        .execution_options(yield_per=_BATCH_ROWS)
    )
    async with database.transaction(scope) as session:
        result = await session.stream(statement)
        async for rows in result.partitions():
            columns = zip(*(tuple(row) for row in rows), strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(list(c), f.type) for c, f in zip(columns, ERRORS_SCHEMA, strict=True)],
                schema=ERRORS_SCHEMA,
            )
