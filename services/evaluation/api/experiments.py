"""Experiments of any origin: a table is uploaded, the answer comes back, nothing is kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Query, Request

from services.evaluation.api.access import TableAnalyse
from services.evaluation.queries.analysis_desk import TableDesk
from shared.contracts.evaluation.analyse import AnalyseOptions, Analysis, TableDescription, TableFormat
from shared.errors import FieldError, Unprocessable
from shared.uploads import MOST_FIELD_BYTES, file_body, file_parts, stated
from shared.web import CurrentRuntime, Router, problem_responses, resource

router = Router(tags=["experiments"])
# Uploads are streamed to disk and bounded there, by `analyse_max_bytes`.
router.max_body_size = 2**40

_TAKEN = "A table with a header: CSV (also gzip, GB 18030), Parquet, Arrow IPC file or stream"
_TYPES = (
    "text/csv",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.arrow.stream",
)
_ADVICE = ": analyse larger files in a shell"
_OPTIONS = {"type": "string", "description": "AnalyseOptions as JSON", "contentMediaType": "application/json"}

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
    async with desk.stored(file_parts(request, fields, desk.most_bytes, _ADVICE)) as path:
        yield Upload(path, fields.get("options"))


Uploaded = Annotated[Upload, Depends(uploaded_table, scope="function")]
Options = Annotated[
    str | None,
    Query(
        max_length=MOST_FIELD_BYTES,
        description="AnalyseOptions as JSON, where the body is the file itself and not a form",
    ),
]


@router.post(
    "/experiments:analyse",
    openapi_extra=file_body(_TAKEN, _TYPES, {"options": _OPTIONS}, ["options"]),
    responses=problem_responses(413),
)
async def analyse_experiment(
    upload: Uploaded, principal: TableAnalyse, desk: Desk, options: Options = None
) -> Analysis:
    """Compare the arms of any table: differences with intervals and always-valid intervals, adjusted for
    covariates, cluster-robust; the sample ratio; whether dimensions differ. Read `warnings` first.

    Nothing is kept. What cannot be computed is null, and `warnings` say why; a file or column that cannot be
    used is a problem that says which.
    """
    return await desk.analysed(upload.path, _options(upload.options or options))


@router.post(
    "/experiments:describe", openapi_extra=file_body(_TAKEN, _TYPES), responses=problem_responses(413)
)
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
    return stated(text, AnalyseOptions, "options")
