"""Models and their runs as rows."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from services.segmentation.models import Model, ModelCluster, ModelRun
from shared.contracts.base import LocalText
from shared.contracts.segmentation import (
    ClusterProfile,
    ClusterSize,
    DataWindow,
    ModelKind,
    ModelRunView,
    ModelView,
    RunState,
)
from shared.contracts.segmentation.models import Approval, GroupRule, ModelParameters
from shared.db import Job
from shared.errors import Conflict, NotFound

PARAMETERS: TypeAdapter[ModelParameters] = TypeAdapter(ModelParameters)
"""Kinds differ in the names of their parameters; where they do not, the first kind reads them."""
_OPEN = {RunState.queued, RunState.running}


async def find_model(session: AsyncSession, model_id: UUID, *, for_update: bool = False) -> Model:
    model = await session.get(Model, model_id, with_for_update=for_update or None)
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    return model


async def find_run(session: AsyncSession, run_id: UUID, *, for_update: bool = False) -> ModelRun:
    run = await session.get(ModelRun, run_id, with_for_update=for_update or None)
    if run is None:
        raise NotFound(f"There is no model run {run_id}.")
    return run


async def finished_run(session: AsyncSession, run_id: UUID, *, for_update: bool = False) -> ModelRun:
    run = await find_run(session, run_id, for_update=for_update)
    if run.state != RunState.succeeded:
        raise Conflict(f"The run is {run.state}: it has no result.")
    return run


async def clusters_of(session: AsyncSession, run_id: UUID) -> list[ModelCluster]:
    statement = select(ModelCluster).where(ModelCluster.run_id == run_id).order_by(ModelCluster.cluster)
    return list(await session.scalars(statement))


async def next_number(session: AsyncSession, model_id: UUID) -> int:
    last = await session.scalar(select(func.max(ModelRun.number)).where(ModelRun.model_id == model_id))
    return (last or 0) + 1


def runs_of(model_id: UUID) -> Select[Any]:
    """Without what only the record and the results of one run show."""
    heavy = (ModelRun.report, ModelRun.understanding, ModelRun.preparation)
    statement = select(ModelRun).where(ModelRun.model_id == model_id)
    return cast("Select[Any]", statement.options(*(defer(column) for column in heavy)))


def models_with_last_run() -> Select[Any]:
    """Each model with the id of its newest run."""
    newest = (
        select(ModelRun.id)
        .where(ModelRun.model_id == Model.id)
        .order_by(ModelRun.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return cast("Select[Any]", select(Model, newest.label("last_run_id")))


async def show_model(session: AsyncSession, model: Model) -> ModelView:
    statement = models_with_last_run().where(Model.id == model.id)
    return model_row((await session.execute(statement)).one())


def model_row(row: Any) -> ModelView:
    model, last_run_id = row[:2]
    return ModelView(
        id=model.id,
        key=model.key,
        name=LocalText.model_validate(model.name),
        kind=ModelKind(model.kind),
        goal=model.goal,
        success=model.success,
        needs_approval=model.needs_approval,
        parameters=PARAMETERS.validate_python(model.parameters),
        created_at=model.created_at,
        last_run_id=last_run_id,
    )


async def show_run(session: AsyncSession, run: ModelRun) -> ModelRunView:
    return (await show_runs(session, [run]))[0]


async def show_runs(session: AsyncSession, runs: Sequence[ModelRun]) -> list[ModelRunView]:
    models = {
        model.id: model
        for model in await session.scalars(select(Model).where(Model.id.in_({run.model_id for run in runs})))
    }
    jobs = {
        job.id: job
        for job in await session.scalars(
            select(Job).where(Job.id.in_({run.job_id for run in runs if run.state in _OPEN}))
        )
    }
    sizes: dict[UUID, list[tuple[int, int]]] = {}
    rows = await session.execute(
        select(ModelCluster.run_id, ModelCluster.cluster, ModelCluster.size)
        .where(ModelCluster.run_id.in_([run.id for run in runs]))
        .order_by(ModelCluster.run_id, ModelCluster.cluster)
    )
    for run_id, cluster, size in rows:
        sizes.setdefault(run_id, []).append((cluster, size))
    return [
        _run_view(
            run, models[run.model_id], jobs.get(run.job_id) if run.job_id else None, sizes.get(run.id, [])
        )
        for run in runs
    ]


def _run_view(run: ModelRun, model: Model, job: Job | None, sizes: list[tuple[int, int]]) -> ModelRunView:
    total = run.window["customers"] if run.window else 0
    return ModelRunView(
        id=run.id,
        model_id=run.model_id,
        number=run.number,
        kind=ModelKind(model.kind),
        # A job cancelled before it began has nobody who would note it.
        state=RunState.cancelled if job and job.state == "cancelled" else RunState(run.state),
        progress=1.0 if run.state == RunState.succeeded else job.progress if job else 0.0,
        step=job.step if job else None,
        parameters=PARAMETERS.validate_python(run.parameters),
        window=DataWindow.model_validate(run.window) if run.window else None,
        metrics=run.metrics,
        clusters=[
            ClusterSize(cluster=cluster, size=size, share=size / total if total else 0.0)
            for cluster, size in sizes
        ],
        needs_approval=model.needs_approval,
        approval=approval_of(run),
        problem=run.problem,
        created_by=run.created_by,
        created_at=run.created_at,
        finished_at=run.finished_at,
        job_id=run.job_id,
    )


def approval_of(run: ModelRun) -> Approval | None:
    if run.approved_by is None or run.approved_at is None:
        return None
    return Approval(by=run.approved_by, at=run.approved_at, note=run.approval_note or "")


def cluster_profile(cluster: ModelCluster) -> ClusterProfile:
    profile = ClusterProfile.model_validate(cluster.profile)
    profile.name = LocalText.model_validate(cluster.name) if cluster.name else None
    if cluster.rule is not None and cluster.rule_quality is not None:
        profile.rule = GroupRule(sql=cluster.rule, **cluster.rule_quality)
    return profile
