"""Import jobs: the upload waits sealed on disk, the job takes it chunk by chunk, a transaction each."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.file_names import seal_name
from services.customer.domain.vault import Vault
from services.customer.models import ImportFile, ImportRejection
from services.customer.queries.imports import state_of
from services.customer.settings import CustomerSettings
from services.customer.usecases.event_kinds import EventKinds
from services.customer.usecases.import_consents import ConsentRows
from services.customer.usecases.import_customers import CustomerRows
from services.customer.usecases.import_datasets import DATASETS
from services.customer.usecases.import_events import EventRows, InteractionRows
from services.customer.usecases.import_holdings import HoldingRows
from services.customer.usecases.import_mapping import plan_of
from services.customer.usecases.import_ownership import OwnershipRows
from services.customer.usecases.import_reading import Chunk, ChunkResult, ImportReader, Intake, Rejection
from services.customer.usecases.import_relations import RelationRows
from services.customer.usecases.import_source import Dialect, ImportSource, detect
from services.customer.usecases.quarantine import Sender
from services.customer.usecases.uploads import file_key
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.imports import ImportMapping
from shared.errors import Conflict, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.jobs import CancelledJobError, JobRun, defer
from shared.service import Runtime

TASK = "import"
_COUNTS = tuple(f.name for f in fields(ChunkResult) if f.name != "rejected")

INTAKES: Mapping[str, Callable[[Runtime, ImportFile], Intake]] = {
    "customers": lambda runtime, file: CustomerRows(runtime.resource(Vault), file.created_at),
    "holdings": lambda _runtime, file: HoldingRows(file.created_at),
    "ownership": lambda _runtime, _file: OwnershipRows(),
    "relations": lambda _runtime, file: RelationRows(file.created_by, file.created_at),
    "consents": lambda runtime, _file: ConsentRows(runtime.resource(Vault)),
    "interactions": lambda runtime, file: _events(InteractionRows, runtime, file),
    "events": lambda runtime, file: _events(EventRows, runtime, file),
}


def _events(kind: type[EventRows], runtime: Runtime, file: ImportFile) -> EventRows:
    return kind(runtime.resource(Vault), runtime.resource(EventKinds), Sender(file.org_path, file.source))


@dataclass(frozen=True)
class ImportOrder:
    """What a caller wants of an uploaded file; what is None is detected."""

    dataset: str
    filename: str
    mapping: ImportMapping | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    dry_run: bool = False


class _UndoError(Exception):
    """Ends the transaction of a dry run without keeping anything of it."""


async def start_import(
    session: AsyncSession, principal: Principal, vault: Vault, order: ImportOrder, path: Path
) -> ImportFile:
    """Register an uploaded file and queue its job; 422 when its columns are not the data set's."""
    source = await asyncio.to_thread(_examined, vault, order, path)
    import_id = new_id()
    job = await defer(session, principal, TASK, {"import_id": str(import_id)})
    is_csv = source.dialect.format == "csv"
    row = ImportFile(
        id=import_id,
        job_id=job.id,
        dataset=order.dataset,
        format=source.dialect.format,
        encoding=source.dialect.encoding if is_csv else None,
        delimiter=source.dialect.delimiter if is_csv else None,
        quote=source.dialect.quote if is_csv else None,
        mapping=order.mapping.model_dump(mode="json", exclude_defaults=True) if order.mapping else None,
        dry_run=order.dry_run,
        taken=0,
        filename=seal_name(vault, import_id, order.filename),
        path=str(path),
        size_bytes=source.size,
        state="queued",
        counts={"rows": 0, "rejected": 0, **dict.fromkeys(_COUNTS, 0)},
        org_path=principal.org,
        source=principal.source,
        created_by=principal.id,
        created_at=clock.now(),
        finished_at=None,
        kept_until=None,
    )
    session.add(row)
    await session.flush()
    detail = {"dataset": order.dataset, "bytes": source.size, "dry_run": order.dry_run}
    audit(session, principal, "import", f"import/{import_id}", detail)
    return row


def opened(vault: Vault, order: ImportOrder, path: Path) -> ImportSource:
    """An uploaded file with its format, encoding and dialect as told or detected."""
    key = file_key(vault, path)
    dialect = detect(path, key, encoding=order.encoding, delimiter=order.delimiter, quote=order.quote)
    return ImportSource(path, key, dialect)


def _examined(vault: Vault, order: ImportOrder, path: Path) -> ImportSource:
    source = opened(vault, order, path)
    plan_of(DATASETS[order.dataset], source.names(), order.mapping.columns if order.mapping else None)
    return source


