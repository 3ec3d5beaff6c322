"""Models: declare, run, publish the clusters of a run as segments."""

import asyncio
from dataclasses import asdict
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
from pyroaring import BitMap
from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.description import describe
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.kmeans import Clustering, cluster
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.models import Model, ModelCluster, ModelRun, Segment, SegmentVersion
from services.segmentation.queries.models import clusters_of, next_number
from services.segmentation.queries.profile import NUMERIC, contrast_views, feature_matrix
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import from_mask, to_array
from services.segmentation.store.families import gone
from services.segmentation.store.store import Store, position
from services.segmentation.usecases.feed import STREAM
from services.segmentation.usecases.membership import Change, save_changes, settled
from services.segmentation.usecases.segments import published
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView, LocalText
from shared.contracts.segmentation import (
    ClusterProfile,
    DataWindow,
    KMeansParameters,
    ModelCreate,
    PublishRun,
    Refresh,
    RunMetrics,
    RunState,
    SegmentKind,
    SegmentState,
)
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id
from shared.jobs import JobRun, defer
from shared.outbox import emit

RUN = "run-model"


async def create_model(session: AsyncSession, principal: Principal, wanted: ModelCreate) -> Model:
    """Raises `Unprocessable` for features that are unknown or not numeric, `Conflict` for a taken key."""
    _check_features(wanted.parameters)
    created: Model | None = await session.scalar(
        insert(Model)
        .values(
            id=new_id(),
            key=wanted.key,
            name=wanted.name.model_dump(),
            kind=wanted.kind,
            goal=wanted.goal,
            parameters=wanted.parameters.model_dump(),
            created_by=principal.id,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=[Model.key])
        .returning(Model)
    )
    if created is None:
        raise Conflict(f"There is a model '{wanted.key}' already.", errors=[FieldError("/key", "is taken")])
    await audit(session, principal, "create", f"model/{created.key}")
    return created


def _check_features(parameters: KMeansParameters) -> None:
    errors = []
    for index, key in enumerate(parameters.features):
        pointer = f"/parameters/features/{index}"
        if key not in BUILT_IN:
            errors.append(FieldError(pointer, f"there is no feature '{key}'"))
        elif BUILT_IN[key].type not in NUMERIC:
            errors.append(FieldError(pointer, f"'{key}' is a {BUILT_IN[key].type}, not a number"))
        elif key in parameters.features[:index]:
            errors.append(FieldError(pointer, f"'{key}' is listed twice"))
    if errors:
        raise Unprocessable("Some features cannot be clustered.", errors=errors)


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
    await audit(session, principal, "run", f"model/{model.key}", {"run": str(run.id)})
    return run, job


async def run_model(job: JobRun) -> dict[str, Any]:
    """The job: read the features, cluster, store result and record. A repetition replaces its result."""
    run_id = UUID(job.args["run_id"])
    async with job.runtime.db.transaction() as session:
        run = await session.get_one(ModelRun, run_id)
        run.state = RunState.running
        parameters = KMeansParameters.model_validate(run.parameters)
        await session.flush()
    try:
        await job.progress(0.1, "clustering")
        result = await asyncio.to_thread(_train, job.runtime.resource(Store), parameters)
        await job.progress(0.9, "saving")
    except BaseException as error:
        problem = str(error) if isinstance(error, ValueError) else "The run did not finish."
        await _mark_failed(job, run_id, problem)
        if isinstance(error, ValueError):
            raise Unprocessable(problem) from error
        raise
    async with job.runtime.db.transaction() as session:
        await _store_result(session, run_id, result)
    return {"run_id": str(run_id), "clusters": len(result[1])}


Result = tuple[dict[str, Any], list[dict[str, Any]]]


def _train(store: Store, parameters: KMeansParameters) -> Result:
    """The run's record and its clusters, as rows."""
    moment = Moment(clock.now(), clock.ZONE)
    with store.read() as cursor:
        ordinals, matrix = feature_matrix(cursor, parameters.features, moment)
        sequence = position(cursor, STREAM) or 0
        size = reading.highest_ordinal(cursor) + 1
    order = np.argsort(ordinals)
    ordinals = ordinals[order]
    matrix = {key: values[order] for key, values in matrix.items()}
    found = cluster(matrix, parameters.k, parameters.seed, parameters.sample)
    window = DataWindow(evaluated_at=moment.at, stream_sequence=sequence, customers=len(ordinals))
    record = {
        "window": window.model_dump(mode="json"),
        "metrics": _metrics(found).model_dump(mode="json"),
        "preparation": {key: asdict(how) for key, how in found.preparation.items()},
    }
    rows = []
    for number in range(1, parameters.k + 1):
        group = found.labels == number
        contrasts = contrast_views(matrix, group)
        profile = ClusterProfile(
            cluster=number,
            size=int(group.sum()),
            share=float(group.mean()),
            description=describe(contrasts),
            contrasts=contrasts,
        )
        centre = dict(zip(parameters.features, found.centres[number - 1].tolist(), strict=True))
        rows.append(
            {
                "cluster": number,
                "size": profile.size,
                "members": from_mask(ordinals, group, size).serialize(),
                "profile": profile.model_dump(mode="json"),
                "centre": centre,
            }
        )
    return record, rows


