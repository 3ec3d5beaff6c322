"""Import jobs: the upload waits on disk, the job takes it chunk by chunk, each chunk one transaction."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.models import ImportFile, ImportRejection
from services.customer.usecases.import_customers import ChunkResult, import_customers
from services.customer.usecases.import_holdings import import_holdings
from services.customer.usecases.import_reading import Chunk, ImportReader, Rejection
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.ids import new_id
from shared.jobs import CancelledJobError, JobRun, defer

TASK = "import"
_COUNTS = ("rows", "created", "updated", "unchanged", "rejected")


async def start_import(
    session: AsyncSession, principal: Principal, dataset: str, filename: str, path: Path
) -> ImportFile:
    """Register an uploaded file and queue its job; 422 when its columns are not the data set's."""
    file_format = await asyncio.to_thread(detect_format, path)
    await asyncio.to_thread(ImportReader(path, file_format, dataset).check_columns)
    size = (await asyncio.to_thread(path.stat)).st_size
    import_id = new_id()
    job = await defer(session, principal, TASK, {"import_id": str(import_id)})
    row = ImportFile(
        id=import_id,
        job_id=job.id,
        dataset=dataset,
        format=file_format,
        filename=filename,
        path=str(path),
        size_bytes=size,
        state="queued",
        counts=dict.fromkeys(_COUNTS, 0),
        org_path=principal.org,
        source=principal.source,
        created_by=principal.id,
        created_at=clock.now(),
        finished_at=None,
    )
    session.add(row)
    await session.flush()
    await audit(session, principal, "import", f"import/{import_id}", {"dataset": dataset, "bytes": size})
    return row


def detect_format(path: Path) -> str:
    """By content: Parquet files say so in their first four bytes."""
    with path.open("rb") as file:
        return "parquet" if file.read(4) == b"PAR1" else "csv"


async def run_import(job: JobRun) -> dict[str, Any]:
    """The job. Started again after a crash it begins anew: rows already taken count as unchanged."""
    import_id = UUID(job.args["import_id"])
    file = await _begin(job, import_id)
    counts = dict.fromkeys(_COUNTS, 0)
    reader = ImportReader(Path(file.path), file.format, file.dataset)
    chunks = reader.chunks()
    try:
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            await _take_chunk(job, file, chunk, counts)
            await job.progress(reader.fraction, f"row {counts['rows']}", counts)
    except CancelledJobError:
        await _end(job, import_id, "cancelled")
        raise
    except Exception:
        await _end(job, import_id, "failed")
        raise
    finally:
        chunks.close()
    await _end(job, import_id, "succeeded")
    return {"import_id": str(import_id), **counts}


async def _begin(job: JobRun, import_id: UUID) -> ImportFile:
    async with job.runtime.db.transaction() as session:
        file = (await session.execute(select(ImportFile).where(ImportFile.id == import_id))).scalar_one()
        file.state = "running"
        await session.execute(delete(ImportRejection).where(ImportRejection.import_id == import_id))
        await session.flush()
    return file


async def _take_chunk(job: JobRun, file: ImportFile, chunk: Chunk, counts: dict[str, int]) -> None:
    """One transaction: rows, their events in the outbox, rejections and counts."""
    scope = "*" if file.org_path == "hq" else file.org_path
    chunk = chunk.without(_foreign(chunk, file.source))
    async with job.runtime.db.transaction(scope, actor=file.created_by) as session:
        if file.dataset == "customers":
            vault = job.runtime.resource(Vault)
            result = await import_customers(session, vault, chunk, file.created_at)
        else:
            result = await import_holdings(session, chunk, file.created_at)
        _count(counts, chunk, result)
        await _reject(session, file.id, result.rejected)
        await session.execute(update(ImportFile).where(ImportFile.id == file.id).values(counts=dict(counts)))


def _foreign(chunk: Chunk, source: str | None) -> list[Rejection]:
    """A source system's file may only speak of its own customers."""
    if source is None:
        return []
    return [
        Rejection(row, "source", "belongs to another system")
        for row, value in zip(chunk.rows, chunk.columns["source"], strict=True)
        if value != source
    ]


def _count(counts: dict[str, int], chunk: Chunk, result: ChunkResult) -> None:
    counts["rows"] += chunk.read
    counts["created"] += result.created
    counts["updated"] += result.updated
    counts["unchanged"] += result.unchanged
    counts["rejected"] += len({rejection.row for rejection in result.rejected})


async def _reject(session: AsyncSession, import_id: UUID, rejected: list[Rejection]) -> None:
    rows: list[Mapping[str, Any]] = [
        {"id": new_id(), "import_id": import_id, **asdict(rejection)}
        for rejection in sorted(rejected, key=lambda rejection: (rejection.row, rejection.column or ""))
    ]
    if rows:
        await session.execute(insert(ImportRejection), rows)


async def _end(job: JobRun, import_id: UUID, state: str) -> None:
    """The file holds personal data in the clear: it does not outlive its job."""
    async with job.runtime.db.transaction() as session:
        path = await session.scalar(
            update(ImportFile)
            .where(ImportFile.id == import_id)
            .values(state=state, finished_at=clock.now())
            .returning(ImportFile.path)
        )
    if path:
        await asyncio.to_thread(Path(path).unlink, missing_ok=True)
