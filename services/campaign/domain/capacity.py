"""How many contacts fit into managers' days, and messages into those of a channel."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from math import ceil

NO_DAY = None


def slots(minutes: Decimal, taken: Decimal, each: Decimal) -> int:
    """Contacts of `each` minutes that fit into a day of `minutes` of which `taken` are planned already."""
    if each <= 0:
        raise ValueError("a contact takes time")
    return max(int((minutes - taken) // each), 0)


def day_of(number: int, room: Sequence[int]) -> int | None:
    """Index of the day for a manager's contact `number` (from 1) where day i has room for `room[i]`; None
    when they are all full: what does not fit is told, not squeezed in.
    """
    upto = list(accumulate(room))
    index = bisect_left(upto, number)
    return index if index < len(upto) else NO_DAY


def beyond(contacts: int, room: Sequence[int]) -> int:
    """How many of so many contacts no day has room for."""
    return max(contacts - sum(room), 0)


@dataclass(frozen=True)
class Sending:
    """`days`: from the first that takes messages to the one that takes the last, those that take none not
    counted; None where none ever would. `left`: messages that no day takes.
    """

    days: int | None
    left: int


def sending(arrivals: Sequence[int], room: Sequence[int], *, late: int, per_day: int) -> Sending:
    """Messages that become due day by day and are sent in their order, as many a day as it has room for;
    `late` ones do so behind the last of the days, where each day would take `per_day`.
    """
    queue = days = needed = 0
    for due, takes in zip(arrivals, room, strict=True):
        queue += due
        days += takes > 0
        sent = min(queue, takes)
        queue -= sent
        if sent:
            needed = days
    queue += late
    if not queue:
        return Sending(needed, 0)
    return Sending(days + ceil(queue / per_day) if per_day else None, queue)
