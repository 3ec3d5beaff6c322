"""Prices of the limits: the Lagrangian dual of the contact problem.

The few global limits and the minima are dualised; the dual is convex in their prices, and with many
customers as good as smooth, with few or with equal ones piecewise linear (`convex`). At given prices the
managers are independent of one another; each one's price of a minute is found by bisection. Whatever
the prices, the Lagrangian bounds the value of every plan from above (Geoffrion 1974).
"""

from dataclasses import dataclass, replace

import numpy as np

from services.campaign.domain.contact_problem import (
    Flags,
    Floats,
    Integers,
    Prices,
    Problem,
    Progress,
    Singles,
)
from services.campaign.domain.convex import Effort, least_of_dual

_CHUNK = 16_384
_SAMPLE = 20_000
_SMALL = Effort(smooth=200, cuts=60)
_LARGE = Effort(smooth=14, cuts=4)
_HALVINGS = 22
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Block:
    """Customers ordered by manager. `value` is -inf where no contact is possible."""

    value: Singles
    manager: Integers
    places: Integers
    manager_minutes: Floats
    limits: Floats
    minimum: Floats


@dataclass(frozen=True)
class Answer:
    """What managers do at given prices: the dual value, contacts by option (M,), minutes' prices (G,)."""

    bound: float
    counts: Floats
    minutes: Floats


def block_of(problem: Problem, order: Integers) -> Block:
    value = np.where(problem.value > 0, problem.value, -np.inf).astype(np.float32, copy=False)
    return Block(
        value[order],
        problem.manager[order],
        problem.places[order],
        _usable(problem.manager_minutes, problem.minutes),
        problem.limits,
        problem.minimum,
    )


def _usable(available: Floats, minutes: Floats) -> Floats:
    """Where all contacts take multiples of one length, the rest of a manager's minutes is of no use."""
    unit = float(minutes[minutes > 0].min(initial=np.inf))
    multiples = minutes / unit
    if np.isinf(unit) or not np.allclose(multiples, np.round(multiples)):
        return available
    return np.minimum(np.floor(available / unit + _ROUNDING) * unit, available)


def find_prices(problem: Problem, block: Block, progress: Progress) -> Prices:
    """First on managers drawn at random, where there are many customers, then on all."""
    search = Search(problem)
    start = np.zeros(problem.limits.size + problem.minimum.size)
    part = _sample(block) if len(block.manager) > 2 * _SAMPLE else None
    if part is not None:
        start, _ = search.run(part, start, _SMALL, lambda share: progress(share / 2))
    effort, before = (_SMALL, 0.0) if part is None else (_LARGE, 0.5)
    prices, answer = search.run(block, start, effort, lambda share: progress(before + (1 - before) * share))
    size = problem.limits.size
    return Prices(prices[:size], prices[size:], answer.minutes, answer.bound)


def penalty_of(problem: Problem) -> float:
    """More than a contact demanded by a minimum can cost in others' value."""
    best = float(problem.value.max(initial=0.0))
    return 4.0 * max(best, 1e-9) * max(1.0, float(problem.places.max(initial=1)))


def _sample(block: Block) -> Block | None:
    """All customers of some managers, and the global limits in proportion; None of too few managers."""
    managers, sizes = np.unique(block.manager, return_counts=True)
    if managers.size < 40:
        return None
    drawn = np.random.default_rng(0).permutation(managers.size)
    taken = drawn[: 1 + int(np.searchsorted(np.cumsum(sizes[drawn]), _SAMPLE))]
    chosen = np.zeros(block.manager_minutes.size, dtype=bool)
    chosen[managers[taken]] = True
    rows = np.flatnonzero(chosen[block.manager])
    share = rows.size / block.manager.size
    return Block(
        block.value[rows],
        block.manager[rows],
        block.places[rows],
        block.manager_minutes,
        block.limits * share,
        block.minimum * share,
    )


class Search:
    """Prices of the limits (R) and minima (Q) in one vector, in units of the dearest contact."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._needs = np.concatenate([problem.needs, problem.of_offer])
        self._signs = np.concatenate([np.ones(problem.limits.size), -np.ones(problem.minimum.size)])
        best = max(float(problem.value.max(initial=0.0)), 1e-9)
        self._unit = best / np.maximum(self._needs.max(axis=1, initial=0.0), 1e-9)
        self._most = np.where(self._signs < 0, penalty_of(problem), np.inf)

    def run(self, block: Block, start: Floats, effort: Effort, progress: Progress) -> tuple[Floats, Answer]:
        """The best prices found and what managers do at them; `bound` includes the limits' own worth."""
        limits = np.concatenate([block.limits, block.minimum])
        active = np.flatnonzero(np.where(self._signs > 0, np.isfinite(limits), limits > 0))
        most = (self._most / self._unit)[active]
        best: list[tuple[Floats, Answer]] = []
        made = 0

        def dual(scaled: Floats) -> tuple[float, Floats]:
            nonlocal made
            progress(min(made / (effort.smooth + effort.cuts), 1.0))
            made += 1
            prices = np.zeros(limits.size)
            prices[active] = scaled * self._unit[active]
            answer = self._answer(block, limits, active, prices)
            if not best or answer.bound < best[0][1].bound:
                best[:] = [(prices, answer)]
            slack = self._signs * (limits - self._needs @ answer.counts)
            return answer.bound, (slack * self._unit)[active]

        least_of_dual(dual, np.minimum((start / self._unit)[active], most), most, effort)
        return best[0]

    def _answer(self, block: Block, limits: Floats, active: Integers, prices: Floats) -> Answer:
        signed = self._signs * prices
        answer = managers_answer(self._problem, block, signed @ self._needs)
        bound = answer.bound + float(signed[active] @ limits[active])
        return Answer(bound, answer.counts, answer.minutes)


