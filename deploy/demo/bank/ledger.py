"""The current account: postings added up so that every balance follows from the one before."""

from dataclasses import dataclass

import numpy as np

from deploy.demo.bank.columns import Dates, Ints
from deploy.demo.bank.happenings import DAY, Happenings, day_number

FLOOR = 1_000
"""Cents that are left at the lowest point."""
_SPAN = 1 << 40


@dataclass(frozen=True)
class Ledger:
    """`after[i]`: cents after happening i. `opening`, `closing`: per customer of the block."""

    after: Ints
    opening: Ints
    closing: Ints
    position: Ints
    """Each happening's number within its customer, from 0."""


def running(found: Happenings, first: int, customers: int) -> tuple[Ints, Ints, Ints]:
    """Sums within each customer, each happening's number, and the first happening of each customer."""
    local = found.row - first
    starts = np.searchsorted(local, np.arange(customers + 1))
    total = np.concatenate([[0], np.cumsum(found.amount)])
    since = total[1:] - total[starts[local]]
    return since, np.arange(len(found)) - starts[local], starts


def keep(found: Happenings, first: int, target: Ints) -> Ledger:
    """Opening balances such that the account ends at `target` (cents) and never falls below `FLOOR`.

    A customer whose postings would take it lower starts, and ends, with correspondingly more.
    """
    since, position, starts = running(found, first, len(target))
    occupied = starts[1:] > starts[:-1]
    last = np.maximum(starts[1:] - 1, 0)
    total = np.zeros(len(target), np.int64)
    lowest = np.zeros(len(target), np.int64)
    if len(found):
        total = np.where(occupied, since[last], 0)
        lowest[occupied] = np.minimum.reduceat(since, starts[:-1][occupied])
    opening = np.maximum(target - total, FLOOR - np.minimum(lowest, 0))
    return Ledger(since + opening[found.row - first], opening, opening + total, position)


def at_month_ends(found: Happenings, ledger: Ledger, first: int, ends: Dates) -> Ints:
    """Cents in the current account at the end of each of those days, customers × days."""
    customers = np.arange(len(ledger.opening))
    keys = (found.row - first) * _SPAN + found.second_of
    midnight = (day_number(ends) + 1) * DAY
    before = np.searchsorted(keys, customers[:, None] * _SPAN + midnight[None, :], side="left")
    starts = np.searchsorted(found.row - first, customers)
    none_yet = before <= starts[:, None]
    if not len(found):
        return np.broadcast_to(ledger.opening[:, None], before.shape)
    return np.where(none_yet, ledger.opening[:, None], ledger.after[np.maximum(before - 1, 0)])
