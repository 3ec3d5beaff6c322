"""The size of a segment over time, and how many came and went."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from pyroaring import BitMap
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import MembershipDelta, Segment
from services.segmentation.queries.past_members import changes_after, last_members
from shared import clock
from shared.contracts.segmentation.history import SegmentTrend, TrendPoint, TrendStep

MOST_POINTS = 400
_LENGTH = {TrendStep.day: timedelta(days=1), TrendStep.week: timedelta(days=7)}
_INSTANT = timedelta(microseconds=1)


def starts_of(since: date, until: date, step: TrendStep) -> list[date]:
    """The first days of all periods that hold a day from `since` through `until`."""
    length = _LENGTH[step]
    first = since if step is TrendStep.day else since - timedelta(days=since.weekday())
    return [first + n * length for n in range((until - first) // length + 1)]


async def trend(
    session: AsyncSession, segment: Segment, starts: Sequence[date], step: TrendStep, scope: BitMap | None
) -> SegmentTrend:
    """Of the customers of `scope`, everybody without one. `starts` are first days of following periods."""
    midnights = [_midnight(start) for start in [*starts, starts[-1] + _LENGTH[step]]]
    walk = _Walk(await last_members(session, segment), scope, len(starts))
    async for change in changes_after(session, segment.id, midnights[0] - _INSTANT):
        period = bisect_right(midnights, change.evaluated_at) - 1
        walk.take_back(period, BitMap.deserialize(change.joined), BitMap.deserialize(change.left))
    walk.enter(0)
    first = await session.scalar(
        select(func.min(MembershipDelta.evaluated_at)).where(MembershipDelta.segment_id == segment.id)
    )
    return SegmentTrend(
        segment_id=segment.id,
        key=segment.key,
        step=step,
        points=[
            TrendPoint(
                start=start,
                size=walk.sizes[n] if first is not None and first < midnights[n + 1] else None,
                joined=walk.joined[n],
                left=walk.left[n],
            )
            for n, start in enumerate(starts)
        ],
    )


class _Walk:
    """Backwards through the changes: the size when a period is entered is that at its end."""

    def __init__(self, members: BitMap, scope: BitMap | None, periods: int) -> None:
        self._members, self._scope, self._place = members, scope, periods
        self.sizes = [0] * periods
        self.joined = [0] * periods
        self.left = [0] * periods

    def enter(self, period: int) -> None:
        while self._place > period:
            self._place -= 1
            self.sizes[self._place] = self._within(self._members)

    def take_back(self, period: int, joined: BitMap, left: BitMap) -> None:
        """`period` may lie behind the last: it is then taken back and not counted."""
        if period < len(self.sizes):
            self.enter(period)
            self.joined[period] += self._within(joined)
            self.left[period] += self._within(left)
        self._members = (self._members - joined) | left

    def _within(self, members: BitMap) -> int:
        return len(members) if self._scope is None else members.intersection_cardinality(self._scope)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), clock.ZONE)
