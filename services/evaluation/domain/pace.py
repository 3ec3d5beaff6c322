"""What is used up a day, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST_DAYS = 7
"""A week has every weekday once."""
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Rate:
    per_day: float
    low: float
    high: float


def rate(daily: Sequence[float], level: float = 0.95) -> Rate | None:
    """Mean of the last days with Student's interval; None with fewer than three of them.

    A straight line through the last days: what changes its pace leaves the interval.
    """
    last = daily[-LAST_DAYS:]
    if len(last) < _FEWEST:
        return None
    middle, deviation = fmean(last), stdev(last)
    half = float(stats.t.ppf(0.5 + level / 2, len(last) - 1)) * deviation / math.sqrt(len(last))
    return Rate(middle, middle - half, middle + half)
