"""Whether an effect differs between cells, and what to expect of each cell.

The largest of many cells is partly large by chance. Shrinkage takes that part away: each cell is drawn
towards the common effect, the more the less it knows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.quadrature import panels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.evaluation.domain.effect import Interval

    Numbers = NDArray[np.float64]

_FEWEST_TO_SHRINK = 3
_PANELS = 32


@dataclass(frozen=True, slots=True)
class Shrunk:
    """One cell's effect in view of all, with its interval at level 1 − α."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Cochran's `q` on `freedom` degrees with its p-value; `tau2` the variance of true effects between cells,
    `pooled` their mean. `cells` in the order given.
    """

    q: float
    freedom: int
    p_value: float
    tau2: float
    pooled: float
    cells: list[Shrunk]


def heterogeneity(
    effects: Sequence[float], errors: Sequence[float], alpha: float
) -> Heterogeneity | NoEffect:
    """Cells' effects with their standard errors, independent of each other.

    τ² by DerSimonian and Laird (1986). Values are the empirical-Bayes means at that τ². Their intervals take
    in that neither the common effect nor τ² is known: the mean squared distance of the truth from the value
    is averaged over every τ in proportion to its likelihood, with a flat prior of τ² (Morris and Tang 2011),
    which three cells do not bear: they have one of τ (Gelman 2006). They cover on average over cells, not
    each single cell however far out. Of two cells nothing can be said about τ: they are returned as they are.
    """
    y, s = np.asarray(effects, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if y.size != s.size or y.ndim != 1:
        raise ValueError("one standard error per effect is needed")
    if y.size < 2:
        return NoEffect("too-few", f"{y.size} cells; 2 are needed to differ from each other")
    if not np.all(np.isfinite(y)) or not np.all(np.isfinite(s)):
        return NoEffect("too-large", "the numbers are too large to be squared")
    if np.any(s <= 0):
        return NoEffect("no-variance", "a cell's effect has no standard error, so chance cannot be judged")
    # In units of the effects themselves their squares could leave the range of numbers.
    scale = float(s.max())
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = _of_scaled(y / scale, s / scale, alpha)
    told = [found.q, found.tau2 * scale * scale, found.pooled * scale]
    told += [end * scale for cell in found.cells for end in cell.interval]
    if not np.all(np.isfinite(told)):
        return NoEffect("too-large", "the numbers are too large to be squared")
    return Heterogeneity(
        found.q,
        found.freedom,
        found.p_value,
        found.tau2 * scale * scale,
        found.pooled * scale,
        [
            Shrunk(cell.value * scale, (cell.interval[0] * scale, cell.interval[1] * scale))
            for cell in found.cells
        ],
    )


def _of_scaled(y: Numbers, s: Numbers, alpha: float) -> Heterogeneity:
    weight = 1 / s**2
    common = float(weight @ y / weight.sum())
    q, freedom = float(weight @ (y - common) ** 2), y.size - 1
    spread = float(weight.sum() - (weight**2).sum() / weight.sum())
    tau2 = max(0.0, (q - freedom) / spread)
    pooled = float((y / (s**2 + tau2)).sum() / (1 / (s**2 + tau2)).sum())
    if y.size < _FEWEST_TO_SHRINK:
        value, squared = y, s**2
    else:
        value = pooled + tau2 / (s**2 + tau2) * (y - pooled)
        squared = _squared_error(y, s, value, tau2)
    margin = float(stats.norm.isf(alpha / 2)) * np.sqrt(squared)
    cells = [
        Shrunk(float(centre), (float(centre - half), float(centre + half)))
        for centre, half in zip(value, margin, strict=True)
    ]
    return Heterogeneity(q, freedom, float(stats.chi2.sf(q, freedom)), tau2, pooled, cells)


def _squared_error(y: Numbers, s: Numbers, value: Numbers, tau2: float) -> Numbers:
    """Expected square of truth − value per cell: variance given τ and the mean, of the mean, and of τ.

    Some nodes at a time: all of them by thousands of cells would be hundreds of megabytes.
    """
    tau, width = _tau_nodes(float(np.sqrt(tau2 + np.median(s) ** 2)))
    log_likelihood = np.concatenate([_log_likelihood(y, s, some) for some in np.array_split(tau, _PANELS)])
    flat = np.ones_like(tau) if y.size == _FEWEST_TO_SHRINK else tau
    chance = np.exp(log_likelihood - log_likelihood.max()) * flat * width
    chance /= chance.sum()
    squared = np.zeros_like(y)
    for likely in np.array_split(np.flatnonzero(chance > 0), _PANELS):
        squared += chance[likely] @ _squared_given(y, s, value, tau[likely])
    return squared


def _log_likelihood(y: Numbers, s: Numbers, tau: Numbers) -> Numbers:
    """Of each τ, up to a constant; the mean is integrated out."""
    total, information, mean = _of_mean(y, s, tau)
    apart = ((y - mean[:, None]) ** 2 / total).sum(axis=1)
    return np.asarray(-0.5 * (np.log(total).sum(axis=1) + np.log(information) + apart), dtype=np.float64)


def _squared_given(y: Numbers, s: Numbers, value: Numbers, tau: Numbers) -> Numbers:
    """Expected squares given each τ: a row for each, a column for each cell."""
    total, information, mean = _of_mean(y, s, tau)
    own = tau[:, None] ** 2 / total
    centre = mean[:, None] + own * (y - mean[:, None])
    variance = own * s[None, :] ** 2 + (1 - own) ** 2 / information[:, None]
    return np.asarray(variance + (centre - value) ** 2, dtype=np.float64)


def _of_mean(y: Numbers, s: Numbers, tau: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Given each τ: the variance of each cell's effect, what all know of their mean, and the mean."""
    total = s[None, :] ** 2 + tau[:, None] ** 2
    precision = 1 / total
    information = precision.sum(axis=1)
    return total, information, precision @ y / information


def _tau_nodes(scale: float) -> tuple[Numbers, Numbers]:
    """Nodes over 0 to ∞ and their widths, by τ = scale · u / (1 − u)."""
    u, width = panels(0.0, 1.0, _PANELS)
    return scale * u / (1 - u), scale * width / (1 - u) ** 2
