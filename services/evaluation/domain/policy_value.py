"""What another policy would have been worth, by the customers of a campaign that was randomised.

A policy says which arm a customer gets, by the cell he is in; to leave him alone is one of the arms. It is
learned on all folds but one and valued on that one, so that what looks good by chance in the customers it was
learned on gains it nothing. Values are differences from today's policy ("do the same again") over the same
customers, by inverse propensities (IPW) and doubly robust (DR: Dudík, Langford, Li, "Doubly Robust Policy
Evaluation and Learning", ICML 2011), with the propensities logged at assignment.

All that is needed are sufficient statistics per fold, cell and arm: see `Statistics`. For a customer with
arm a, outcome y and propensity p the score is Σ_a d(a)·μ(a) + d(a)·(y − μ(a))/p with d the difference of the
two policies and μ learned on the other folds. Within a cell it is linear in (1/p, y/p), so that its mean and
its centred sum of squares follow from the moments of these two. Outcomes are centred on the campaign's mean
before: Σ_a d(a) = 0 makes that a free reduction of variance.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from services.evaluation.domain.effect import Interval, NoEffect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FOLDS = 5
POWER = 0.8
MOST = 1e9


@dataclass(frozen=True, slots=True)
class Weighted:
    """Moments of u = 1/p and v = y/p, arrays of one shape: `n`, means of v and u, and centred sums Σ(v − v̄)²,
    Σ(u − ū)², Σ(v − v̄)(u − ū). Zeros where nobody is.
    """

    n: Numbers
    mean_v: Numbers
    m2_v: Numbers
    mean_u: Numbers
    m2_u: Numbers
    c_vu: Numbers

    @property
    def mean(self) -> Numbers:
        """Of y: Σv ÷ Σu, 0 where nobody is."""
        return np.where(self.n > 0, self.mean_v / np.where(self.n > 0, self.mean_u, 1.0), 0.0)

    @property
    def m2(self) -> Numbers:
        """Σ(y − ȳ)², each by its weight."""
        mean = self.mean
        spread = self.m2_v - 2 * mean * self.c_vu + mean**2 * self.m2_u
        return np.where(
            self.n > 0, np.maximum(spread, 0.0) / np.where(self.n > 0, self.mean_u, 1.0) ** 2, 0.0
        )

    def over_first(self) -> Weighted:
        """All along the first axis together (Chan, Golub, LeVeque 1983)."""
        n = self.n.sum(axis=0)
        of = np.maximum(n, 1)
        v, u = (self.n * self.mean_v).sum(axis=0) / of, (self.n * self.mean_u).sum(axis=0) / of
        dv, du = self.mean_v - v, self.mean_u - u
        return Weighted(
            n,
            v,
            (self.m2_v + self.n * dv**2).sum(axis=0),
            u,
            (self.m2_u + self.n * du**2).sum(axis=0),
            (self.c_vu + self.n * dv * du).sum(axis=0),
        )


@dataclass(frozen=True, slots=True)
class Statistics:
    """Moments of the customers of each fold, cell and arm: `of` has the shape (folds, cells, arms).

    `cells` and `arms` name the last two axes; the hold-out is an arm like any other.
    """

    cells: tuple[str, ...]
    arms: tuple[str, ...]
    of: Weighted

    @property
    def folds(self) -> int:
        return int(self.of.n.shape[0])

    def without(self, fold: int | None) -> Weighted:
        """(cells, arms): of all folds but `fold`, or of all."""
        keep = np.arange(self.folds) != fold
        return Weighted(*(getattr(self.of, each.name)[keep] for each in fields(Weighted))).over_first()


@dataclass(frozen=True, slots=True)
class Gain:
    """Difference of two policies per customer, in the outcome's unit; `n` customers were valued."""

    n: int
    value: float
    standard_error: float
    ipw: float
    ipw_error: float

    def interval(self, alpha: float) -> Interval:
        margin = float(stats.norm.ppf(1 - alpha / 2)) * self.standard_error
        return self.value - margin, self.value + margin

    @property
    def p_value(self) -> float:
        return float(2 * stats.norm.sf(abs(self.value) / self.standard_error))

    def needed(self, better: int, alpha: float) -> int | None:
        """Customers of a next round that finds the gain seen, at level α with power 0.8.

        None where it points the other way than `better`, or where no bank has as many.
        """
        if better * self.value <= 0:
            return None
        reach = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER))
        units = self.n * (reach * self.standard_error / self.value) ** 2
        return ceil(units) if units < MOST else None


def gain(
    seen: Statistics, policies: Numbers, today: Numbers, within: NDArray[np.bool_] | None = None
) -> Gain | NoEffect:
    """What `policies` gain over `today` per customer.

    `policies` (folds, cells, arms): probabilities of the arms for the customers of a fold, learned without
    it. `today` (arms,) or of the same shape. `within` (folds, cells): only customers of these cells.
    """
    d = policies - np.broadcast_to(today, policies.shape)
    n = seen.of.n if within is None else seen.of.n * within[:, :, None]
    if not np.any((d != 0) & (n > 0)):
        return NoEffect("no-variance", "the policy does what is done today")
    if float(n.sum()) < 2:
        return NoEffect("too-few", f"{int(n.sum())} customers to value it on; 2 are needed")
    model = np.stack([_model(seen.without(fold)) for fold in range(seen.folds)])
    value, error = _score(seen.of, n, d, model)
    ipw, ipw_error = _score(seen.of, n, d, np.zeros_like(model))
    if not np.isfinite([value, error, ipw, ipw_error]).all():
        return NoEffect("too-large", "the numbers are too large to be squared")
    if error <= 0:
        return NoEffect("no-variance", "the outcome is the same for everybody, so chance cannot be judged")
    return Gain(int(n.sum()), value, error, ipw, ipw_error)


def _model(learned: Weighted) -> Numbers:
    """Expected outcome by cell and arm: that of the cell, where it was seen, else that of the arm."""
    return np.where(learned.n > 0, learned.mean, learned.over_first().mean)


def _score(of: Weighted, n: Numbers, d: Numbers, model: Numbers) -> tuple[float, float]:
    """Mean of the scores and its standard error, over all folds, cells and arms."""
    mean = (d * model).sum(axis=2, keepdims=True) + d * (of.mean_v - model * of.mean_u)
    m2 = d**2 * np.maximum(of.m2_v - 2 * model * of.c_vu + model**2 * of.m2_u, 0.0)
    total = float(n.sum())
    centre = float((n * mean).sum()) / total
    spread = float((np.where(n > 0, m2, 0.0) + n * (mean - centre) ** 2).sum())
    return centre, sqrt(spread / (total - 1) / total)