def managers_answer(problem: Problem, block: Block, price: Floats) -> Answer:
    """The best each manager can do when a contact by option j costs price[j] (M,).

    Where contacts are worth the same, a manager's minutes end within them: then a part of them counts, so
    that `counts` is the slope of the dual.
    """
    picks = candidates(problem, block, price)
    low, minutes = minute_prices(picks, block)
    worth, chosen = picks.at(minutes)
    weights = chosen.astype(np.float64)
    tied = np.flatnonzero((minutes > 0)[picks.manager])
    if tied.size:
        part = picks.of(tied)
        _, more = part.at(low)
        size = minutes.size
        least, most = (_spent(part, each, size) for each in (chosen[tied], more))
        share = np.clip((block.manager_minutes - least) / np.maximum(most - least, 1e-9), 0, 1)[part.manager]
        weights[tied] += share[:, None] * (more.astype(np.float64) - chosen[tied])
    counts = np.bincount(picks.option.ravel(), weights=weights.ravel(), minlength=len(price))
    finite = np.isfinite(block.manager_minutes)
    paid = float(minutes[finite] @ block.manager_minutes[finite])
    return Answer(float(worth[chosen].sum(dtype=np.float64)) + paid, counts.astype(np.float64), minutes)


@dataclass(frozen=True)
class Picks:
    """The only options that may be chosen at given prices: for each customer, of the options that take
    equally many minutes the best as many as the customer has places. (n, S), -inf where there is none.
    """

    worth: Singles
    option: Integers
    minutes: Singles
    places: Integers
    manager: Integers
    one_kind: bool
    most: int

    def of(self, rows: Integers) -> "Picks":
        """Those of some customers."""
        return replace(
            self,
            worth=self.worth[rows],
            option=self.option[rows],
            places=self.places[rows],
            manager=self.manager[rows],
        )

    def at(self, minute_price: Floats) -> tuple[Singles, Flags]:
        """Worth of each pick at the managers' prices of a minute, and whether it is chosen."""
        if not self.worth.size:
            return self.worth, np.zeros(self.worth.shape, dtype=bool)
        reduced = self.worth - minute_price.astype(np.float32)[self.manager][:, None] * self.minutes
        chosen = reduced > 0
        if not self.one_kind:
            chosen &= _best(reduced, self.places, self.most)
        return reduced, chosen


def _best(reduced: Singles, places: Integers, most: int) -> Flags:
    """(n, S): whether the pick is among the customer's best."""
    chosen = np.zeros(reduced.shape, dtype=bool)
    rest = reduced.copy()
    rows = np.arange(len(rest))
    for place in range(most):
        at = rest.argmax(axis=1)
        chosen[rows, at] |= places > place
        rest[rows, at] = -np.inf
    return chosen


def candidates(problem: Problem, block: Block, price: Floats) -> Picks:
    kinds, kind = np.unique(problem.minutes, return_inverse=True)
    most = int(block.places.max(initial=0))
    groups = [np.flatnonzero(kind == each) for each in range(kinds.size)]
    widths = [min(most, group.size) for group in groups]
    shape = (len(block.manager), sum(widths))
    worth = np.full(shape, -np.inf, dtype=np.float32)
    option = np.zeros(shape, dtype=np.int64)
    minutes = np.repeat(kinds, widths).astype(np.float32)
    for start in range(0, shape[0], _CHUNK):
        rows = slice(start, min(start + _CHUNK, shape[0]))
        reduced = block.value[rows] - price.astype(np.float32)
        inside = np.arange(len(reduced))
        slot = 0
        for group, width in zip(groups, widths, strict=True):
            own = reduced if group.size == reduced.shape[1] else np.ascontiguousarray(reduced[:, group])
            for place in range(width):
                at = own.argmax(axis=1)
                found = own[inside, at]
                worth[rows, slot] = np.where(block.places[rows] > place, found, -np.inf)
                option[rows, slot] = group[at]
                own[inside, at] = -np.inf
                slot += 1
    return Picks(worth, option, minutes, block.places, block.manager, kinds.size == 1, most)


def minute_prices(picks: Picks, block: Block) -> tuple[Floats, Floats]:
    """(G,) Two prices, next to each other: at the higher the manager needs no more minutes than there are, at
    the lower more. Both 0 where the minutes are enough.
    """
    size = block.manager_minutes.size
    zero = np.zeros(size)
    if not picks.worth.size:
        return zero, zero
    short = _used(picks, zero, size) > block.manager_minutes
    if not short.any():
        return zero, zero
    part = picks.of(np.flatnonzero(short[picks.manager]))
    low = zero
    dearest = np.where(picks.minutes > 0, part.worth / np.maximum(picks.minutes, 1e-9), 0.0).max(axis=1)
    high = zero.copy()
    np.maximum.at(high, part.manager, np.maximum(dearest, 0.0))
    high *= 1.0 + 1e-6
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        over = short & (_used(part, middle, size) > block.manager_minutes)
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.where(short, low, 0.0), np.where(short, high, 0.0)


def _used(picks: Picks, minute_price: Floats, size: int) -> Floats:
    """(G,) minutes of the chosen picks."""
    return _spent(picks, picks.at(minute_price)[1], size)


def _spent(picks: Picks, chosen: Flags, size: int) -> Floats:
    spent = chosen @ picks.minutes.astype(np.float64)
    return np.bincount(picks.manager, weights=spent, minlength=size).astype(np.float64)
