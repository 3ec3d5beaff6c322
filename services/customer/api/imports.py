"""Bulk import: upload, follow, read what was refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from services.customer.api.access import BulkWrite
from services.customer.domain.vault import Vault
from services.customer.models import ImportRejection
from services.customer.queries import imports as queries
from services.customer.settings import CustomerSettings
from services.customer.usecases.import_proposal import propose
from services.customer.usecases.imports import ImportOrder, opened, resume_import, start_import
from services.customer.usecases.uploads import store_upload
from shared.columnar import CSV, arrow_response
from shared.contracts.base import Page
from shared.contracts.customer import ImportDataset, ImportRowError, ImportView
from shared.contracts.customer.imports import Delimiter, ImportEncoding, ImportMapping, ImportProposal, Quote
from shared.pagination import PageParams, paginate
from shared.uploads import MOST_FIELD_BYTES, file_body, file_parts, stated
from shared.web import CurrentRuntime, Router, Session, problem_responses, resource

router = Router(tags=["import and export"])
# Uploads are streamed to disk and bounded there, by `max_import_bytes`.
router.max_body_size = 2**40

ImportId = Annotated[UUID, PathParam(description="Id of the import")]
_BODY = file_body(
    "CSV with a header, or Parquet; gzip is unpacked",
    ["text/csv", "application/vnd.apache.parquet", "application/gzip"],
    {"mapping": {"type": "string"}},
)

Settings = Annotated[CustomerSettings, resource(CustomerSettings)]
TheVault = Annotated[Vault, resource(Vault)]


@dataclass
class Upload:
    """A stored file, and the form's field `mapping` when it had one. Deleted unless somebody keeps it."""

    path: Path
    mapping: str | None
    kept: bool = False


async def stored_upload(
    principal: BulkWrite, settings: Settings, vault: TheVault, request: Request
) -> AsyncIterator[Upload]:
    """The request's file on disk.

    A dependency before the session: a long upload must not hold a transaction open.
    """
    form: dict[str, str] = {}
    path = await store_upload(settings, vault, file_parts(request, form, settings.max_import_bytes))
    upload = Upload(path, form.get("mapping"))
    try:
        yield upload
    finally:
        if not upload.kept:
            path.unlink(missing_ok=True)


Stored = Annotated[Upload, Depends(stored_upload, scope="function")]
Dataset = Annotated[ImportDataset, Query(description="What the rows are")]
Filename = Annotated[str, Query(max_length=200, description="Shown with the import")]
Mapping = Annotated[
    str | None,
    Query(
        max_length=MOST_FIELD_BYTES,
        description="ImportMapping as JSON (or the form's field of that name); without it the file's columns "
        "are those of the data set",
    ),
]
Encoding = Annotated[ImportEncoding | None, Query(description="Of a CSV file; detected when left out")]
DelimiterParam = Annotated[Delimiter | None, Query(description="Of a CSV file; detected when left out")]
QuoteParam = Annotated[Quote | None, Query(description="Of a CSV file; detected when left out")]


@router.post("/imports", status_code=202, openapi_extra=_BODY, responses=problem_responses(413))
async def create_import(
    upload: Stored,
    session: Session,
    principal: BulkWrite,
    vault: TheVault,
    response: Response,
    dataset: Dataset,
    filename: Filename = "upload",
    mapping: Mapping = None,
    encoding: Encoding = None,
    delimiter: DelimiterParam = None,
    quote: QuoteParam = None,
    dry_run: Annotated[bool, Query(description="Check everything, write counts and errors only")] = False,  # noqa: FBT002
) -> ImportView:
    """Take a CSV or Parquet file and import it as a job.

    Rows that cannot be taken are reported one by one; the others are imported. The same file again changes
    nothing. The file is kept sealed: deleted when all rows are taken, for some days when the job fails or is
    cancelled, so that `:resume` can continue.
    """
    given = upload.mapping or mapping
    wanted = stated(given, ImportMapping, "mapping") if given is not None else None
    order = ImportOrder(dataset, filename, wanted, encoding, delimiter, quote, dry_run)
    row = await start_import(session, principal, vault, order, upload.path)
    upload.kept = True
    response.headers["Location"] = f"/v1/jobs/{row.job_id}"
    return queries.import_view(vault, row, row.state)


@router.post("/imports:propose", openapi_extra=_BODY, responses=problem_responses(413))
async def propose_import(
    upload: Stored,
    principal: BulkWrite,
    vault: TheVault,
    dataset: Dataset,
    encoding: Encoding = None,
    delimiter: DelimiterParam = None,
    quote: QuoteParam = None,
) -> ImportProposal:
    """Look at a file, or at the first part of a CSV file, and propose how to import it.

    Nothing is imported or kept. Values show as their forms only; where few values repeat often, and so name
    nobody, they show themselves: they are what a mapping's `values` need.
    """
    order = ImportOrder(dataset, "", None, encoding, delimiter, quote)
    return await asyncio.to_thread(lambda: propose(opened(vault, order, upload.path), dataset))


@router.post("/imports/{import_id}:resume", status_code=202, responses=problem_responses(404, 409))
async def resume_import_file(
    session: Session, principal: BulkWrite, vault: TheVault, response: Response, import_id: ImportId
) -> ImportView:
    """Continue a failed or cancelled import behind the last row it has taken, as a new job."""
    row = await resume_import(session, principal, import_id)
    response.headers["Location"] = f"/v1/jobs/{row.job_id}"
    return queries.import_view(vault, row, row.state)


@router.get("/imports/{import_id}", responses=problem_responses(404))
async def get_import(
    session: Session, principal: BulkWrite, vault: TheVault, import_id: ImportId
) -> ImportView:
    """One import and its counts so far."""
    return await queries.import_file(session, vault, import_id)


@router.get(
    "/imports/{import_id}/errors",
    response_model=Page[ImportRowError],
    responses={200: {"content": {CSV: {}}}, **problem_responses(400, 404)},
)
async def list_import_errors(
    session: Session,
    runtime: CurrentRuntime,
    principal: BulkWrite,
    vault: TheVault,
    import_id: ImportId,
    page: PageParams,
    accept: Annotated[str | None, Header(description="`text/csv` downloads all of them")] = None,
) -> Page[ImportRowError] | StreamingResponse:
    """Rows that were not taken and why, in file order; their values are not repeated."""
    await queries.import_file(session, vault, import_id)
    if accept is not None and accept.startswith(CSV):
        batches = queries.error_batches(runtime.db, principal.scope, import_id)
        return arrow_response(queries.ERRORS_SCHEMA, batches, accept)
    statement = select(ImportRejection).where(ImportRejection.import_id == import_id)
    return await paginate(
        session, statement, [ImportRejection.id], page, lambda row: queries.row_error(row[0])
    )
