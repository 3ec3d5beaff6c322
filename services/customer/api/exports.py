"""Whole data sets for other services and for analysis: no personal data."""

from typing import Annotated

from fastapi import Header, Path
from fastapi.responses import StreamingResponse

from services.customer.api.access import BulkRead
from services.customer.queries.exports import DATASETS, export
from shared.columnar import ARROW, CSV, NDJSON, arrow_response
from shared.contracts.customer import ExportDataset
from shared.web import CurrentRuntime, Router, problem_responses

router = Router(tags=["import and export"])


@router.get(
    "/exports/{dataset}",
    response_class=StreamingResponse,
    responses={200: {"content": {ARROW: {}, CSV: {}, NDJSON: {}}}, **problem_responses(406)},
)
async def export_dataset(
    runtime: CurrentRuntime,
    principal: BulkRead,
    dataset: Annotated[ExportDataset, Path(description="Which data set")],
    accept: Annotated[str | None, Header(description="Arrow IPC stream, CSV or NDJSON")] = None,
) -> StreamingResponse:
    """The data set within your organisation, as one consistent snapshot, streamed.

    Columns are those of the events CustomersChanged, HoldingsChanged and CustomerEventsRecorded;
    `consents` and `data` are JSON text. To follow on without a gap, note the stream's last sequence
    before the export begins.
    """
    chosen = DATASETS[dataset]
    return arrow_response(chosen.schema, export(runtime.db, principal.scope, chosen), accept)