def _metrics(found: Clustering) -> RunMetrics:
    return RunMetrics(
        silhouette=found.silhouette,
        inertia=found.inertia,
        fitted_on=found.fitted_on,
        iterations=found.iterations,
    )


async def _store_result(session: AsyncSession, run_id: UUID, result: Result) -> None:
    record, rows = result
    await session.execute(delete(ModelCluster).where(ModelCluster.run_id == run_id))
    await session.execute(insert(ModelCluster), [{"run_id": run_id, **row} for row in rows])
    await session.execute(
        update(ModelRun)
        .where(ModelRun.id == run_id)
        .values(**record, state=RunState.succeeded, problem=None, finished_at=clock.now())
    )


async def _mark_failed(job: JobRun, run_id: UUID, problem: str) -> None:
    async with job.runtime.db.transaction() as session:
        await session.execute(
            update(ModelRun)
            .where(ModelRun.id == run_id)
            .values(state=RunState.failed, problem=problem, finished_at=clock.now())
        )


async def publish_run(
    session: AsyncSession, store: Store, principal: Principal, run: ModelRun, wanted: PublishRun
) -> list[Segment]:
    """Each cluster becomes a live segment with the run's members. All or nothing."""
    clusters = await clusters_of(session, run.id)
    if wanted.names is not None and len(wanted.names) != len(clusters):
        detail = f"the run has {len(clusters)} clusters"
        raise Unprocessable("One name per cluster is needed.", errors=[FieldError("/names", detail)])
    now = clock.now()
    segments = [await _cluster_segment(session, principal, each, wanted, run) for each in clusters]
    await session.flush()
    await emit(session, *(published(segment) for segment in segments))
    absent = await store.run(gone)
    changes = [
        settled(segment, BitMap(), BitMap.deserialize(each.members), absent, "full")
        for segment, each in zip(segments, clusters, strict=True)
    ]
    ids = await store.run(lambda cursor: _ids_of(cursor, changes))
    # Members this process's store does not know yet would be published without their id.
    if len(ids) < sum(len(change.after) for change in changes):
        raise Conflict("This process has not caught up with the customers of the run: try again.")
    await save_changes(session, changes, ids, now, new_id())
    await audit(session, principal, "publish", f"model-run/{run.id}", {"prefix": wanted.prefix})
    for segment in segments:
        await session.refresh(segment)
    return segments


def _ids_of(cursor: duckdb.DuckDBPyConnection, changes: list[Change]) -> dict[int, UUID]:
    everyone = BitMap()
    for change in changes:
        everyone |= change.after
    return reading.customer_ids(cursor, to_array(everyone))


async def _cluster_segment(
    session: AsyncSession, principal: Principal, found: ModelCluster, wanted: PublishRun, run: ModelRun
) -> Segment:
    key = f"{wanted.prefix}-{found.cluster}"
    profile = ClusterProfile.model_validate(found.profile)
    name = wanted.names[found.cluster - 1] if wanted.names else _made_up(profile)
    now = clock.now()
    segment: Segment | None = await session.scalar(
        insert(Segment)
        .values(
            id=new_id(),
            key=key,
            name=name.model_dump(),
            kind=SegmentKind.cluster,
            refresh=Refresh.on_demand,
            description=profile.description.zh + "\n" + profile.description.en,
            state=SegmentState.live,
            version=1,
            live_version=1,
            created_by=principal.id,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Segment.key])
        .returning(Segment)
    )
    if segment is None:
        raise Conflict(f"There is a segment '{key}' already.", errors=[FieldError("/prefix", "is taken")])
    session.add(
        SegmentVersion(
            segment_id=segment.id,
            version=1,
            run_id=run.id,
            cluster=found.cluster,
            created_by=principal.id,
            created_at=now,
        )
    )
    return segment


def _made_up(profile: ClusterProfile) -> LocalText:
    return LocalText(zh=f"第{profile.cluster}类客群", en=f"Cluster {profile.cluster}")
