"""Refused events: look, repair the cause, try again or give up."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from services.customer.api.access import PersonalRead, QuarantineRead, QuarantineWrite
from services.customer.api.events import Kinds, VaultOfProcess
from services.customer.queries import quarantine as queries
from services.customer.usecases import replaying
from services.customer.usecases.quarantine import unseal
from shared.audit import audit
from shared.contracts.base import JobView, Page, Timestamp
from shared.contracts.customer import EventTypeName, SourceName
from shared.contracts.customer.intake import (
    QuarantinedEventView,
    QuarantineDiscard,
    QuarantineDiscarded,
    QuarantinedPayload,
    QuarantineFilter,
    QuarantineReason,
    QuarantineReplay,
    QuarantineSelection,
    QuarantineState,
    QuarantineSummary,
)
from shared.errors import Forbidden
from shared.jobs import defer, location_of
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["quarantine"])

RefusedId = Annotated[UUID, Path(description="Id of the refused event")]


@router.get("/quarantine", responses=problem_responses(400))
async def list_quarantine(
    session: Session,
    principal: QuarantineRead,
    page: PageParams,
    source: Annotated[SourceName | None, Query(description="Of this source system")] = None,
    type: Annotated[EventTypeName | None, Query(description="That claim this type")] = None,  # noqa: A002
    reason: Annotated[QuarantineReason | None, Query(description="Refused for this")] = None,
    state: Annotated[
        QuarantineState | None, Query(description="`open` are those still to be dealt with")
    ] = None,
    since: Annotated[Timestamp | None, Query(description="Received not before this time")] = None,
    until: Annotated[Timestamp | None, Query(description="Received before this time")] = None,
) -> Page[QuarantinedEventView]:
    """Refused events in order of arrival, without what they contain. A source system sees its own."""
    condition = QuarantineFilter(source=source, type=type, reason=reason, since=since, until=until)
    statement = queries.refused_events(condition, principal.source, state)
    return await queries.list_refused(session, statement, page)


@router.get("/quarantine/summary")
async def get_quarantine_summary(session: Session, principal: QuarantineRead) -> QuarantineSummary:
    """Open refused events by source, type and reason."""
    return await queries.summary(session, principal.source)


@router.get("/quarantine/{refused_id}", responses=problem_responses(404))
async def get_quarantined_event(
    session: Session, principal: QuarantineRead, vault: VaultOfProcess, refused_id: RefusedId
) -> QuarantinedPayload:
    """One refused event as it was sent: for those who may see personal data; every such read is audited."""
    if not principal.has(*PersonalRead):
        raise Forbidden("What an event contains is for those who may see personal data")
    row = await queries.refused_event(session, refused_id, principal.source)
    payload = unseal(vault, row.id, row.sealed).decode("utf-8", "replace") if row.sealed else None
    audit(session, principal, "reveal_payload", f"quarantine/{refused_id}", org_path=row.org_path)
    return QuarantinedPayload(**queries.fields_of(row, kept=row.sealed is not None), payload=payload)


@router.post(
    "/quarantine:replay",
    response_model=QuarantineReplay,
    responses={202: {"model": JobView, "description": "More than 1,000 events: done as a job"}},
)
async def replay_quarantine(
    session: Session,
    principal: QuarantineWrite,
    vault: VaultOfProcess,
    kinds: Kinds,
    body: QuarantineSelection,
) -> QuarantineReplay | Response:
    """Take open events again, oldest first, under their own ids, when the cause has been repaired.

    What is taken is closed; what is still refused stays open with its present reasons.
    """
    rows = replaying.selected(body, principal.source)
    size = await replaying.count(session, rows)
    if size > replaying.AT_ONCE:
        job = await defer(session, principal, replaying.TASK, replaying.job_arguments(body, principal, size))
        audit(session, principal, "replay", "quarantine", {"job": str(job.id), "events": size})
        return Response(
            job.model_dump_json(),
            status_code=202,
            media_type="application/json",
            headers={"Location": location_of(job)},
        )
    result, _last = await replaying.replay(session, vault, kinds, rows, replaying.AT_ONCE)
    audit(session, principal, "replay", "quarantine", result.model_dump())
    return result


@router.post("/quarantine:discard")
async def discard_quarantine(
    session: Session, principal: QuarantineWrite, body: QuarantineDiscard
) -> QuarantineDiscarded:
    """Close open events that will never be taken, with the reason. They are deleted when they expire."""
    rows = replaying.selected(body, principal.source)
    discarded = await replaying.discard(session, rows, principal.id, body.because)
    audit(session, principal, "discard", "quarantine", {"events": discarded})
    return QuarantineDiscarded(discarded=discarded)
