"""Whole data sets for other services and for analysis: no personal data."""

from typing import Annotated

from fastapi import Header, Path, Query
from fastapi.responses import StreamingResponse

from services.customer.api.access import BulkRead
from services.customer.queries.export_datasets import DATASETS
from services.customer.queries.exports import export
from shared.columnar import ARROW, CSV, NDJSON, arrow_response, negotiate
from shared.contracts.base import OrgPath, Timestamp
from shared.contracts.customer import ExportDataset
from shared.web import CurrentRuntime, Router, problem_responses

router = Router(tags=["import and export"])


_WATERMARK = {
    "Watermark": {
        "description": "Last sequence of the stream CUSTOMER before the snapshot: follow on behind it and "
        "nothing is missed; absent when the broker could not be asked",
        "schema": {"type": "string"},
    }
}


@router.get(
    "/exports/{dataset}",
    response_class=StreamingResponse,
    responses={
        200: {"content": {ARROW: {}, CSV: {}, NDJSON: {}}, "headers": _WATERMARK},
        **problem_responses(406),
    },
)
async def export_dataset(
    runtime: CurrentRuntime,
    principal: BulkRead,
    dataset: Annotated[ExportDataset, Path(description="Which data set")],
    org: Annotated[OrgPath | None, Query(description="Only this unit and below")] = None,
    since: Annotated[Timestamp | None, Query(description="Only what was recorded then or later")] = None,
    accept: Annotated[str | None, Header(description="Arrow IPC stream, CSV or NDJSON")] = None,
) -> StreamingResponse:
    """The data set within your organisation, as one consistent snapshot, streamed.

    Columns of customers, holdings and events are those of CustomersChanged, HoldingsChanged and
    CustomerEventsRecorded; `consents` and `data` are JSON text. The data set `values` has the sums of each
    customer in each month's current calculation, `consents` every word given, `ownership` every change of
    branch or managers, `shares` the parts of branches that share a customer, by day, `merges` everybody
    who was ever merged, into whom they are now, if into anybody, and since when, `erasures` who was erased.
    No data set has personal data.
    """
    chosen = DATASETS[dataset]
    negotiate(accept)
    # Asked before the snapshot begins: what is published in between is seen twice, never not at all.
    sequence = await runtime.bus.sequence_if_reachable("CUSTOMER")
    headers = {} if sequence is None else {"Watermark": str(sequence)}
    batches = export(runtime.db, principal.scope, chosen, org, since)
    return arrow_response(chosen.schema, batches, accept, headers)
