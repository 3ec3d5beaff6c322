"""Models: declare, run, approve a run, train it again to see that it comes out the same."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Model, ModelInput, ModelRun, Segment
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.models import next_number
from services.segmentation.queries.past import not_known_then
from services.segmentation.usecases.declaring import insert_new
from services.segmentation.usecases.training.features import not_numeric
from services.segmentation.usecases.training.kinds import KINDS
from services.segmentation.usecases.training.running import REPRODUCE, RUN
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.segmentation import ModelCreate, ModelKind, RunState, SegmentState
from shared.errors import Conflict, FieldError, Forbidden, Unprocessable
from shared.ids import new_id
from shared.jobs import defer


async def create_model(session: AsyncSession, principal: Principal, wanted: ModelCreate) -> Model:
    """Raises `Unprocessable` for parameters the kind cannot use, `Conflict` for a taken key."""
    kind = KINDS[ModelKind(wanted.kind)]
    catalogue = await load_catalogue(session)
    errors = kind.check(wanted.parameters)
    unusable = not_known_then if kind.of_the_past else not_numeric
    errors += [
        FieldError(pointer, problem)
        for pointer, key in kind.features(wanted.parameters)
        if (problem := unusable(key, catalogue))
    ]
    if errors:
        errors.sort(key=lambda error: error.pointer)
        raise Unprocessable("The model cannot be trained like this.", errors=errors)
    await _check_segments(session, kind.segments(wanted.parameters))
    created = await insert_new(
        session,
        Model,
        "model",
        id=new_id(),
        key=wanted.key,
        name=wanted.name.model_dump(),
        kind=wanted.kind,
        goal=wanted.goal,
        success=wanted.success,
        needs_approval=wanted.needs_approval,
        parameters=wanted.parameters.model_dump(),
        created_by=principal.id,
        created_at=clock.now(),
    )
    audit(session, principal, "create", f"model/{created.key}")
    return created


async def start_run(session: AsyncSession, principal: Principal, model: Model) -> tuple[ModelRun, JobView]:
    """Queues a run of the model as it is now. `model` is locked: runs are numbered one after another."""
    run = ModelRun(
        id=new_id(),
        model_id=model.id,
        number=await next_number(session, model.id),
        state=RunState.queued,
        parameters=model.parameters,
        created_by=principal.id,
        created_at=clock.now(),
    )
    session.add(run)
    await session.flush()
    job = await defer(session, principal, RUN, {"run_id": str(run.id)})
    run.job_id = job.id
    await session.flush()
    audit(session, principal, "run", f"model/{model.key}", {"run": str(run.id)})
    return run, job


async def approve_run(session: AsyncSession, principal: Principal, run: ModelRun, note: str) -> None:
    """Somebody other than who trained it takes the result for good. `run` is locked."""
    if run.approved_at is not None:
        raise Conflict(f"The run was approved by {run.approved_by}.")
    if run.created_by == principal.id:
        raise Forbidden("Who trained a model does not approve it.")
    run.approved_by, run.approved_at, run.approval_note = principal.id, clock.now(), note
    await session.flush()
    audit(session, principal, "approve", f"model-run/{run.id}")


async def request_reproduction(session: AsyncSession, principal: Principal, run: ModelRun) -> JobView:
    """Trains again from what the run had read. Raises `Conflict` when that is no longer kept."""
    kept = await session.scalar(select(ModelInput.run_id).where(ModelInput.run_id == run.id).limit(1))
    if kept is None:
        raise Conflict("What the run read is kept for the newest runs of a model and for approved ones only.")
    job = await defer(session, principal, REPRODUCE, {"run_id": str(run.id)})
    audit(session, principal, "reproduce", f"model-run/{run.id}")
    return job


async def _check_segments(session: AsyncSession, keys: Sequence[str]) -> None:
    """The segments a kind reads exist and are live."""
    live = set(
        await session.scalars(
            select(Segment.key).where(Segment.key.in_(keys), Segment.state == SegmentState.live)
        )
    )
    errors = [
        FieldError(f"/parameters/strategic/{index}", f"there is no live segment '{key}'")
        for index, key in enumerate(keys)
        if key not in live
    ]
    if errors:
        raise Unprocessable("The model cannot be trained like this.", errors=errors)
