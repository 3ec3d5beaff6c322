"""From prices to a plan: every limit holds, and as little as possible is given away."""

from collections.abc import Iterator

import numpy as np

from services.campaign.domain.contact_prices import Block, candidates
from services.campaign.domain.contact_problem import Flags, Floats, Integers, Prices, Problem, Singles

_ROUNDING = 1e-9
_CHUNK = 16_384
_TRIES = 500
_PASSES = 3
SMALL = 60_000
"""Options up to which a plan is improved by single exchanges; with more, rounding costs next to nothing."""


class Choice:
    """A plan in the making over a block's rows. Every change keeps within every limit.

    chosen: (N, M). places: (N,), minutes: (G,), limits: (R,) and missing: (Q,) say what is left of each.
    """

    def __init__(self, problem: Problem, block: Block, prices: Prices, penalty: float) -> None:
        self._problem = problem
        self._block = block
        self._penalty = penalty
        self._price = prices.of_options(problem).astype(np.float32)
        self._minute_price = prices.minutes.astype(np.float32)
        self._starts = np.searchsorted(block.manager, np.arange(block.manager_minutes.size + 1))
        self._takes = problem.minutes.astype(np.float32)
        self.chosen = np.zeros(block.value.shape, dtype=bool)
        self.places = block.places.copy()
        self.minutes = block.manager_minutes.copy()
        self.limits = block.limits.copy()
        self.missing = block.minimum.copy()
        self.value = 0.0

    def merit(self, rows: slice | Integers) -> Singles:
        """Value less the price of all that a contact takes."""
        minute = self._minute_price[self._block.manager[rows]][:, None]
        reduced: Singles = self._block.value[rows] - self._price - minute * self._takes
        return reduced

    def make(self, prices: Prices) -> "Choice":
        """Seeds, fills and mends."""
        self._seed(prices)
        self._fill()
        self._mend()
        self._fill()
        return self

    def follow(self, rows: Integers, options: Integers) -> "Choice":
        """Takes contacts that were chosen elsewhere, as far as they fit, and fills."""
        self._take(rows, options, self._block.value[rows, options])
        self._fill()
        return self

    def _seed(self, prices: Prices) -> None:
        """What is worth its price, the best first, as far as it fits."""
        picks = candidates(self._problem, self._block, prices.of_options(self._problem))
        reduced, wanted = picks.at(prices.minutes)
        rows, slots = np.nonzero(wanted)
        self._take(rows, picks.option[rows, slots], reduced[rows, slots])

    def _fill(self) -> None:
        """Until nothing more fits: first what the minima lack, then whatever has a value."""
        for offer in np.flatnonzero(self.missing > 0):
            columns = np.flatnonzero(self._problem.offer == offer)
            while self.missing[offer] > 0 and self._round(columns, int(self.missing[offer])):
                pass
        every = np.arange(self._problem.offer.size)
        while self._round(every, None):
            pass

    def _round(self, columns: Integers, most: int | None) -> int:
        """Each customer's best option that fits, the best of them first; how many were taken."""
        found = list(self._proposals(columns))
        rows = np.concatenate([rows for rows, _, _ in found]) if found else np.zeros(0, dtype=np.int64)
        if not rows.size:
            return 0
        options = np.concatenate([options for _, options, _ in found])
        merits = np.concatenate([merits for _, _, merits in found])
        if most is not None and rows.size > most:
            best = np.argsort(-merits, kind="stable")[:most]
            rows, options, merits = rows[best], options[best], merits[best]
        return self._take(rows, options, merits)

    def _proposals(self, columns: Integers) -> Iterator[tuple[Integers, Integers, Singles]]:
        columns = columns[self._room()[columns]]
        if not columns.size:
            return
        least = self._problem.minutes[columns].min()
        free = (self.places > 0) & (self.minutes[self._block.manager] >= least - _ROUNDING)
        for rows in np.split(np.flatnonzero(free), range(_CHUNK, int(free.sum()), _CHUNK)):
            merit = np.where(self._fits(rows), self.merit(rows), -np.inf)[:, columns]
            at = merit.argmax(axis=1) if rows.size else np.zeros(0, dtype=np.int64)
            best = merit[np.arange(rows.size), at]
            found = best > -np.inf
            yield rows[found], columns[at[found]], best[found]

    def _room(self) -> Flags:
        """(M,) whether the global limits leave room for a contact by the option."""
        fits: Flags = self._problem.needs <= self.limits[:, None] + _ROUNDING
        return np.asarray(fits.all(axis=0))

    def _fits(self, rows: slice | Integers) -> Flags:
        """(n, M) whether the contact could be added."""
        left = self.minutes[self._block.manager[rows]]
        fits: Flags = (
            (self._block.value[rows] > 0)
            & ~self.chosen[rows]
            & (self.places[rows] > 0)[:, None]
            & (self._problem.minutes <= left[:, None] + _ROUNDING)
            & self._room()
        )
        return fits

    def _take(self, rows: Integers, options: Integers, merits: Singles) -> int:
        """Of these contacts, those that fit beside all that are better; how many were taken.

        No customer is named more often than it has places.
        """
        order = np.argsort(-merits, kind="stable")
        rows, options = rows[order], options[order]
        needs = self._problem.needs
        fits = np.ones(rows.size, dtype=bool)
        for limit in np.flatnonzero(np.isfinite(self.limits)):
            fits &= np.cumsum(needs[limit, options]) <= self.limits[limit] + _ROUNDING
        manager = self._block.manager[rows]
        by_manager = np.argsort(manager, kind="stable")
        used = np.cumsum(self._problem.minutes[options[by_manager]])
        first = np.searchsorted(manager[by_manager], manager[by_manager])
        before = np.concatenate([[0.0], used])[first]
        within = np.empty(rows.size, dtype=bool)
        within[by_manager] = used - before <= self.minutes[manager[by_manager]] + _ROUNDING * (1 + used)
        fits &= within
        rows, options = rows[fits], options[fits]
        self._book(rows, options, 1)
        return rows.size

    def _book(self, rows: Integers, options: Integers, sign: int) -> None:
        """Adds contacts (sign 1) or takes them back (-1)."""
        problem, managers = self._problem, self.minutes.size
        self.chosen[rows, options] = sign > 0
        np.subtract.at(self.places, rows, sign)
        spent = np.bincount(self._block.manager[rows], weights=problem.minutes[options], minlength=managers)
        self.minutes -= sign * spent
        counts = np.bincount(options, minlength=problem.offer.size).astype(np.float64)
        self.limits -= sign * (problem.needs @ counts)
        self.missing -= sign * (problem.of_offer @ counts)
        self.value += sign * float(self._block.value[rows, options].sum(dtype=np.float64))

    @property
    def score(self) -> float:
        """The value, less the penalty for every customer a minimum lacks."""
        return self.value - self._penalty * float(np.maximum(self.missing, 0).sum())

    def _mend(self) -> None:
        """Exchanges contacts for those that minima lack, and where options are few also for better ones."""
        for offer in np.flatnonzero(self.missing > 0):
            columns = np.flatnonzero(self._problem.offer == offer)
            for row, option in self._wanted(columns, _TRIES + 3 * int(self.missing[offer])):
                if self.missing[offer] <= 0:
                    break
                self._exchange(row, option)
        if self.chosen.size > SMALL:
            return
        every = np.arange(self._problem.offer.size)
        for _ in range(_PASSES):
            before = self.score
            for row, option in self._wanted(every, _TRIES):
                self._exchange(row, option)
            if self.score <= before + _ROUNDING:
                break

    def _wanted(self, columns: Integers, most: int) -> list[tuple[int, int]]:
        """Contacts not chosen, the best first."""
        open_ = (
            (self._block.value[:, columns] > 0) & ~self.chosen[:, columns] & (self._block.places > 0)[:, None]
        )
        rows, at = np.nonzero(open_)
        options = columns[at]
        merits = self._block.value[rows, options] - self._price[options]
        merits -= self._minute_price[self._block.manager[rows]] * self._takes[options]
        order = np.argsort(-merits, kind="stable")[:most]
        return list(zip(rows[order].tolist(), options[order].tolist(), strict=True))

    def _exchange(self, row: int, option: int) -> None:
        """The contact in the place of the least worth that are in its way; undone unless the score gains."""
        if self.chosen[row, option]:
            return
        before = self.score
        done: list[tuple[int, int, int]] = []
        if self._make_room(row, option, done):
            self._do(row, option, 1, done)
            self._refill(self._near(row), done)
            if self.score > before + _ROUNDING * max(1.0, abs(before)):
                return
        self._undo(done)

    def _undo(self, done: list[tuple[int, int, int]]) -> None:
        for row, option, sign in reversed(done):
            self._do(row, option, -sign, None)

    def _do(self, row: int, option: int, sign: int, done: list[tuple[int, int, int]] | None) -> None:
        problem = self._problem
        self.chosen[row, option] = sign > 0
        self.places[row] -= sign
        self.minutes[self._block.manager[row]] -= sign * problem.minutes[option]
        self.limits -= sign * problem.needs[:, option]
        self.missing[problem.offer[option]] -= sign
        self.value += sign * float(self._block.value[row, option])
        if done is not None:
            done.append((row, option, sign))

    def _make_room(self, row: int, option: int, done: list[tuple[int, int, int]]) -> bool:
        problem, manager = self._problem, self._block.manager[row]
        if self.places[row] <= 0 and not self._drop(slice(row, row + 1), np.ones(len(problem.offer)), done):
            return False
        own = slice(int(self._starts[manager]), int(self._starts[manager + 1]))
        while self.minutes[manager] < problem.minutes[option] - _ROUNDING:
            if not self._drop(own, problem.minutes, done):
                return False
        near = self._near(row)
        for limit in np.flatnonzero(problem.needs[:, option] > 0):
            while self.limits[limit] < problem.needs[limit, option] - _ROUNDING:
                if not self._drop(near, problem.needs[limit], done):
                    return False
        return True

    def _near(self, row: int) -> slice:
        """Where contacts are exchanged with: everywhere, or with the same manager where there are many."""
        if self.chosen.size <= SMALL:
            return slice(0, len(self.chosen))
        manager = self._block.manager[row]
        return slice(int(self._starts[manager]), int(self._starts[manager + 1]))

    def _drop(self, rows: slice, takes: Floats, done: list[tuple[int, int, int]]) -> bool:
        """Gives up the contact of least worth, by unit of what it frees; one a minimum needs comes last."""
        frees = self.chosen[rows] & (takes > 0)
        if not frees.any():
            return False
        needed = (self.missing[self._problem.offer] >= 0) & (self._block.minimum[self._problem.offer] > 0)
        worth = (self._block.value[rows] - self._price + self._penalty * needed) / np.maximum(takes, 1e-9)
        at = int(np.where(frees, worth, np.inf).argmin())
        row, option = divmod(at, frees.shape[1])
        self._do(rows.start + row, option, -1, done)
        return True

    def _refill(self, rows: slice, done: list[tuple[int, int, int]]) -> None:
        """What has come free nearby goes to the best that fits."""
        while True:
            fits = self._fits(rows)
            if not fits.any():
                return
            bonus = self._penalty * (self.missing > 0)[self._problem.offer]
            at = int(np.where(fits, self.merit(rows) + bonus, -np.inf).argmax())
            row, option = divmod(at, fits.shape[1])
            self._do(rows.start + row, option, 1, done)
