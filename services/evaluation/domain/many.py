"""The effects of many cells at once, in columns: what `compared` says of each, without a call for each.

A breakdown by five dimensions has thousands of cells. The methods are those of `domain.effect` and
`domain.ratio`; tests hold them to the same digits. A cell that these cannot judge is left to `compared`,
which says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from services.evaluation.domain.breakdown import HOLD_OUT, SMALLEST_CELL
from services.evaluation.domain.cells import OF_ARM, CellTable, Column, merge_groups
from services.evaluation.domain.comparison import compared, too_few
from services.evaluation.domain.effect import NEAR_COPY, WEAK_CORRELATION, NoEffect
from services.evaluation.domain.moments import Moments
from services.evaluation.domain.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.evaluation.domain.comparison import MetricKind

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """k effects in columns of length k; `judged` says where the numbers mean something."""

    judged: NDArray[np.bool_]
    mean: Numbers
    mean_control: Numbers
    error: Numbers
    low: Numbers
    high: Numbers
    p_value: Numbers
    theta: Numbers
    correlation: Numbers
    """0 where no covariate varies."""
    applied: NDArray[np.bool_]

    @property
    def difference(self) -> Numbers:
        return self.mean - self.mean_control


@dataclass(frozen=True, slots=True, eq=False)
class CellEffects:
    """k cells, treated arms pooled against the hold-out of the same cell, in the order of their values.

    `q_values` are over all cells that have an effect, and 1 where there is none.
    """

    columns: Mapping[str, Column]
    n: NDArray[np.int64]
    n_control: NDArray[np.int64]
    found: Contrasts
    q_values: Numbers
    at_least: int
    unclear: Mapping[int, NoEffect]
    """Of cells that are large enough and have none."""

    def __len__(self) -> int:
        return int(self.n.size)

    def missing(self, cell: int) -> NoEffect | None:
        """Why it has no effect; None where it has."""
        if self.found.judged[cell]:
            return None
        few = too_few(int(self.n[cell]), int(self.n_control[cell]), self.at_least)
        return self.unclear.get(cell, few)

    def surest(self, most: int) -> NDArray[np.int64]:
        """At most so many cells, in their order: those with the lowest p-values."""
        if len(self) <= most:
            return np.arange(len(self))
        p_values = np.where(self.found.judged, self.found.p_value, np.inf)
        return np.sort(np.argsort(p_values, kind="stable")[:most])


def cell_effects(
    table: CellTable, dimensions: Sequence[str], kind: MetricKind, alpha: float, at_least: int = SMALLEST_CELL
) -> CellEffects:
    """Effects per combination of `dimensions`, CUPED in each, with q-values (Benjamini–Hochberg) over all.

    What follows from the arm the hold-out does not have: every script and every channel is compared with the
    whole hold-out of what the other dimensions name.
    """
    columns, treated, control = _both(table, dimensions)
    enough = np.minimum(treated[0], control[0]) >= max(at_least, 2)
    with np.errstate(all="ignore"):
        found = _finite(_contrasts(treated, control, kind, alpha, enough))
    unclear: dict[int, NoEffect] = {}
    for i in np.flatnonzero(enough & ~found.judged).tolist():
        told = compared(_moments(treated[:, i]), _moments(control[:, i]), kind, alpha, at_least)
        # Where only the quick way could not: nothing is claimed of what two ways do not agree on.
        unclear[i] = told if isinstance(told, NoEffect) else NoEffect("too-large", "too large to be squared")
    q_values = np.ones(found.judged.size)
    q_values[found.judged] = benjamini_hochberg(found.p_value[found.judged].tolist())
    n, n_control = treated[0].astype(np.int64), control[0].astype(np.int64)
    return CellEffects(columns, n, n_control, found, q_values, at_least, unclear)


def _moments(of: Numbers) -> Moments:
    n, *rest = of.tolist()
    return Moments(int(n), *rest)


def _both(table: CellTable, dimensions: Sequence[str]) -> tuple[dict[str, Column], Numbers, Numbers]:
    """The cells asked for, with the moments (6, k) of their treated and of their hold-out."""
    arm = table.columns["arm"]
    held_out = np.array([name == HOLD_OUT for name in arm.names], dtype=bool)[arm.codes]
    own = [name for name in dimensions if name not in OF_ARM]
    group, first = table.groups(own)
    control = merge_groups(table.moments[:, held_out], group[held_out], first.size)
    if len(own) == len(dimensions):
        columns = {name: table.columns[name].taken(first) for name in dimensions}
        return columns, merge_groups(table.moments[:, ~held_out], group[~held_out], first.size), control
    treated = table.taken(~held_out)
    finer, one = treated.groups(dimensions)
    columns = {name: treated.columns[name].taken(one) for name in dimensions}
    return columns, merge_groups(treated.moments, finer, one.size), control[:, group[~held_out][one]]


def _contrasts(
    treated: Numbers, control: Numbers, kind: MetricKind, alpha: float, enough: NDArray[np.bool_]
) -> Contrasts:
    if kind == "proportion":
        return _newcombe(treated, control, alpha, enough)
    if kind in ("ratio", "retention"):
        return _ratios(treated, control, alpha, enough)
    return _means(treated, control, alpha, enough)


def _finite(found: Contrasts) -> Contrasts:
    """What is not a number is no effect."""
    told = np.stack([found.mean, found.mean_control, found.error, found.low, found.high, found.p_value])
    return replace(found, judged=found.judged & np.isfinite(told).all(axis=0))


def _means(treated: Numbers, control: Numbers, alpha: float, enough: NDArray[np.bool_]) -> Contrasts:
    """Welch on the outcome, or on the CUPED-adjusted one where the covariate helps; see `effect.compare`."""
    n_t, y_t, yy_t, x_t, xx_t, xy_t = treated
    n_c, y_c, yy_c, x_c, xx_c, xy_c = control
    spread_x, spread_y, product = xx_t + xx_c, yy_t + yy_c, xy_t + xy_c
    varies = (spread_x > 0) & (spread_y > 0)
    theta = np.where(varies, product / spread_x, 0.0)
    correlation = np.where(varies, product / np.sqrt(spread_x) / np.sqrt(spread_y), 0.0)
    usable = varies & np.isfinite(theta) & np.isfinite(correlation)
    theta, correlation = np.where(usable, theta, 0.0), np.where(usable, np.clip(correlation, -1, 1), 0.0)
    applied = usable & (np.abs(correlation) >= WEAK_CORRELATION) & (np.abs(correlation) < NEAR_COPY)
    used = np.where(applied, theta, 0.0)
    centre = (n_t * x_t + n_c * x_c) / (n_t + n_c)
    means = [y - used * (x - centre) for y, x in ((y_t, x_t), (y_c, x_c))]
    variances = [
        np.maximum(yy - 2 * used * xy + used * used * xx, 0.0) / (n - 1) / n
        for n, yy, xx, xy in ((n_t, yy_t, xx_t, xy_t), (n_c, yy_c, xx_c, xy_c))
    ]
    return _by_t(means, variances, (n_t, n_c), alpha, enough, (theta, correlation, applied))


def _ratios(treated: Numbers, control: Numbers, alpha: float, enough: NDArray[np.bool_]) -> Contrasts:
    """The delta method; see `ratio.ratio_effect`."""
    means, variances, clear = [], [], enough.copy()
    for n, y, yy, x, xx, xy in (treated, control):
        value = y / x
        clear &= x > 3 * np.sqrt(xx / (n - 1) / n)
        means.append(value)
        variances.append(np.maximum(yy - 2 * value * xy + value * value * xx, 0.0) / (n - 1) / n / x**2)
    nothing = np.zeros_like(treated[0])
    none = nothing.astype(bool)
    return _by_t(means, variances, (treated[0], control[0]), alpha, clear, (nothing, nothing, none))


def _by_t(
    means: Sequence[Numbers],
    variances: Sequence[Numbers],
    n: tuple[Numbers, Numbers],
    alpha: float,
    enough: NDArray[np.bool_],
    adjustment: tuple[Numbers, Numbers, NDArray[np.bool_]],
) -> Contrasts:
    """Difference of two independent estimates, degrees of freedom by Welch–Satterthwaite."""
    variance = variances[0] + variances[1]
    error = np.sqrt(variance)
    noise = 8 * np.finfo(float).eps * np.maximum(np.abs(means[0]), np.abs(means[1]))
    difference = means[0] - means[1]
    judged = enough & np.isfinite(variance) & np.isfinite(difference) & (error > noise)
    share = variances[0] / variance
    freedom = 1 / (share**2 / (n[0] - 1) + (1 - share) ** 2 / (n[1] - 1))
    margin = stats.t.ppf(1 - alpha / 2, freedom) * error
    p_value = np.asarray(2 * stats.t.sf(np.abs(difference) / error, freedom), dtype=np.float64)
    return Contrasts(
        judged, means[0], means[1], error, difference - margin, difference + margin, p_value, *adjustment
    )


def _newcombe(treated: Numbers, control: Numbers, alpha: float, enough: NDArray[np.bool_]) -> Contrasts:
    """Two Wilson intervals joined, p-value by the pooled score test; see `effect.newcombe`."""
    (n_t, rate_t), (n_c, rate_c) = treated[:2], control[:2]
    low_t, high_t = _wilson(rate_t, n_t, alpha)
    low_c, high_c = _wilson(rate_c, n_c, alpha)
    difference = rate_t - rate_c
    pooled = (rate_t * n_t + rate_c * n_c) / (n_t + n_c)
    score = np.sqrt(np.maximum(pooled * (1 - pooled), 0.0) * (1 / n_t + 1 / n_c))
    tail = np.asarray(2 * stats.norm.sf(np.abs(difference) / score), dtype=np.float64)
    p_value = np.where(score > 0, tail, 1.0)
    nothing = np.zeros_like(n_t)
    return Contrasts(
        enough,
        rate_t,
        rate_c,
        np.sqrt(rate_t * (1 - rate_t) / n_t + rate_c * (1 - rate_c) / n_c),
        difference - np.sqrt((rate_t - low_t) ** 2 + (high_c - rate_c) ** 2),
        difference + np.sqrt((high_t - rate_t) ** 2 + (rate_c - low_c) ** 2),
        p_value,
        nothing,
        nothing,
        nothing.astype(bool),
    )


def _wilson(rate: Numbers, n: Numbers, alpha: float) -> tuple[Numbers, Numbers]:
    z = float(stats.norm.ppf(1 - alpha / 2))
    widened = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / widened
    reach = z / widened * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return np.where(rate <= 0, 0.0, centre - reach), np.where(rate >= 1, 1.0, centre + reach)
