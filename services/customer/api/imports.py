"""Bulk import: upload, follow, read what was refused."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from starlette.datastructures import UploadFile

from services.customer.api.access import BulkWrite
from services.customer.models import ImportRejection
from services.customer.queries import imports as queries
from services.customer.settings import CustomerSettings
from services.customer.usecases.imports import start_import
from services.customer.usecases.uploads import store_upload
from shared.columnar import CSV, arrow_response
from shared.contracts.base import Page
from shared.contracts.customer import ImportDataset, ImportRowError, ImportView
from shared.errors import FieldError, Unprocessable
from shared.pagination import PageParams, paginate
from shared.web import CurrentRuntime, Router, Session, problem_responses, resource

router = Router(tags=["import and export"])
# Uploads are streamed to disk and bounded there, by `max_import_bytes`.
router.max_body_size = 2**40

ImportId = Annotated[UUID, Path(description="Id of the import")]
_FILE = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": _FILE},
            "application/vnd.apache.parquet": {"schema": _FILE},
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}
            },
        },
    }
}
_READ_BYTES = 1024 * 1024


@router.post("/imports", status_code=202, openapi_extra=_BODY, responses=problem_responses(413))
async def create_import(
    session: Session,
    principal: BulkWrite,
    settings: Annotated[CustomerSettings, resource(CustomerSettings)],
    request: Request,
    response: Response,
    dataset: Annotated[ImportDataset, Query(description="What the rows are")],
    filename: Annotated[str, Query(max_length=200, description="Shown with the import")] = "upload",
) -> ImportView:
    """Take a CSV (UTF-8, with header) or Parquet file and import it as a job.

    Rows that cannot be taken are reported one by one; the others are imported. The same file again
    changes nothing.
    """
    path = await store_upload(settings, _parts(request))
    try:
        row = await start_import(session, principal, dataset, filename, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    response.headers["Location"] = f"/v1/jobs/{row.job_id}"
    return queries.import_view(row)


@router.get("/imports/{import_id}", responses=problem_responses(404))
async def get_import(session: Session, principal: BulkWrite, import_id: ImportId) -> ImportView:
    """One import and its counts so far."""
    return await queries.import_file(session, import_id)


@router.get(
    "/imports/{import_id}/errors",
    response_model=Page[ImportRowError],
    responses={200: {"content": {CSV: {}}}, **problem_responses(400, 404)},
)
async def list_import_errors(
    session: Session,
    runtime: CurrentRuntime,
    principal: BulkWrite,
    import_id: ImportId,
    page: PageParams,
    accept: Annotated[str | None, Header(description="`text/csv` downloads all of them")] = None,
) -> Page[ImportRowError] | StreamingResponse:
    """Rows that were not taken and why, in file order; their values are not repeated."""
    await queries.import_file(session, import_id)
    if accept is not None and accept.startswith(CSV):
        batches = queries.error_batches(runtime.db, principal.scope, import_id)
        return arrow_response(queries.ERRORS_SCHEMA, batches, accept)
    statement = select(ImportRejection).where(ImportRejection.import_id == import_id)
    return await paginate(
        session, statement, [ImportRejection.id], page, lambda row: queries.row_error(row[0])
    )


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """The file's bytes, sent raw or as the form field `file` (which Starlette spools to disk)."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        async for part in request.stream():
            yield part
        return
    async with request.form(max_files=1, max_fields=5) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Unprocessable("The form has no file", errors=[FieldError("/file", "is required")])
        while part := await file.read(_READ_BYTES):
            yield part
