"""What a pass changes in each segment, and why."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import duckdb
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Segment
from services.segmentation.queries.kept_members import Kept, kept_members
from services.segmentation.queries.live_segments import LiveSegment
from services.segmentation.store import families
from services.segmentation.store.store import position
from services.segmentation.usecases.feed import STREAM
from services.segmentation.usecases.membership import CAUSES, Cause, Change, settled
from services.segmentation.usecases.passes import NOBODY, Pass, Seen, Shadow, Touched
from services.segmentation.usecases.standing import Stand
from shared.contracts.segmentation import SegmentState

_FOLD_AFTER = 64
"""Deltas a bitmap is left behind; fewer for some, so that not all bitmaps are written by the same pass."""


@dataclass(frozen=True)
class News:
    """Where the store is, and who belongs to no segment any more: known if anybody was merged, separated or
    erased since the last pass, or when asked for.
    """

    applied: int
    gone: families.Gone | None

    def behind(self, seen: Seen | None) -> bool:
        """Another store has been further."""
        return seen is not None and self.applied < seen.applied


def read_news(cursor: duckdb.DuckDBPyConnection, seen: Seen | None, *, settle: bool) -> News:
    since = seen.applied if seen else 0
    moved = families.regrouped_since(cursor, since) or families.erased_since(cursor, since)
    return News(position(cursor, STREAM) or 0, families.gone(cursor) if moved or settle else None)


async def outside_changes(
    session: AsyncSession,
    stand: Stand,
    asked: Mapping[str, Shadow],
    inside: Collection[str],
    news: News,
) -> list[Change]:
    """Of segments that the pass does not evaluate. They lose who was merged, get back who was separated;
    `asked` are those evaluated on demand or by the clock.
    """
    if news.gone is None:
        return []
    passed = {key for key, each in stand.live.items() if each.in_step} | set(inside)
    others = await session.scalars(
        select(Segment)
        .where(Segment.state == SegmentState.live, Segment.key.not_in(passed))
        .order_by(Segment.key)
    )
    segments = others.all()
    kept = await kept_members(session, [segment.id for segment in segments])
    changes = []
    for segment in segments:
        before = kept.get(segment.id, Kept(0, NOBODY, None))
        if (shadow := asked.get(segment.key)) is not None:
            cause = cause_of(segment)
            changes.append(settled(segment, before.members, shadow.members, news.gone, cause))
        elif segment.id in kept:
            evaluated = before.members if before.evaluated is None else before.evaluated
            change = settled(segment, before.members, evaluated, news.gone, "merge")
            changes += [change] if change.after != change.before else []
    return changes


def differences(stand: Stand, shadows: Collection[str], found: Pass, unknown: BitMap) -> Iterator[Change]:
    """Of segments that the pass evaluated, by cause; `unknown` customers stay what they were.

    Of a segment that was evaluated for everybody once more, those whom facts moved are told like any others.
    """
    for key, members in found.members.items():
        segment, before = stand.live[key].segment, stand.members(key)
        moved = (before ^ members) - unknown
        again = key in shadows
        if again and cause_of(segment) == "edit":
            yield Change(segment, before, before ^ moved, "edit")
            continue
        fold = again or _folds(stand.kept.get(segment.id), segment)
        # Who is nowhere named was moved by facts about others, or was wrong.
        for cause, who in _by_cause(moved, found.touched, unnamed="full" if again else "events"):
            after = before ^ who
            yield Change(segment, before, after, cause, fold=fold)
            before = after


def without(unknown: BitMap, change: Change) -> Change:
    """The change but for these customers."""
    back = (change.before ^ change.after) & unknown
    return replace(change, after=change.after ^ back) if back else change


def cause_of(segment: Segment | LiveSegment) -> Cause:
    """Of a segment evaluated for everybody."""
    return "full" if segment.evaluated_version == segment.live_version else "edit"


def _by_cause(moved: BitMap, touched: Touched, unnamed: Cause) -> Iterator[tuple[Cause, BitMap]]:
    """Each customer with one cause, in the order of `CAUSES`."""
    merge = moved & touched.regrouped
    rest = moved - merge
    profile = (rest & touched.own) - touched.facts
    expiry = ((rest & touched.expired) - touched.facts) - touched.own
    parts: dict[Cause, BitMap] = {
        "merge": merge,
        "profile": profile,
        "expiry": expiry,
        "events": rest & touched.facts,
    }
    parts[unnamed] = parts.get(unnamed, NOBODY) | (moved - BitMap.union(*parts.values()))
    yield from ((cause, parts[cause]) for cause in CAUSES if parts.get(cause))


def _folds(kept: Kept | None, segment: LiveSegment) -> bool:
    spread = segment.id.int % (_FOLD_AFTER // 2)
    return kept is None or kept.evaluated is not None or kept.deltas >= _FOLD_AFTER - spread
