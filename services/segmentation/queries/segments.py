"""Segments as rows: find one, list them, show them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.rules.json_text import to_condition
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Segment, SegmentVersion
from shared.contracts.base import LocalText
from shared.contracts.segmentation import (
    ClusterRef,
    DefinitionView,
    Refresh,
    SegmentKind,
    SegmentState,
    SegmentView,
)
from shared.errors import NotFound


async def find_segment(session: AsyncSession, reference: str, *, for_update: bool = False) -> Segment:
    """By id or by key."""
    statement = select(Segment).where(_is(reference))
    segment = await session.scalar(statement.with_for_update() if for_update else statement)
    if segment is None:
        raise NotFound(f"There is no segment '{reference}'.")
    return segment


def _is(reference: str) -> Any:
    try:
        return Segment.id == UUID(reference)
    except ValueError:
        return Segment.key == reference


def segments_with_definition() -> Select[Any]:
    """Each segment with the newest version of its definition."""
    statement = select(Segment, SegmentVersion).join(
        SegmentVersion,
        (SegmentVersion.segment_id == Segment.id) & (SegmentVersion.version == Segment.version),
    )
    return cast("Select[Any]", statement)


async def show_segment(session: AsyncSession, segment: Segment) -> SegmentView:
    version = await session.get(SegmentVersion, (segment.id, segment.version))
    if version is None:
        raise NotFound(f"Version {segment.version} of the segment is missing.")
    return segment_view(segment, version)


def row_view(row: Any) -> SegmentView:
    segment, version = row[:2]
    return segment_view(segment, version)


def segment_view(segment: Segment, version: SegmentVersion) -> SegmentView:
    return SegmentView(
        id=segment.id,
        key=segment.key,
        name=LocalText.model_validate(segment.name),
        kind=SegmentKind(segment.kind),
        refresh=Refresh(segment.refresh),
        description=segment.description,
        state=SegmentState(segment.state),
        revision=segment.revision,
        version=segment.version,
        live_version=segment.live_version,
        evaluated_version=segment.evaluated_version,
        definition=definition_view(version),
        size=segment.size,
        evaluated_at=segment.evaluated_at,
        created_at=segment.created_at,
        updated_at=segment.updated_at,
    )


def definition_view(version: SegmentVersion) -> DefinitionView:
    if version.sql is not None:
        return DefinitionView(sql=version.sql, tree=to_condition(stored_rule(version.sql)))
    if version.run_id is None or version.cluster is None:
        raise ValueError(f"version {version.version} is neither a rule nor a cluster")
    return DefinitionView(cluster=ClusterRef(run_id=version.run_id, cluster=version.cluster))


async def references(session: AsyncSession) -> dict[str, set[str]]:
    """For every segment that is not archived the keys its newest and its live version refer to."""
    rows = await session.execute(
        select(Segment.key, SegmentVersion.sql)
        .join(SegmentVersion, SegmentVersion.segment_id == Segment.id)
        .where(
            Segment.state != SegmentState.archived,
            SegmentVersion.version.in_([Segment.version, Segment.live_version]),
        )
    )
    return _united([(key, sql) for key, sql in rows])


def _united(rows: Sequence[tuple[str, str | None]]) -> dict[str, set[str]]:
    uses: dict[str, set[str]] = {}
    for key, sql in rows:
        uses.setdefault(key, set()).update(segment_keys(stored_rule(sql)) if sql else ())
    return uses


def users_of(key: str, uses: Mapping[str, set[str]]) -> list[str]:
    return sorted(user for user, used in uses.items() if key in used)
