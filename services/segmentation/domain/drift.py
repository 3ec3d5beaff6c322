"""Shares inside a target profile: their uncertainty, and when one counts as below tolerance.

A share is Σ w·x / Σ w over customers, x = 1 inside; w is 1 for a new customer, the number of contacts, or
their minutes. Contacts with one customer are not independent, so the interval is Wilson's at Kish's effective
size (Σ w)² / Σ w² (E. B. Wilson, JASA 1927; L. Kish, Survey Sampling, 1965).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from math import sqrt
from typing import Literal

Z = 1.959963984540054
"""Two-sided 95 %: with the upper end alone, one false alarm in forty where the share equals the tolerance."""
MINIMUM_N = 10.0
"""Below this effective size nothing is judged."""

Evidence = Literal["interval", "two_periods"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Period:
    """One calendar month in the bank's zone; `stop` is the first instant after it."""

    first: date
    start: datetime
    stop: datetime

    def complete(self, now: datetime) -> bool:
        return self.stop <= now


@dataclass(frozen=True)
class Sums:
    """What is added up over customers: Σ w, Σ w·x, Σ w², and of how many the facts do not say."""

    total: float = 0.0
    inside: float = 0.0
    squares: float = 0.0
    unknown: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.total + other.total,
            self.inside + other.inside,
            self.squares + other.squares,
            self.unknown + other.unknown,
        )

    @property
    def effective_n(self) -> float:
        return self.total**2 / self.squares if self.squares > 0 else 0.0

    @property
    def share(self) -> float | None:
        return min(self.inside / self.total, 1.0) if self.total > 0 else None

    @property
    def interval(self) -> Interval | None:
        share = self.share
        return None if share is None else wilson(share, self.effective_n)


@dataclass(frozen=True)
class Point:
    """One month of one unit. `judged`: it is over, facts reach back to it, and enough was seen."""

    period: Period
    sums: Sums
    complete: bool
    known: bool
    judged: bool = False
    evidence: Evidence | None = None


def months(now: datetime, zone: tzinfo, count: int) -> list[Period]:
    """The last `count` calendar months, oldest first; the last one is the present month."""
    last = now.astimezone(zone).date().replace(day=1)
    firsts = [last]
    for _ in range(count):
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    ends = [(last + timedelta(days=31)).replace(day=1), *firsts]
    periods = [
        Period(first, _instant(first, zone), _instant(stop, zone))
        for first, stop in zip(firsts, ends, strict=False)
    ]
    return list(reversed(periods[:count]))


def _instant(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def wilson(share: float, n: float, z: float = Z) -> Interval:
    """Score interval of a proportion; `n` need not be whole. (0, 1) when there is nothing to go by."""
    if n <= 0:
        return 0.0, 1.0
    shrunk = share + z * z / (2 * n)
    margin = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max((shrunk - margin) / scale, 0.0), min((shrunk + margin) / scale, 1.0)


def judge(points: Sequence[Point], tolerance: float | None, *, minimum_n: float = MINIMUM_N) -> list[Point]:
    """The points, oldest first, with what speaks for a share below `tolerance`.

    `interval`: the upper end of a month's interval is below. `two_periods`: two judged months in a row are
    below, and the upper end of both together is. A share that is below without either may be chance.
    """
    found: list[Point] = []
    for point in points:
        judged = point.complete and point.known and point.sums.effective_n >= minimum_n
        before = found[-1] if found else None
        evidence = _evidence(point, before, tolerance) if judged and tolerance is not None else None
        found.append(replace(point, judged=judged, evidence=evidence))
    return found


def _evidence(point: Point, before: Point | None, tolerance: float) -> Evidence | None:
    if _surely_below(point.sums, tolerance):
        return "interval"
    if (
        before is not None
        and before.judged
        and _below(point.sums, tolerance)
        and _below(before.sums, tolerance)
        and _surely_below(point.sums + before.sums, tolerance)
    ):
        return "two_periods"
    return None


def _below(sums: Sums, tolerance: float) -> bool:
    return sums.share is not None and sums.share < tolerance


def _surely_below(sums: Sums, tolerance: float) -> bool:
    return sums.interval is not None and sums.interval[1] < tolerance


def added(parts: Iterable[Sums]) -> Sums:
    total = Sums()
    for part in parts:
        total += part
    return total
