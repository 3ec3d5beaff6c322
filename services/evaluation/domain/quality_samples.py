"""What the service-quality index is estimated from, and other samples of it that chance might have drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from services.evaluation.domain.pls import Construct, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WHOLE = ""
"""Name of the construct behind the others: one that no dimension and no business can have."""
FEWEST = 10
"""Observations of each business in a branch-month below which it gets no index."""
_CHUNK = 25


@dataclass(frozen=True, slots=True)
class Dimension:
    """One side of a business's service, by the columns of the indicators that show it or make it up."""

    name: str
    columns: tuple[int, ...]
    mode: Mode = "A"


@dataclass(frozen=True, slots=True)
class Sample:
    """Observations of one business. `values` (n, p): indicators, higher is better. `units` (n,): number of
    the branch-month each belongs to, ascending.

    `outcomes`: columns that ask about the business as a whole; none: it is taken for the sum of its
    dimensions. `overall`: columns that ask about the bank as a whole, in one order in every business.
    """

    business: str
    indicators: tuple[str, ...]
    dimensions: tuple[Dimension, ...]
    values: Floats
    units: NDArray[np.intp]
    outcomes: tuple[int, ...] = ()
    overall: tuple[int, ...] = ()

    def constructs(self) -> tuple[Construct, ...]:
        """The dimensions, and behind them the business."""
        below = tuple(Construct(one.name, one.columns, one.mode) for one in self.dimensions)
        repeated = tuple(dict.fromkeys(column for one in self.dimensions for column in one.columns))
        above = Construct(WHOLE, self.outcomes or repeated, after=tuple(one.name for one in self.dimensions))
        return (*below, above)

    def cells(self) -> Cells:
        found, starts, sizes = np.unique(self.units, return_index=True, return_counts=True)
        return Cells(found, starts, sizes)


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the rows of each branch-month begin and how many they are."""

    units: NDArray[np.intp]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Draws:
    """R samples: `correlations` (R, p, p) of the indicators and `means` (R, cells, p), standardised over all
    rows of the same sample. `sound` (R,): no indicator was the same for everybody.
    """

    correlations: Floats
    means: Floats
    sound: NDArray[np.bool_]


def standardised(values: Floats) -> Floats:
    """Every column with mean 0 and variance 1; none may be constant."""
    centred = values - values.mean(axis=0)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=0)))


def cell_means(values: Floats, cells: Cells) -> Floats:
    """(cells, p) means of rows that stand in the cells' order."""
    return np.asarray(np.add.reduceat(values, cells.starts, axis=0) / cells.sizes[:, None])


def _widening(sizes: NDArray[np.intp], alpha: float) -> Floats:
    freedom = np.maximum(sizes, FEWEST) - 1
    return np.asarray(stats.t.ppf(1 - alpha / 2, freedom) / stats.norm.ppf(1 - alpha / 2))


def draws(
    values: Floats, cells: Cells, replicates: int, rng: np.random.Generator, alpha: float
) -> Iterator[Draws]:
    """Samples of standardised `values` drawn with replacement within each branch-month, some at a time.

    The bank's branches are what they are; who answered there is chance. Of n rows n − 1 are drawn, and count
    for n: so many vary as much as n others would, where n drawn from n vary by a factor n − 1 over n too
    little (McCarthy and Snowden 1985; Rao and Wu 1988). Means of few rows are besides spread so far that
    their percentile interval at level 1 − α is that of Student's t (Hesterberg 2015).
    """
    widen = _widening(cells.sizes, alpha)[:, None]
    seen = cell_means(values, cells)
    few = np.maximum(cells.sizes - 1, 1)
    chosen = Cells(cells.units, np.concatenate([[0], np.cumsum(few)[:-1]]), few)
    starts, sizes = np.repeat(cells.starts, few), np.repeat(cells.sizes, few)
    counts = (sizes / np.repeat(few, few))[:, None]
    for begin in range(0, replicates, _CHUNK):
        count, width = min(_CHUNK, replicates - begin), values.shape[1]
        correlations, means = np.empty((count, width, width)), np.empty((count, len(seen), width))
        sound = np.ones(count, dtype=bool)
        for number in range(count):
            rows = values[starts + (rng.random(len(sizes)) * sizes).astype(np.intp)]
            drawn = cell_means(rows, chosen)
            centre = drawn.T @ cells.sizes / len(values)
            covariance = rows.T @ (counts * rows) / len(values) - np.outer(centre, centre)
            spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
            sound[number] = (spread > 1e-9).all()
            spread[spread <= 1e-9] = 1.0
            correlations[number] = covariance / np.outer(spread, spread)
            means[number] = (seen + (drawn - seen) * widen - centre) / spread
        yield Draws(correlations, means, sound)
