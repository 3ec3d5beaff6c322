"""Business events: intake and log."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from services.customer.api.access import CustomerRead, EventPush
from services.customer.domain.intake import BATCH, LINES, SINGLE, decode, refuse_foreign_sources
from services.customer.domain.vault import Vault
from services.customer.models import CustomerEvent
from services.customer.queries.events import event_view, events_of
from services.customer.usecases.event_kinds import EventKinds
from services.customer.usecases.intake import take
from services.customer.usecases.quarantine import Sender, keep
from shared.auth import Principal
from shared.contracts.base import Page, Timestamp
from shared.contracts.customer import CloudEventIn, EventBatchResult, EventTypeName, EventView, SourceName
from shared.errors import FieldError, Forbidden, ProblemError
from shared.pagination import PageParams, paginate
from shared.web import CurrentRuntime, Router, Session, problem_responses, resource

router = Router(tags=["events"])

Kinds = Annotated[EventKinds, resource(EventKinds)]
VaultOfProcess = Annotated[Vault, resource(Vault)]

_EVENT = CloudEventIn.model_json_schema(ref_template="#/components/schemas/{model}")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            BATCH: {"schema": {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": 5000}},
            SINGLE: {"schema": _EVENT},
            LINES: {"schema": {"type": "string", "description": "One event per line"}},
        },
    }
}


@router.post(
    "/events",
    response_model=EventBatchResult,
    openapi_extra=_BODY,
    responses={
        207: {"model": EventBatchResult, "description": "Some events were refused; the others are durable"},
        **problem_responses(400, 409, 413, 415),
    },
)
async def post_events(
    session: Session,
    principal: EventPush,
    runtime: CurrentRuntime,
    vault: VaultOfProcess,
    kinds: Kinds,
    request: Request,
    verbose: Annotated[bool, Query(description="List accepted events too")] = False,  # noqa: FBT002
) -> Response:
    """Take a batch of CloudEvents. What is answered as accepted, duplicate or parked is on disk.

    The same event again is a duplicate; other content under its id is a conflict. Events of a customer
    not yet known are parked and applied when the customer arrives. Refused events are kept in quarantine;
    send them again, corrected, under the same id. A lone event that is refused answers with its problem.
    """
    await runtime.room.require()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    items = decode(await request.body(), media_type)
    refuse_foreign_sources(items, _own_source(principal))
    single = media_type == SINGLE
    result, refused = await take(session, vault, kinds, items, single=single, verbose=verbose)
    if single and result.rejected:
        # The problem undoes this transaction; what was refused is kept all the same.
        async with runtime.db.transaction(principal.scope, actor=principal.id) as own:
            await keep(own, vault, Sender.of(principal), refused)
        raise _RefusedEventError(result)
    await keep(session, vault, Sender.of(principal), refused)
    return Response(
        result.model_dump_json(exclude_none=True),
        status_code=207 if result.rejected else 200,
        media_type="application/json",
    )


@router.get("/events", responses=problem_responses(400))
async def list_events(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    page: PageParams,
    customer_id: Annotated[UUID | None, Query(description="Of this customer")] = None,
    source: Annotated[SourceName | None, Query(description="Of this source system")] = None,
    id: Annotated[str | None, Query(max_length=128, description="With this id of the source")] = None,  # noqa: A002
    type: Annotated[EventTypeName | None, Query(description="Of this type")] = None,  # noqa: A002
    since: Annotated[Timestamp | None, Query(description="Not before this time")] = None,
    until: Annotated[Timestamp | None, Query(description="Before this time")] = None,
) -> Page[EventView]:
    """Recorded events of customers you see, in order of recording."""
    statement = events_of(
        customer_id=customer_id, source=source, event_id=id, kind=type, since=since, until=until
    )
    return await paginate(session, statement, [CustomerEvent.seq], page, partial(event_view, vault))


class _RefusedEventError(ProblemError):
    """The problem of a lone event, as the answer itself."""

    def __init__(self, result: EventBatchResult) -> None:
        problem = result.items[0].problem
        if problem is None:
            raise ValueError("a refused event has a problem")
        errors = [FieldError(item.pointer, item.detail) for item in problem.errors or []]
        super().__init__(problem.detail or problem.title, errors=errors)
        self.type = problem.type
        self.status = problem.status  # type: ignore[misc]  # one class for 403, 409 and 422
        self.title = problem.title  # type: ignore[misc]


def _own_source(principal: Principal) -> str | None:
    """The source this caller speaks for; null for administrators, who may send for any."""
    if principal.source is None and not principal.has():
        raise Forbidden("Events are sent with the API key of their source system", slug="foreign-source")
    return principal.source
