"""Where the live segments stand: read from the database, for a pass to go on from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.tree import Rule, segment_keys
from services.segmentation.domain.rules.windows import scheduled
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.kept_members import Kept, kept_members
from services.segmentation.queries.live_segments import LiveSegment, live_segments
from services.segmentation.usecases.engine import Engine, language_of
from services.segmentation.usecases.membership import Change
from services.segmentation.usecases.passes import NOBODY, Seen, Shadow, Standing
from shared import clock
from shared.contracts.segmentation import Refresh, SegmentKind
from shared.db import fetch

_UNSEEN = "SELECT id, segment_id, moved FROM membership_unseen ORDER BY id"
_STATE = "SELECT applied, evaluated_at, run_id, language FROM evaluation_state"


@dataclass(frozen=True)
class Live:
    """A live rule segment. `incremental`: every pass evaluates it; others when asked to, or by the clock."""

    segment: LiveSegment
    rule: Rule
    incremental: bool
    in_step: bool
    """The last pass evaluated it."""

    def waits(self, late: datetime) -> bool:
        """To be evaluated for everybody, also if by the clock: for the last time before `late`."""
        segment = self.segment
        if segment.evaluated_version != segment.live_version:
            return True
        if self.incremental:
            return not self.in_step
        return segment.refresh == Refresh.realtime and (
            segment.evaluated_at is None or segment.evaluated_at < late
        )


@dataclass(frozen=True)
class State:
    """The last pass over the live segments, see `EvaluationState`."""

    applied: int
    evaluated_at: datetime
    run_id: UUID | None
    language: str | None


@dataclass(frozen=True)
class Stand:
    """What the last pass left, and what has happened to segments since.

    `ids`: of all live segments, by key. `kept`: members by id, of rule segments and those they refer to.
    `unseen`: who joined or left a segment that passes do not evaluate, by key.
    """

    state: State | None
    catalogue: Catalogue
    live: Mapping[str, Live]
    ids: Mapping[str, UUID]
    kept: Mapping[UUID, Kept]
    unseen: Mapping[str, BitMap]
    unseen_rows: Sequence[int]

    @property
    def seen(self) -> Seen | None:
        return Seen(self.state.applied, self.state.evaluated_at) if self.state else None

    def members(self, key: str) -> BitMap:
        kept = self.kept.get(self.ids[key]) if key in self.ids else None
        return kept.members if kept else NOBODY

    def takes(self, key: str, shadow: Shadow) -> bool:
        """It was made of what decides now."""
        live = self.live.get(key)
        return live is not None and live.rule == shadow.rule and shadow.catalogue is self.catalogue

    def waiting(self, rank_every: timedelta) -> set[str]:
        """Keys of segments to be evaluated for everybody: new versions, and those compared by the clock."""
        return {key for key, each in self.live.items() if each.waits(clock.now() - rank_every)}

    def standing(self, outside: Sequence[Change]) -> Standing:
        """What a pass goes on from, after `outside` changes of segments that it does not evaluate."""
        members = {key: self.members(key) for key in self.ids}
        changed = dict(self.unseen)
        for change in outside:
            key = change.segment.key
            members[key] = change.after
            changed[key] = changed.get(key, NOBODY) | (change.before ^ change.after)
        rules = {key: each.rule for key, each in self.live.items() if each.in_step}
        return Standing(self.seen, rules, members, changed)


async def read_stand(session: AsyncSession, engine: Engine | None = None) -> Stand:
    """With the members of all rules in step and of what rules refer to. `engine` may know them already."""
    # What moved unseen comes first: members that are read after it contain it.
    unseen = await fetch(session, _UNSEEN)
    state = next((State(*row) for row in await fetch(session, _STATE)), None)
    catalogue = await load_catalogue(session)
    segments = await live_segments(session)
    live = dict(_rules(segments, state, language_of(catalogue)))
    ids = {segment.key: segment.id for segment in segments}
    known = engine.kept_after(state.run_id if state else None) if engine else {}
    known = {
        each.segment.id: known[each.segment.id]
        for each in live.values()
        if each.in_step and each.segment.id in known
    }
    referred = {ids[key] for each in live.values() for key in segment_keys(each.rule) if key in ids}
    wanted = {each.segment.id for each in live.values()} | referred
    kept = {**known, **await kept_members(session, wanted - known.keys())}
    keys = {id_: key for key, id_ in ids.items()}
    moved: dict[str, BitMap] = {}
    for _, segment_id, ordinals in unseen:
        if (key := keys.get(segment_id)) is not None:
            moved[key] = moved.get(key, NOBODY) | BitMap.deserialize(ordinals)
    return Stand(state, catalogue, live, ids, kept, moved, [row for row, _, _ in unseen])


def _rules(segments: Sequence[LiveSegment], state: State | None, language: str) -> Iterator[tuple[str, Live]]:
    for segment in segments:
        if segment.kind != SegmentKind.rule or segment.sql is None:
            continue
        rule = stored_rule(segment.sql)
        incremental = segment.refresh == Refresh.realtime and not scheduled(rule)
        in_step = (
            incremental
            and state is not None
            and state.language == language
            and segment.evaluated_version == segment.live_version
            and segment.evaluated_at == state.evaluated_at
        )
        yield segment.key, Live(segment, rule, incremental, in_step)
