"""What a change of one segment would do to it and to all that lean on it, without doing it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import duckdb
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import pointer_of, read_definition, stored_rule
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.references import check_references
from services.segmentation.domain.rules.tree import Rule, segment_keys
from services.segmentation.models import Segment, SegmentVersion
from services.segmentation.queries.comparisons import Scope, scope_of
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.kept_members import kept_members
from services.segmentation.queries.memberships import members_by_key, members_of
from services.segmentation.queries.segments import references, users_of
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.usecases.passes import EVERYBODY, evaluate_rules
from services.segmentation.usecases.segment_users import campaigns_from, users_of_segments
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.segmentation import Refresh, SegmentKind, SegmentState
from shared.contracts.segmentation.comparisons import (
    DependantImpact,
    DependantsView,
    DependantView,
    ImpactRequest,
    ImpactView,
    SegmentUser,
)
from shared.errors import Conflict


@dataclass(frozen=True)
class Leaning:
    """What leans on a segment: the segments that refer to it, directly or through others, by key, with their
    members where evaluated; and who uses one of these `keys`.
    """

    keys: Collection[str]
    users: Sequence[SegmentUser]
    direct: Collection[str]
    segments: Sequence[Segment]
    members: Mapping[UUID, BitMap]


async def leaning(session: AsyncSession, segment: Segment) -> Leaning:
    uses = await references(session)
    others = _leaning_on(segment.key, uses)
    keys = {segment.key, *others}
    rows = await session.scalars(select(Segment).where(Segment.key.in_(others)).order_by(Segment.key))
    found = rows.all()
    kept = await kept_members(session, [each.id for each in found])
    members = {segment_id: each.members for segment_id, each in kept.items()}
    users = await users_of_segments(session, keys)
    return Leaning(keys, users, users_of(segment.key, uses), found, members)


def dependants(
    cursor: duckdb.DuckDBPyConnection, segment: Segment, found: Leaning, org: str
) -> DependantsView:
    """Counted within `org`."""
    scope = scope_of(cursor, org)
    return DependantsView(
        segment_id=segment.id,
        key=segment.key,
        archivable=not found.direct,
        dependants=[
            DependantView(
                segment_id=each.id,
                key=each.key,
                name=LocalText.model_validate(each.name),
                state=SegmentState(each.state),
                refresh=Refresh(each.refresh),
                direct=each.key in found.direct,
                size=len(scope.within(found.members[each.id])) if each.id in found.members else None,
            )
            for each in found.segments
        ],
        users=[*found.users, *campaigns_from(cursor, found.keys, org)],
    )


def _leaning_on(key: str, uses: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    new = {key}
    while new:
        new = {user for user, used in uses.items() if used & new} - found - {key}
        found |= new
    return found


@dataclass(frozen=True)
class ImpactQuestion:
    """A segment, by key the rules to evaluate and all members before, and the live segments leaning on it."""

    key: str
    rules: Mapping[str, Rule]
    before: Mapping[str, BitMap]
    leaning: Sequence[Segment]
    catalogue: Catalogue


async def impact_question(session: AsyncSession, segment: Segment, wanted: ImpactRequest) -> ImpactQuestion:
    """Raises `Conflict` for a rule of a cluster, `RuleError` for a bad rule."""
    if segment.kind != SegmentKind.rule and wanted.definition is not None:
        raise Conflict("The members of a cluster come from its model run: it has no rule to edit.")
    catalogue = await load_catalogue(session)
    uses = await references(session)
    rules: dict[str, Rule] = {}
    if wanted.definition is not None:
        rule = read_definition(wanted.definition, catalogue)
        check_references(segment.key, segment_keys(rule), uses, pointer_of(wanted.definition))
        rules[segment.key] = rule
    live = await _live_rules(session, _leaning_on(segment.key, uses))
    rules |= {each.key: stored_rule(sql) for each, sql in live}
    referred = {key for rule in rules.values() for key in segment_keys(rule)}
    before = await members_by_key(session, rules.keys() | referred)
    before[segment.key] = await members_of(session, segment.id)
    return ImpactQuestion(segment.key, rules, before, [each for each, _ in live], catalogue)


def impact(cursor: duckdb.DuckDBPyConnection, asked: ImpactQuestion, sample: int, org: str) -> ImpactView:
    """Exact, as of now: the unsaved definition and the live rules leaning on it, asked of everybody."""
    moment = Moment(clock.now(), clock.ZONE)
    start = {**asked.before, asked.key: BitMap()}
    found = evaluate_rules(cursor, asked.rules, start, asked.catalogue, moment, EVERYBODY)
    after = {asked.key: BitMap(), **found}
    scope = scope_of(cursor, org)
    moves = {key: _Moves(asked.before[key], after[key], scope) for key in after}
    own = moves[asked.key]
    joined, left = own.samples(cursor, sample)
    return ImpactView(
        **own.counts,
        joined_sample=joined,
        left_sample=left,
        dependants=[
            DependantImpact(
                segment_id=each.id,
                key=each.key,
                name=LocalText.model_validate(each.name),
                refresh=Refresh(each.refresh),
                **moves[each.key].counts,
            )
            for each in asked.leaning
        ],
        evaluated_at=moment.at,
    )


class _Moves:
    """Who would join and leave one segment, within a scope."""

    def __init__(self, before: BitMap, after: BitMap, scope: Scope) -> None:
        before, after = scope.within(before), scope.within(after)
        self.joined, self.left = after - before, before - after
        self.counts = {
            "before": len(before),
            "after": len(after),
            "joined": len(self.joined),
            "left": len(self.left),
        }

    def samples(self, cursor: duckdb.DuckDBPyConnection, size: int) -> tuple[list[UUID], list[UUID]]:
        firsts = [BitMap(moved[:size]) for moved in (self.joined, self.left)]
        joined, left = (list(reading.customer_ids(cursor, to_array(first)).values()) for first in firsts)
        return joined, left


async def _live_rules(session: AsyncSession, keys: set[str]) -> list[tuple[Segment, str]]:
    rows = await session.execute(
        select(Segment, SegmentVersion.sql)
        .join(
            SegmentVersion,
            (SegmentVersion.segment_id == Segment.id) & (SegmentVersion.version == Segment.live_version),
        )
        .where(Segment.key.in_(keys), Segment.state == SegmentState.live, SegmentVersion.sql.is_not(None))
        .order_by(Segment.key)
    )
    return [(segment, sql) for segment, sql in rows if sql is not None]
