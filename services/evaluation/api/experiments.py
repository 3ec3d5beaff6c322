"""Experiments of any origin: a table is uploaded, the answer comes back, nothing is kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.evaluation.api.access import TableAnalyse
from services.evaluation.queries.analysis_desk import TableDesk
from shared.contracts.evaluation.analyse import AnalyseOptions, Analysis, TableDescription, TableFormat
from shared.errors import BadRequest, FieldError, Unprocessable
from shared.web import CurrentRuntime, Router, problem_responses, resource

router = Router(tags=["experiments"])
# Uploads are streamed to disk and bounded there, by `analyse_max_bytes`.
router.max_body_size = 2**40

_FILE = {"type": "string", "format": "binary"}
_OPTIONS = {"type": "string", "description": "AnalyseOptions as JSON", "contentMediaType": "application/json"}
_FORM = {
    "type": "object",
    "required": ["file", "options"],
    "properties": {"file": _FILE, "options": _OPTIONS},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A table with a header: CSV (also gzip, GB 18030), Parquet, Arrow IPC file or stream",
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "text/csv": {"schema": _FILE},
            "application/vnd.apache.parquet": {"schema": _FILE},
            "application/vnd.apache.arrow.file": {"schema": _FILE},
            "application/vnd.apache.arrow.stream": {"schema": _FILE},
        },
    }
}
_TABLE: dict[str, Any] = {
    "requestBody": {
        **_BODY["requestBody"],
        "content": {
            **_BODY["requestBody"]["content"],
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}
            },
        },
    }
}
_READ_BYTES = 1024 * 1024
_MOST_OPTIONS = 100_000
_SHOWN = 50

Desk = Annotated[TableDesk, resource(TableDesk)]


@dataclass(frozen=True)
class Upload:
    path: Path
    options: str | None
    """The form's field, when there was a form."""


async def uploaded_table(
    principal: TableAnalyse, desk: Desk, runtime: CurrentRuntime, request: Request
) -> AsyncIterator[Upload]:
    """The request's file on disk while the request lasts."""
    await runtime.room.require()
    fields: dict[str, str] = {}
    async with desk.stored(_parts(request, desk, fields)) as path:
        yield Upload(path, fields.get("options"))


Uploaded = Annotated[Upload, Depends(uploaded_table, scope="function")]
Options = Annotated[
    str | None,
    Query(
        max_length=_MOST_OPTIONS,
        description="AnalyseOptions as JSON, where the body is the file itself and not a form",
    ),
]


@router.post("/experiments:analyse", openapi_extra=_BODY, responses=problem_responses(413))
async def analyse_experiment(
    upload: Uploaded, principal: TableAnalyse, desk: Desk, options: Options = None
) -> Analysis:
    """Compare the arms of any table: differences with intervals and always-valid intervals, adjusted for
    covariates, cluster-robust; the sample ratio; whether dimensions differ. Read `warnings` first.

    Nothing is kept. What cannot be computed is null, and `warnings` say why; a file or column that cannot be
    used is a problem that says which.
    """
    return await desk.analysed(upload.path, _options(upload.options or options))


@router.post("/experiments:describe", openapi_extra=_TABLE, responses=problem_responses(413))
async def describe_table(
    upload: Uploaded,
    principal: TableAnalyse,
    desk: Desk,
    form: Annotated[TableFormat | None, Query(alias="format", description="Found out if left out")] = None,
) -> TableDescription:
    """The columns of a table and what they seem to hold, to choose from before it is analysed. Nothing is
    kept.
    """
    return await desk.described(upload.path, form)


def _options(text: str | None) -> AnalyseOptions:
    if text is None:
        raise Unprocessable(
            "The field `options` is missing: AnalyseOptions as JSON.",
            errors=[FieldError("/options", "is required")],
        )
    try:
        return AnalyseOptions.model_validate_json(text)
    except ValidationError as error:
        errors = [
            FieldError("/options" + "".join(f"/{part}" for part in one["loc"]), one["msg"][:200])
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise Unprocessable("The options are not valid.", errors=errors[:_SHOWN]) from None


async def _parts(request: Request, desk: TableDesk, fields: dict[str, str]) -> AsyncIterator[bytes]:
    """The file's bytes, sent raw or as the form field `file`; 413 before more is read than is taken."""
    stream = desk.bounded(request.stream())
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        async for part in stream:
            yield part
        return
    parser = MultiPartParser(
        request.headers,
        stream,
        max_files=1,
        max_fields=5,
        max_part_size=_MOST_OPTIONS,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"The form cannot be read: {error.message}") from error
    try:
        file, options = form.get("file"), form.get("options")
        if not isinstance(file, UploadFile):
            raise Unprocessable("The form has no file.", errors=[FieldError("/file", "is required")])
        if isinstance(options, str):
            fields["options"] = options
        while part := await file.read(_READ_BYTES):
            yield part
    finally:
        await form.close()
