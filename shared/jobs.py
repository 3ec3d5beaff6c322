"""Background jobs: deferred inside the request's transaction, run by procrastinate, seen as /v1/jobs."""

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import procrastinate
import structlog
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.auth import Principal
from shared.contracts.base import JobView
from shared.db import Job
from shared.errors import ProblemError
from shared.ids import new_id
from shared.problems import is_passing, problem_of, took_too_long
from shared.service import Runtime

logger = structlog.get_logger()

_TASK = "run"
_STALLED_SECONDS = 15.0
_HEARTBEAT_SECONDS = 5.0
_CONCURRENCY = 4
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE = 20

_DEFER = text("""
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('default', :task, 0, NULL, NULL, CAST(:args AS jsonb), NULL)::procrastinate_job_to_defer_v1
    ])
""")


class CancelledJobError(Exception):
    """The caller cancelled; raised by `progress`, let it through."""


async def defer(session: AsyncSession, principal: Principal, task: str, args: Mapping[str, Any]) -> JobView:
    """Queue `task` if and only if the session's transaction commits. Answer 202 with `location_of(job)`."""
    job = Job(
        id=new_id(), task=task, args=dict(args), principal=principal.id, org_path=principal.org, counts={}
    )
    session.add(job)
    await session.flush()
    await session.refresh(job)
    await session.execute(_DEFER, {"task": _TASK, "args": orjson.dumps({"job_id": str(job.id)}).decode()})
    return view(job)


def location_of(job: JobView) -> str:
    return f"/v1/jobs/{job.id}"


def view(job: Job) -> JobView:
    return JobView.model_validate(
        {name: getattr(job, name) for name in JobView.model_fields if getattr(job, name) is not None}
    )


@dataclass(frozen=True)
class JobRun:
    """What a task is given."""

    id: UUID
    args: dict[str, Any]
    principal: str
    runtime: Runtime

    async def progress(
        self, fraction: float, step: str | None = None, counts: Mapping[str, int] | None = None
    ) -> None:
        """Show how far it is (0..1), in a transaction of its own; a cancellation takes effect here."""
        values: dict[str, Any] = {"progress": min(max(fraction, 0.0), 1.0)}
        if step is not None:
            values["step"] = step
        if counts is not None:
            values["counts"] = dict(counts)
        async with self.runtime.db.transaction() as session:
            cancelled = await session.scalar(
                update(Job).where(Job.id == self.id).values(**values).returning(Job.cancel_requested)
            )
        if cancelled:
            raise CancelledJobError


async def run_jobs(runtime: Runtime) -> None:
    """Run this service's jobs until cancelled, and take up those whose worker died."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=runtime.db.conninfo, min_size=1, max_size=6)
    )

    @app.task(name=_TASK)
    async def run(job_id: str) -> None:
        await _run(runtime, UUID(job_id))

    async with app.open_async():
        rescue = asyncio.create_task(_rescue_stalled(app))
        try:
            await app.run_worker_async(
                concurrency=_CONCURRENCY,
                install_signal_handlers=False,
                shutdown_graceful_timeout=10,
                update_heartbeat_interval=_HEARTBEAT_SECONDS,
                stalled_worker_timeout=_STALLED_SECONDS,
                delete_jobs="successful",
            )
        finally:
            rescue.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rescue


async def _rescue_stalled(app: procrastinate.App) -> None:
    while True:
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS)
        for job in stalled:
            logger.warning("job_rescued", job=job.task_kwargs.get("job_id"))
            await app.job_manager.retry_job(job)
        await asyncio.sleep(_HEARTBEAT_SECONDS)


async def _run(runtime: Runtime, job_id: UUID) -> None:
    """To its end, whatever the database does meanwhile: a job it interrupts begins again when it is back. One
    whose statement took too long has failed.

    To procrastinate the worker lives, so nobody else would take the job up.
    """
    for attempt in itertools.count(1):
        try:
            await _attempt(runtime, job_id, last=attempt >= _ATTEMPTS)
        except (DBAPIError, PoolTimeoutError) as error:
            if not is_passing(error):
                raise
            logger.warning("job_interrupted", job=str(job_id), attempt=attempt, error=type(error).__name__)
            await asyncio.sleep(min(attempt, _LONGEST_PAUSE) * _PAUSE_SECONDS)
        else:
            return


async def _attempt(runtime: Runtime, job_id: UUID, *, last: bool) -> None:
    async with runtime.db.transaction() as session:
        job = (await session.execute(select(Job).where(Job.id == job_id).with_for_update())).scalar_one()
        if job.state not in {"queued", "running"}:
            return
        job.state = "running"
        job.started_at = func.clock_timestamp()
        await session.flush()
    run = JobRun(job_id, dict(job.args), job.principal, runtime)
    try:
        result = await runtime.service.tasks[job.task](run)
    except CancelledJobError:
        await _finish(runtime, job_id, state="cancelled")
    except ProblemError as error:
        await _finish(runtime, job_id, state="failed", problem=_document(error, job_id))
    except Exception as error:
        if is_passing(error) and not took_too_long(error) and not last:
            raise
        logger.exception("job_failed", job=str(job_id), task=job.task)
        await _finish(runtime, job_id, state="failed", problem=_document(error, job_id))
    else:
        await _finish(runtime, job_id, state="succeeded", progress=1.0, result=result)


def _document(error: Exception, job_id: UUID) -> dict[str, Any]:
    return problem_of(error, str(job_id)).model_dump(exclude_none=True)


async def _finish(runtime: Runtime, job_id: UUID, **values: Any) -> None:
    async with runtime.db.transaction() as session:
        await session.execute(
            update(Job).where(Job.id == job_id).values(finished_at=func.clock_timestamp(), **values)
        )