async def resume_import(session: AsyncSession, principal: Principal, import_id: UUID) -> ImportFile:
    """Queue a failed or cancelled import again: it continues behind the last row it has taken."""
    row = await session.get(ImportFile, import_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such import in your organisation")
    if principal.source is not None and principal.source != row.source:
        raise Forbidden("This key may only continue imports of its own source", slug="foreign-source")
    state = await state_of(session, row)
    if state not in {"failed", "cancelled"}:
        raise Conflict(f"The import is {state}: only a failed or cancelled one can be resumed")
    if not await asyncio.to_thread(Path(row.path).exists):
        raise Conflict("The file is not kept any more: upload it again", slug="file-gone")
    job = await defer(session, principal, TASK, {"import_id": str(import_id)})
    row.job_id, row.state, row.finished_at, row.kept_until = job.id, "queued", None, None
    await session.flush()
    audit(session, principal, "resume_import", f"import/{import_id}", {"after_row": row.taken})
    return row


async def run_import(job: JobRun) -> dict[str, Any]:
    """The job. Started again, after a crash or on demand, it continues behind the last committed chunk."""
    import_id = UUID(job.args["import_id"])
    file = await _begin(job, import_id)
    counts = dict(file.counts)
    intake = INTAKES[file.dataset](job.runtime, file)
    try:
        async with job.runtime.db.transaction() as session:
            await intake.begin(session)
        async with aclosing(_ahead(_reader(job, file), file, intake)) as chunks:
            async for chunk in chunks:
                await _take_chunk(job, file, intake, chunk, counts)
                await job.progress(chunk.fraction, f"row {file.taken}", counts)
    except CancelledJobError:
        await _end(job, file, "cancelled")
        raise
    except Exception:
        await _end(job, file, "failed")
        raise
    await _end(job, file, "succeeded")
    return {"import_id": str(import_id), **counts}


async def _begin(job: JobRun, import_id: UUID) -> ImportFile:
    async with job.runtime.db.transaction() as session:
        file = (await session.execute(select(ImportFile).where(ImportFile.id == import_id))).scalar_one()
        file.state = "running"
        await session.flush()
    return file


def _reader(job: JobRun, file: ImportFile) -> ImportReader:
    path = Path(file.path)
    if not path.exists():
        raise Unprocessable("The file is not kept any more: upload it again")
    defaults = Dialect("csv")
    dialect = Dialect(
        "parquet" if file.format == "parquet" else "csv",
        file.encoding or defaults.encoding,
        file.delimiter or defaults.delimiter,
        file.quote or defaults.quote,
    )
    source = ImportSource(path, file_key(job.runtime.resource(Vault), path), dialect)
    mapping = ImportMapping.model_validate(file.mapping).columns if file.mapping else None
    return ImportReader(source, file.dataset, plan_of(DATASETS[file.dataset], source.names(), mapping))


async def _ahead(reader: ImportReader, file: ImportFile, intake: Intake) -> AsyncGenerator[Chunk]:
    """Prepared chunks; while one is being written a thread reads and prepares the next."""
    chunks = reader.chunks(file.taken)

    def following() -> Chunk | None:
        chunk = next(chunks, None)
        return None if chunk is None else intake.prepare(chunk.without(_foreign(chunk, file.source)))

    coming = asyncio.ensure_future(asyncio.to_thread(following))
    try:
        while (chunk := await coming) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(following))
            yield chunk
    finally:
        await asyncio.wait([coming])
        chunks.close()


async def _take_chunk(
    job: JobRun, file: ImportFile, intake: Intake, chunk: Chunk, counts: dict[str, int]
) -> None:
    """One transaction: rows, their events in the outbox, rejections, counts and how far the file is taken."""
    scope = "*" if file.org_path == "hq" else file.org_path
    tried = await _tried(job, scope, file, intake, chunk) if file.dry_run else None
    async with job.runtime.db.transaction(scope, actor=file.created_by) as session:
        result = tried or await intake.take(session, chunk)
        _count(counts, chunk, result)
        await _reject(session, file.id, result.rejected)
        await _mark_taken(session, file, chunk.last, counts)
    file.taken = chunk.last


async def _tried(job: JobRun, scope: str, file: ImportFile, intake: Intake, chunk: Chunk) -> ChunkResult:
    """What would become of the chunk: everything is done and nothing kept."""
    result = ChunkResult(rejected=[])
    try:
        async with job.runtime.db.transaction(scope, actor=file.created_by) as session:
            result = await intake.take(session, chunk)
            raise _UndoError  # noqa: TRY301 - the one way to end the block without a commit
    except _UndoError:
        return result


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
    counts["rejected"] += len({rejection.row for rejection in result.rejected})
    for name in _COUNTS:
        counts[name] = counts.get(name, 0) + getattr(result, name)


async def _reject(session: AsyncSession, import_id: UUID, rejected: list[Rejection]) -> None:
    rows: list[Mapping[str, Any]] = [
        {"id": new_id(), "import_id": import_id, **asdict(rejection)}
        for rejection in sorted(rejected, key=lambda rejection: (rejection.row, rejection.column or ""))
    ]
    if rows:
        await session.execute(insert(ImportRejection), rows)


async def _mark_taken(session: AsyncSession, file: ImportFile, row: int, counts: dict[str, int]) -> None:
    """Two workers never take the same chunk: the second finds the mark moved, and all it did is undone."""
    marked = await session.scalar(
        update(ImportFile)
        .where(ImportFile.id == file.id, ImportFile.taken == file.taken, ImportFile.state == "running")
        .values(counts=dict(counts), taken=row)
        .returning(ImportFile.id)
    )
    if marked is None:
        raise Conflict("Another worker has taken this import over")


async def _end(job: JobRun, file: ImportFile, state: str) -> None:
    """A file that may be resumed is kept, sealed; any other does not outlive its job."""
    now = clock.now()
    resumable = state != "succeeded" and not file.dry_run
    keep = timedelta(days=job.runtime.resource(CustomerSettings).import_keep_days)
    async with job.runtime.db.transaction() as session:
        await session.execute(
            update(ImportFile)
            .where(ImportFile.id == file.id)
            .values(state=state, finished_at=now, kept_until=now + keep if resumable else None)
        )
    if not resumable:
        await asyncio.to_thread(Path(file.path).unlink, missing_ok=True)
