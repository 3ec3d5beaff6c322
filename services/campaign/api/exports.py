"""Everything that stores of other services learn from the stream of campaigns, in bulk."""

from typing import Annotated

from fastapi import Header
from fastapi.responses import StreamingResponse

from services.campaign.api.access import BulkReader
from services.campaign.queries.told import KEPT
from shared.audit import audit
from shared.columnar import ARROW, CSV, NDJSON, arrow_response, negotiate
from shared.told import SCHEMA
from shared.web import CurrentRuntime, Router, Session, problem_responses

router = Router(tags=["exports"])

_WATERMARK = {
    "Watermark": {
        "description": "Last sequence of the stream CAMPAIGN before the snapshot: follow on behind it and "
        "nothing is missed; absent when the broker could not be asked",
        "schema": {"type": "string"},
    }
}


@router.get(
    "/exports/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {ARROW: {}, CSV: {}, NDJSON: {}}, "headers": _WATERMARK},
        **problem_responses(406),
    },
)
async def export_events(
    runtime: CurrentRuntime,
    principal: BulkReader,
    session: Session,
    accept: Annotated[str | None, Header(description="Arrow IPC stream, CSV or NDJSON")] = None,
) -> StreamingResponse:
    """All that was ever told of assignments, contacts, referrals, opportunities and feedback, in the order it
    was told, as one consistent snapshot, streamed: `event` is the CloudEvent that the stream had. For
    services that make their stores anew, at head office: it says who is held out.
    """
    negotiate(accept)
    # Asked before the snapshot begins: what is published in between is seen twice, never not at all.
    sequence = await runtime.bus.sequence_if_reachable("CAMPAIGN")
    headers = {} if sequence is None else {"Watermark": str(sequence)}
    audit(session, principal, "export_events", "events", {"watermark": sequence})
    return arrow_response(SCHEMA, KEPT.export(runtime.db), accept, headers)
