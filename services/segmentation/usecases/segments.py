"""Writing segments: create, edit, publish, archive."""

from collections.abc import Sequence
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import pointer_of, read_definition, stored_rule
from services.segmentation.domain.rules.references import check_references
from services.segmentation.domain.rules.text import digest, to_sql
from services.segmentation.domain.rules.tree import Rule, segment_keys
from services.segmentation.models import Membership, MembershipDelta, Segment, SegmentVersion
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.past_members import last_members
from services.segmentation.queries.segments import references, users_of
from services.segmentation.usecases.declaring import insert_new
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView, LocalText
from shared.contracts.conditions import SegmentDefinition
from shared.contracts.events import SegmentPublished
from shared.contracts.segmentation import SegmentCreate, SegmentKind, SegmentPatch, SegmentState
from shared.errors import Conflict
from shared.ids import new_id
from shared.jobs import defer
from shared.outbox import emit

REFRESH = "refresh-segments"


async def create_segment(session: AsyncSession, principal: Principal, wanted: SegmentCreate) -> Segment:
    """A draft with version 1. Raises `RuleError` for a bad rule, `Conflict` when the key is taken."""
    rule = await _checked_rule(session, wanted.key, wanted.definition)
    now = clock.now()
    created = await insert_new(
        session,
        Segment,
        "segment",
        id=new_id(),
        key=wanted.key,
        name=wanted.name.model_dump(),
        kind=wanted.kind,
        refresh=wanted.refresh,
        description=wanted.description,
        state=SegmentState.draft,
        version=1,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    _add_version(session, created, rule, principal)
    await session.flush()
    audit(session, principal, "create", f"segment/{created.key}", {"sql": to_sql(rule)})
    return created


async def edit_segment(
    session: AsyncSession, principal: Principal, segment: Segment, change: SegmentPatch
) -> None:
    """Changes what is given; a changed rule becomes a new version, live only after `publish_segment`."""
    _refuse_archived(segment)
    if change.definition is not None:
        if segment.kind != SegmentKind.rule:
            raise Conflict("The members of a cluster come from its model run: it has no rule to edit.")
        rule = await _checked_rule(session, segment.key, change.definition)
        if digest(rule) != await _digest_of(session, segment):
            segment.version += 1
            _add_version(session, segment, rule, principal)
    if change.name is not None:
        segment.name = change.name.model_dump()
    if change.refresh is not None:
        segment.refresh = change.refresh
    if change.description is not None:
        segment.description = change.description
    segment.revision += 1
    segment.updated_at = clock.now()
    await session.flush()
    audit(session, principal, "edit", f"segment/{segment.key}", {"version": segment.version})


async def publish_segment(session: AsyncSession, principal: Principal, segment: Segment) -> JobView | None:
    """Makes the newest version the one that decides; members follow with the next evaluation."""
    _refuse_archived(segment)
    if segment.live_version == segment.version:
        return None
    segment.state = SegmentState.live
    segment.live_version = segment.version
    segment.revision += 1
    segment.updated_at = clock.now()
    await session.flush()
    await emit(session, published(segment))
    # What waits is evaluated anyhow: named, it would be once more if a pass came before the job.
    job = await defer(session, principal, REFRESH, {"segments": []})
    audit(session, principal, "publish", f"segment/{segment.key}", {"version": segment.version})
    return job


async def archive_segment(session: AsyncSession, principal: Principal, segment: Segment) -> None:
    """Takes the segment out of use and keeps its history. Refused while others refer to it."""
    _refuse_archived(segment)
    if users := users_of(segment.key, await references(session)):
        raise Conflict(f"Other segments refer to it: {', '.join(users)}.")
    segment.state = SegmentState.archived
    segment.revision += 1
    segment.updated_at = clock.now()
    await _let_go(session, segment)
    await session.flush()
    if segment.live_version is not None:
        await emit(session, published(segment))
    audit(session, principal, "archive", f"segment/{segment.key}")


async def restore_segment(session: AsyncSession, principal: Principal, segment: Segment) -> None:
    """Makes an archived segment a draft again, with its versions and its history."""
    if segment.state != SegmentState.archived:
        raise Conflict(f"The segment is {segment.state}: only an archived one can be restored.")
    if segment.kind != SegmentKind.rule:
        raise Conflict("The members of a cluster come from its model run: publish the run again.")
    sql = await session.scalar(
        select(SegmentVersion.sql).where(
            SegmentVersion.segment_id == segment.id, SegmentVersion.version == segment.version
        )
    )
    if sql is not None:
        check_references(segment.key, segment_keys(stored_rule(sql)), await references(session), "")
    await _let_go(session, segment)
    segment.state = SegmentState.draft
    segment.live_version = segment.evaluated_version = segment.evaluated_at = segment.size = None
    segment.revision += 1
    segment.updated_at = clock.now()
    await session.flush()
    audit(session, principal, "restore", f"segment/{segment.key}", {"version": segment.version})


async def _let_go(session: AsyncSession, segment: Segment) -> None:
    """Nobody is a member any more, and the log says that they left."""
    members = await last_members(session, segment)
    await session.execute(delete(Membership).where(Membership.segment_id == segment.id))
    if members:
        session.add(
            MembershipDelta(
                segment_id=segment.id,
                version=segment.live_version or segment.version,
                run_id=new_id(),
                cause="edit",
                evaluated_at=clock.now(),
                size=0,
                joined=BitMap().serialize(),
                left=members.serialize(),
            )
        )


def published(segment: Segment) -> SegmentPublished:
    return SegmentPublished(
        segment_id=segment.id,
        key=segment.key,
        version=segment.live_version or segment.version,
        kind="cluster" if segment.kind == SegmentKind.cluster else "rule",
        name=LocalText.model_validate(segment.name),
        archived=segment.state == SegmentState.archived,
    )


async def request_refresh(session: AsyncSession, principal: Principal, segments: Sequence[UUID]) -> JobView:
    return await defer(session, principal, REFRESH, {"segments": [str(each) for each in segments]})


async def _checked_rule(session: AsyncSession, key: str, definition: SegmentDefinition) -> Rule:
    rule = read_definition(definition, await load_catalogue(session))
    check_references(key, segment_keys(rule), await references(session), pointer_of(definition))
    return rule


async def _digest_of(session: AsyncSession, segment: Segment) -> str | None:
    statement = select(SegmentVersion.digest).where(
        SegmentVersion.segment_id == segment.id, SegmentVersion.version == segment.version
    )
    found: str | None = await session.scalar(statement)
    return found


def _add_version(session: AsyncSession, segment: Segment, rule: Rule, principal: Principal) -> None:
    session.add(
        SegmentVersion(
            segment_id=segment.id,
            version=segment.version,
            sql=to_sql(rule),
            digest=digest(rule),
            created_by=principal.id,
            created_at=clock.now(),
        )
    )


def _refuse_archived(segment: Segment) -> None:
    if segment.state == SegmentState.archived:
        raise Conflict("The segment is archived.")
