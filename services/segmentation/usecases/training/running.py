"""The job that trains a model: read, train in a thread, store all or nothing.

A repetition after a killed worker trains again; a run that was stored before the worker died is left as
it is. One training at a time in a process: each may take all the memory there is for it.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from threadpoolctl import threadpool_limits

from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.models import Model, ModelRun
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.memberships import members_by_key
from services.segmentation.queries.models import clusters_of
from services.segmentation.queries.scores import GROUP, kept_inputs, score_columns
from services.segmentation.store.store import Store, position
from services.segmentation.usecases.feed import STREAM
from services.segmentation.usecases.training.framework import Inputs, Kind, Previous, Training
from services.segmentation.usecases.training.kinds import KINDS
from services.segmentation.usecases.training.results import Outcome, group_of, result_digest, store_result
from shared import clock
from shared import pulse as pulses
from shared.contracts.base import Schema
from shared.contracts.segmentation import DataWindow, ModelKind, RunState
from shared.contracts.segmentation.models import Reproduction
from shared.errors import Unavailable, Unprocessable
from shared.jobs import CancelledJobError, JobRun
from shared.pulse import Pulse

Result = TypeVar("Result")

RUN = "run-model"
REPRODUCE = "reproduce-model-run"
_TRAINED_SHARE = 0.9
_TURN = threading.Semaphore(1)


async def run_model(job: JobRun) -> dict[str, Any]:
    run_id = UUID(job.args["run_id"])
    async with job.runtime.db.transaction() as session:
        run = await session.get_one(ModelRun, run_id, with_for_update=True)
        if run.state == RunState.succeeded:
            return {"run_id": str(run_id)}
        run.state = RunState.running
        run.problem = run.finished_at = None
    try:
        outcome = await _train(job, run_id)
        await job.progress(_TRAINED_SHARE, "saving")
    except CancelledJobError:
        await _end(job, run_id, RunState.cancelled, None)
        raise
    except ValueError as error:
        await _end(job, run_id, RunState.failed, str(error))
        raise Unprocessable(str(error)) from error
    except asyncio.CancelledError as error:
        problem = "The worker was stopped during the run: start it again."
        await _end(job, run_id, RunState.failed, problem)
        raise Unavailable(problem) from error
    except BaseException:
        await _end(job, run_id, RunState.failed, "The run did not finish; the log of the worker says why.")
        raise
    async with job.runtime.db.transaction() as session:
        await store_result(session, run_id, outcome)
    return {"run_id": str(run_id), "clusters": len(outcome.trained.groups)}


async def _train(job: JobRun, run_id: UUID) -> Outcome:
    async with job.runtime.db.transaction() as session:
        run = await session.get_one(ModelRun, run_id)
        kind, parameters = await asked(session, run)
        previous = await previous_of(session, run)
        segments = await members_by_key(session, kind.segments(parameters))
        catalogue = await load_catalogue(session)
    inputs, moment = Inputs(), Moment(clock.now(), clock.ZONE)

    def work(pulse: Pulse) -> Outcome:
        with job.runtime.resource(Store).read() as cursor:
            sequence = position(cursor, STREAM) or 0
            training = Training(
                cursor, parameters, moment, seed_of(parameters), previous, inputs, pulse, segments, catalogue
            )
            trained = kind.train(training)
        window = DataWindow(evaluated_at=moment.at, stream_sequence=sequence, customers=len(trained.ordinals))
        return Outcome(trained, inputs, window, previous.run_id if previous else None)

    return await in_thread(job, work)


async def reproduce_run(job: JobRun) -> dict[str, Any]:
    """Trains a run again from what it had read, with its seed, and notes whether all came out the same."""
    run_id = UUID(job.args["run_id"])
    async with job.runtime.db.transaction() as session:
        run = await session.get_one(ModelRun, run_id)
        kind, parameters = await asked(session, run)
        previous = None
        if run.previous_run_id is not None:
            previous = await _as_previous(session, await session.get_one(ModelRun, run.previous_run_id))
        inputs = Inputs(await kept_inputs(session, run_id), replayed=True)
        window = DataWindow.model_validate(run.window)
        before = run.result_digest
        catalogue = await load_catalogue(session)
    moment = Moment(window.evaluated_at, clock.ZONE)

    def work(pulse: Pulse) -> str:
        with job.runtime.resource(Store).read() as cursor:
            return result_digest(
                kind.train(
                    Training(
                        cursor,
                        parameters,
                        moment,
                        seed_of(parameters),
                        previous,
                        inputs,
                        pulse,
                        catalogue=catalogue,
                    )
                )
            )

    digest = await in_thread(job, work)
    found = Reproduction(at=clock.now(), same=digest == before, result_digest=digest)
    async with job.runtime.db.transaction() as session:
        told = found.model_dump(mode="json")
        await session.execute(update(ModelRun).where(ModelRun.id == run_id).values(reproduction=told))
    return {"run_id": str(run_id), "same": found.same}


async def in_thread(job: JobRun, work: Callable[[Pulse], Result]) -> Result:
    """`work(pulse)` in a thread, on one core of the numeric libraries: sums by several threads differ in
    their last bits from run to run.
    """

    def turn(pulse: Pulse) -> Result:
        while not _TURN.acquire(timeout=pulses.LOOK_SECONDS):
            pulse.check()
        try:
            with threadpool_limits(1):
                return work(pulse)
        finally:
            _TURN.release()

    return await pulses.in_thread(job, turn, end=_TRAINED_SHARE)


async def asked(session: AsyncSession, run: ModelRun) -> tuple[Kind, Schema]:
    """The run's kind and its parameters as the kind reads them."""
    model = await session.get_one(Model, run.model_id)
    kind = KINDS[ModelKind(model.kind)]
    return kind, kind.parameters.model_validate(run.parameters)


async def previous_of(session: AsyncSession, run: ModelRun) -> Previous | None:
    """The newest run of the model before this one that succeeded."""
    found = await session.scalar(
        select(ModelRun)
        .where(
            ModelRun.model_id == run.model_id,
            ModelRun.number < run.number,
            ModelRun.state == RunState.succeeded,
        )
        .order_by(ModelRun.number.desc())
        .limit(1)
    )
    return await _as_previous(session, found) if found is not None else None


async def _as_previous(session: AsyncSession, run: ModelRun) -> Previous:
    columns = await score_columns(session, run.id)
    return Previous(
        run_id=run.id,
        number=run.number,
        groups=[group_of(row) for row in await clusters_of(session, run.id)],
        report=run.report or {},
        ordinals=columns["ordinal"],
        labels=columns.get(GROUP),
        scores={name: values for name, values in columns.items() if name not in {"ordinal", GROUP}},
    )


def seed_of(parameters: Schema) -> int:
    """0 for kinds that draw no random numbers."""
    return int(getattr(parameters, "seed", 0))


async def _end(job: JobRun, run_id: UUID, state: RunState, problem: str | None) -> None:
    async with job.runtime.db.transaction() as session:
        await session.execute(
            update(ModelRun)
            .where(ModelRun.id == run_id, ModelRun.state == RunState.running)
            .values(state=state, problem=problem, finished_at=clock.now())
        )
