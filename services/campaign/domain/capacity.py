"""How many contacts fit into managers' days."""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

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
