"""The groups of a run as segments: with the run's members, or by their rules. All or nothing."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Model, ModelCluster, ModelRun, Segment, SegmentVersion
from services.segmentation.queries.memberships import members_of
from services.segmentation.queries.models import cluster_profile, clusters_of
from services.segmentation.queries.scores import score_columns
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.families import gone
from services.segmentation.store.store import Store
from services.segmentation.usecases import segments as segment_usecase
from services.segmentation.usecases.declaring import insert_new, taken
from services.segmentation.usecases.membership import save_changes, settled
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import LocalText
from shared.contracts.conditions import SqlDefinition
from shared.contracts.segmentation import (
    ClusterProfile,
    PublishRun,
    Refresh,
    SegmentCreate,
    SegmentKind,
    SegmentPatch,
    SegmentState,
)
from shared.contracts.segmentation.models import PublishAs
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id
from shared.outbox import emit

_NOBODY = BitMap()


async def publish_run(
    session: AsyncSession, store: Store, principal: Principal, model: Model, run: ModelRun, wanted: PublishRun
) -> list[Segment]:
    """Segments by group number. Published again, under the same prefix, they follow the newer run.

    `model` is locked. Raises `Conflict` for a run that waits for its approval, for keys that are taken
    by other segments, and when nothing would change.
    """
    if model.needs_approval and run.approved_at is None:
        raise Conflict("The run waits for an approval: its model asks for one.")
    clusters = await clusters_of(session, run.id)
    _check(wanted, clusters)
    there = await _published_before(session, model, wanted, clusters)
    if wanted.publish_as is PublishAs.rule:
        segments = await _publish_rules(session, principal, run, wanted, clusters, there)
    else:
        segments = await _publish_members(session, store, principal, run, wanted, clusters, there)
    detail = wanted.model_dump(mode="json", include={"prefix", "publish_as", "min_degree"})
    audit(session, principal, "publish", f"model-run/{run.id}", detail)
    for segment in segments:
        await session.refresh(segment)
    return segments


def _check(wanted: PublishRun, clusters: Sequence[ModelCluster]) -> None:
    errors = []
    if not clusters:
        raise Conflict("The run has no groups: its scores are read by `/scores`.")
    if wanted.names is not None and len(wanted.names) != len(clusters):
        errors.append(FieldError("/names", f"the run has {len(clusters)} clusters"))
    if wanted.publish_as is PublishAs.rule:
        if wanted.min_degree is not None:
            errors.append(FieldError("/min_degree", "is for members of the run, not for rules"))
        missing = [each.cluster for each in clusters if each.rule is None and each.size]
        if missing:
            numbers = ", ".join(map(str, missing))
            errors.append(FieldError("/publish_as", f"there is no rule for group {numbers}"))
    if errors:
        raise Unprocessable("The run cannot be published like this.", errors=errors)


async def _published_before(
    session: AsyncSession, model: Model, wanted: PublishRun, clusters: Sequence[ModelCluster]
) -> dict[int, Segment]:
    """Segments of this prefix by group number, locked: those of earlier runs of the model."""
    own = (
        select(SegmentVersion.cluster)
        .join(ModelRun, ModelRun.id == SegmentVersion.run_id)
        .where(ModelRun.model_id == model.id, SegmentVersion.segment_id == Segment.id)
        .order_by(SegmentVersion.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    keys = [_key(wanted, each.cluster) for each in clusters]
    rows = await session.execute(
        select(Segment, own)
        .where(
            Segment.key.in_(keys)
            | (Segment.key.startswith(f"{wanted.prefix}-", autoescape=True) & own.is_not(None))
        )
        .order_by(Segment.key)
        .with_for_update(of=Segment)
    )
    kind = SegmentKind.rule if wanted.publish_as is PublishAs.rule else SegmentKind.cluster
    found = {}
    for segment, number in rows:
        expected = number is not None and segment.key == _key(wanted, number)
        if expected and segment.kind == kind and segment.state != SegmentState.archived:
            found[number] = segment
        elif segment.key in keys:
            raise taken("segment", segment.key, "/prefix")
    return found


def _key(wanted: PublishRun, number: int) -> str:
    return f"{wanted.prefix}-{number}"


def _names(wanted: PublishRun, clusters: Sequence[ModelCluster]) -> dict[int, LocalText]:
    """By group: as wished, else as the run calls it."""
    named = {}
    for index, each in enumerate(clusters):
        made_up = LocalText(zh=f"第{each.cluster}类客群", en=f"Cluster {each.cluster}")
        stored = LocalText.model_validate(each.name) if each.name else made_up
        named[each.cluster] = wanted.names[index] if wanted.names else stored
    return named


# ── by members ──


async def _publish_members(
    session: AsyncSession,
    store: Store,
    principal: Principal,
    run: ModelRun,
    wanted: PublishRun,
    clusters: Sequence[ModelCluster],
    there: Mapping[int, Segment],
) -> list[Segment]:
    members = await _members(session, run, wanted, clusters)
    before = {number: await members_of(session, segment.id) for number, segment in there.items()}
    versions = {number: await _run_of(session, segment) for number, segment in there.items()}
    names = _names(wanted, clusters)
    profiles = {each.cluster: cluster_profile(each) for each in clusters}
    segments = {}
    # A group that is no longer found keeps its segment, without members.
    for number in sorted({*members, *there}):
        if number in there:
            segment = there[number]
            _follow(segment, names.get(number) if wanted.names else None, profiles.get(number), wanted)
        else:
            segment = await _cluster_segment(session, principal, profiles[number], names[number], wanted)
        segments[number] = segment
        session.add(_version(segment, run, number, principal))
    await session.flush()
    await emit(session, *(segment_usecase.published(segment) for segment in segments.values()))
    absent = await store.run(gone)
    changes = [
        settled(segment, before.get(number, _NOBODY), members.get(number, _NOBODY), absent, "full")
        for number, segment in segments.items()
    ]
    same = segments.keys() == there.keys() and set(versions.values()) == {run.id}
    if same and all(change.before == change.after for change in changes):
        raise Conflict(
            f"The run is published as '{wanted.prefix}' already.",
            errors=[FieldError("/prefix", "is taken")],
        )
    moved = BitMap.union(_NOBODY, *(change.before ^ change.after for change in changes))
    ids = await store.run(lambda cursor: reading.customer_ids(cursor, to_array(moved)))
    # Members this process's store does not know yet would be published without their id.
    if len(ids) < len(moved):
        raise Conflict("This process has not caught up with the customers of the run: try again.")
    await save_changes(session, changes, ids, clock.now(), new_id())
    return list(segments.values())


async def _members(
    session: AsyncSession, run: ModelRun, wanted: PublishRun, clusters: Sequence[ModelCluster]
) -> dict[int, BitMap]:
    """By group, of those who belong to it at least by `min_degree`."""
    members = {each.cluster: BitMap.deserialize(each.members) for each in clusters}
    if wanted.min_degree is None:
        return members
    table = await score_columns(session, run.id)
    if any(f"degree_{number}" not in table for number in members):
        detail = "this kind of model has no degrees of membership"
        raise Unprocessable("The run cannot be published so.", errors=[FieldError("/min_degree", detail)])
    return {
        number: found & BitMap(table["ordinal"][table[f"degree_{number}"] >= np.float32(wanted.min_degree)])
        for number, found in members.items()
    }


async def _run_of(session: AsyncSession, segment: Segment) -> UUID | None:
    version = await session.get(SegmentVersion, (segment.id, segment.live_version))
    return version.run_id if version else None


def _follow(
    segment: Segment, name: LocalText | None, profile: ClusterProfile | None, wanted: PublishRun
) -> None:
    """The next version of a segment that was published from an earlier run."""
    segment.version += 1
    segment.live_version = segment.version
    segment.state = SegmentState.live
    segment.revision += 1
    segment.updated_at = clock.now()
    if name is not None:
        segment.name = name.model_dump()
    if profile is not None:
        segment.description = _description(profile, wanted)


async def _cluster_segment(
    session: AsyncSession, principal: Principal, profile: ClusterProfile, name: LocalText, wanted: PublishRun
) -> Segment:
    key = _key(wanted, profile.cluster)
    now = clock.now()
    return await insert_new(
        session,
        Segment,
        "segment",
        pointer="/prefix",
        id=new_id(),
        key=key,
        name=name.model_dump(),
        kind=SegmentKind.cluster,
        refresh=Refresh.on_demand,
        description=_description(profile, wanted),
        state=SegmentState.live,
        version=1,
        live_version=1,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )


def _description(profile: ClusterProfile, wanted: PublishRun) -> str:
    lines = [profile.description.zh, profile.description.en]
    if wanted.min_degree is not None:
        lines.append(f"归属度 / degree ≥ {wanted.min_degree:g}")
    return "\n".join(lines)


def _version(segment: Segment, run: ModelRun, number: int, principal: Principal) -> SegmentVersion:
    return SegmentVersion(
        segment_id=segment.id,
        version=segment.version,
        run_id=run.id,
        cluster=number,
        created_by=principal.id,
        created_at=clock.now(),
    )


# ── by rules ──


async def _publish_rules(
    session: AsyncSession,
    principal: Principal,
    run: ModelRun,
    wanted: PublishRun,
    clusters: Sequence[ModelCluster],
    there: Mapping[int, Segment],
) -> list[Segment]:
    """Rule segments, which live on by themselves. A rule that is the same stays the version it is."""
    names = _names(wanted, clusters)
    segments = []
    for each in clusters:
        if each.rule is None:
            continue
        definition = SqlDefinition(sql=each.rule)
        profile = cluster_profile(each)
        segment = there.get(each.cluster)
        if segment is None:
            segment = await segment_usecase.create_segment(
                session,
                principal,
                SegmentCreate(
                    key=_key(wanted, each.cluster),
                    name=names[each.cluster],
                    description=_description(profile, wanted),
                    definition=definition,
                ),
            )
        else:
            change = SegmentPatch(name=names[each.cluster] if wanted.names else None, definition=definition)
            await segment_usecase.edit_segment(session, principal, segment, change)
        version = await session.get_one(SegmentVersion, (segment.id, segment.version))
        if version.run_id is None:
            version.run_id, version.cluster = run.id, each.cluster
        await session.flush()
        await segment_usecase.publish_segment(session, principal, segment)
        segments.append(segment)
    return segments
