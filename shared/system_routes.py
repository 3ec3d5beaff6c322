"""Routes every service has: its jobs, its audit log, its health."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import Row, select

from shared.audit import verify
from shared.auth import Principal, Role
from shared.contracts.base import AuditEntryView, AuditVerification, JobView, Page, Readiness
from shared.db import AuditEntry, Job
from shared.errors import Conflict, Forbidden, NotFound
from shared.jobs import view
from shared.pagination import PageParams, paginate
from shared.readiness import readiness
from shared.web import CurrentPrincipal, CurrentRuntime, Router, Session, allow, problem_responses, runtime_of

system = Router(tags=["system"])
health = APIRouter(tags=["health"])

JobId = Annotated[UUID, Path(description="Id of the job")]
Auditor = Annotated[Principal, allow(Role.auditor)]

_STREAM_SECONDS = 0.5
_ENDED = {"succeeded", "failed", "cancelled"}


async def _visible(session: Session, job_id: JobId) -> Job:
    job = await session.get(Job, job_id)
    if job is None:
        raise NotFound("There is no job with this id in your organisation.")
    return job


VisibleJob = Annotated[Job, Depends(_visible)]


@system.get("/jobs/{job_id}", responses=problem_responses(404))
async def get_job(principal: CurrentPrincipal, job: VisibleJob) -> JobView:
    """State, progress and result of background work you may see."""
    return view(job)


@system.get("/jobs/{job_id}/stream", response_class=EventSourceResponse, responses=problem_responses(404))
async def stream_job(
    runtime: CurrentRuntime, principal: CurrentPrincipal, job: VisibleJob
) -> AsyncIterator[JobView]:
    """Server-sent events: the job at each change, until it has ended."""
    # The job is looked up before the stream begins: from then on no status can tell that it is not there.
    last = view(job)
    yield last
    while last.state not in _ENDED:
        await asyncio.sleep(_STREAM_SECONDS)
        async with runtime.db.transaction(principal.scope) as session:
            current = view(await session.get_one(Job, last.id))
        if current != last:
            yield current
        last = current


@system.post("/jobs/{job_id}:cancel", responses=problem_responses(404, 409))
async def cancel_job(session: Session, principal: CurrentPrincipal, job_id: JobId) -> JobView:
    """Ask the job to stop at its next step. What it has committed stays."""
    job = await session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise NotFound("There is no job with this id in your organisation.")
    if job.principal != principal.id and not principal.has(Role.strategist):
        raise Forbidden("Only who started the job, a strategist or an administrator may cancel it.")
    if job.state in _ENDED:
        raise Conflict(f"The job has already {job.state}.")
    job.cancel_requested = True
    if job.state == "queued":
        job.state = "cancelled"
    await session.flush()
    return view(job)


@system.get("/audit")
async def list_audit(
    session: Session,
    principal: Auditor,
    page: PageParams,
    object_: Annotated[
        str | None, Query(alias="object", description="Only entries about this object")
    ] = None,
) -> Page[AuditEntryView]:
    """Who did what, newest first, within your organisation."""
    statement = select(AuditEntry)
    if object_ is not None:
        statement = statement.where(AuditEntry.object == object_)
    return await paginate(session, statement, [AuditEntry.seq], page, _entry, descending=True)


@system.post("/audit:verify")
async def verify_audit(runtime: CurrentRuntime, principal: Auditor) -> AuditVerification:
    """Recompute the hash chain over all entries; a changed, missing or inserted one shows."""
    if principal.org != "hq":
        raise Forbidden("The chain spans the bank: only head office can verify it.")
    async with runtime.db.transaction() as session:
        result = await verify(session)
    return AuditVerification(
        entries=result.entries, intact=result.broken_at is None, broken_at=result.broken_at
    )


@health.get("/healthz")
async def get_health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@health.get("/readyz", responses={503: {"model": Readiness}})
async def get_readiness(request: Request, response: Response) -> Readiness:
    """Whether it can do its work now, and what is wrong if not."""
    result = await readiness(runtime_of(request))
    response.status_code = 200 if result.ready else 503
    return result


@health.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _entry(row: Row[Any]) -> AuditEntryView:
    entry: AuditEntry = row[0]
    return AuditEntryView(**{name: getattr(entry, name) for name in AuditEntryView.model_fields})
