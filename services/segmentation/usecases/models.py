"""Models: declare, run, publish the clusters of a run as segments."""

from uuid import UUID

import duckdb
from pyroaring import BitMap
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Model, ModelCluster, ModelRun, Segment, SegmentVersion
from services.segmentation.queries.models import clusters_of, next_number
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.families import gone
from services.segmentation.store.store import Store
from services.segmentation.usecases.membership import Change, save_changes, settled
from services.segmentation.usecases.segments import published
from services.segmentation.usecases.training.kinds import KINDS
from services.segmentation.usecases.training.running import RUN
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView, LocalText
from shared.contracts.segmentation import (
    ClusterProfile,
    ModelCreate,
    ModelKind,
    PublishRun,
    Refresh,
    RunState,
    SegmentKind,
    SegmentState,
)
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id
from shared.jobs import defer
from shared.outbox import emit


async def create_model(session: AsyncSession, principal: Principal, wanted: ModelCreate) -> Model:
    """Raises `Unprocessable` for parameters the kind cannot use, `Conflict` for a taken key."""
    if errors := KINDS[ModelKind(wanted.kind)].check(wanted.parameters):
        raise Unprocessable("The model cannot be trained like this.", errors=errors)
    created: Model | None = await session.scalar(
        insert(Model)
        .values(
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
        .on_conflict_do_nothing(index_elements=[Model.key])
        .returning(Model)
    )
    if created is None:
        raise Conflict(f"There is a model '{wanted.key}' already.", errors=[FieldError("/key", "is taken")])
    await audit(session, principal, "create", f"model/{created.key}")
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
    await audit(session, principal, "run", f"model/{model.key}", {"run": str(run.id)})
    return run, job


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
