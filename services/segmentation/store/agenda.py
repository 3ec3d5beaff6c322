"""Whom the passing of time alone may change: events that grow too old, or that were told ahead of time.

The store is asked for some time ahead, so that the moments in between cost no query.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.store import families, touched
from services.segmentation.store.store import position

Ages = Mapping[str, set[int]]
"""Per type of event the days after which it counts otherwise; 0 where it may be told ahead of time."""

_AHEAD = timedelta(seconds=60)

# By time alone: blocks of other times are skipped, and a block has the events of about one time.
_DUE = """
SELECT ordinal, time + INTERVAL {days} DAY AS due FROM event
WHERE time > $start - INTERVAL {days} DAY AND time <= $end - INTERVAL {days} DAY
  AND type IN (SELECT unnest(${types}::VARCHAR[]))
"""


class Agenda:
    """Remembers who is due until when. One process's; not for several threads at once."""

    def __init__(self, stream: str, ahead: timedelta = _AHEAD) -> None:
        self._stream = stream
        self._ahead = ahead
        self._ages: dict[str, set[int]] | None = None
        self._applied = 0
        self._start = self._end = datetime.min  # noqa: DTZ901 - the store keeps UTC without zone
        self._due: NDArray[np.datetime64] = np.empty(0, dtype="datetime64[us]")
        self._ordinals: NDArray[np.uint32] = np.empty(0, dtype=np.uint32)

    def due(self, cursor: duckdb.DuckDBPyConnection, ages: Ages, start: datetime, end: datetime) -> BitMap:
        """Whose event reaches one of its ages in (`start`, `end`], times in UTC without zone."""
        if not self._knows(cursor, ages, start, end):
            self._ask(cursor, ages, start, end + self._ahead)
        first, last = np.searchsorted(self._due, np.array([start, end], dtype="datetime64[us]"), side="right")
        return BitMap(self._ordinals[first:last])

    def quiet(self, start: datetime, end: datetime) -> bool:
        """Nobody is due in between, as far as is remembered."""
        if self._ages is None or not self._start <= start <= end <= self._end:
            return False
        first, last = np.searchsorted(self._due, np.array([start, end], dtype="datetime64[us]"), side="right")
        return bool(first == last)

    def _knows(self, cursor: duckdb.DuckDBPyConnection, ages: Ages, start: datetime, end: datetime) -> bool:
        if self._ages != ages or not self._start <= start <= end <= self._end:
            return False
        spans = touched.spans_since(cursor, self._applied)
        if spans is None or families.regrouped_since(cursor, self._applied):
            return False
        days = set().union(*ages.values()) - {0}
        return not any(self._late(span, days, end) for span in spans)

    def _late(self, span: touched.Span, days: set[int], now: datetime) -> bool:
        """Events told since may be due in the remembered time: told ahead of it, or long after."""
        return span.latest > now or any(
            span.latest > self._start - timedelta(days=each)
            and span.earliest <= self._end - timedelta(days=each)
            for each in days
        )

    def _ask(self, cursor: duckdb.DuckDBPyConnection, ages: Ages, start: datetime, end: datetime) -> None:
        by_days: dict[int, list[str]] = {}
        for type_, days in sorted(ages.items()):
            for each in days:
                by_days.setdefault(each, []).append(type_)
        parts = [_DUE.format(days=int(days), types=f"types_{days}") for days in by_days]
        due, ordinals = self._due[:0], self._ordinals[:0]
        if parts:
            found = cursor.execute(
                " UNION ALL ".join(parts),
                {"start": start, "end": end} | {f"types_{days}": types for days, types in by_days.items()},
            ).fetchnumpy()
            order = np.argsort(found["due"], kind="stable")
            due = np.asarray(found["due"])[order].astype("datetime64[us]")
            ordinals = np.asarray(found["ordinal"])[order].astype(np.uint32)
        applied = position(cursor, self._stream) or 0
        # All or nothing: a question that failed leaves what was known before.
        self._due, self._ordinals = due, ordinals
        self._ages = {type_: set(days) for type_, days in ages.items()}
        self._start, self._end = start, end
        self._applied = applied
