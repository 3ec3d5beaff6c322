"""Co-moments of an outcome and any number of covariates, and the effect adjusted for them.

The matrix form of `Moments`: n, means and centred cross-products, merged by Chan, Golub and LeVeque (1983).
Column 0 is the outcome, the others are covariates that were known before assignment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from services.evaluation.domain.effect import (
    NEAR_COPY,
    WEAK_CORRELATION,
    Adjustment,
    Effect,
    Estimate,
    Kind,
    NoEffect,
    compare,
    contrast,
)
from services.evaluation.domain.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

COLLINEAR = 1e-8
"""A covariate of which the others leave a smaller share of variance unexplained is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class CoMoments:
    """n units of k columns: `means` (k,), `products` (k, k) = Σ (v − v̄)(v − v̄)ᵀ."""

    n: int
    means: NDArray[np.float64]
    products: NDArray[np.float64]

    def merge(self, other: CoMoments) -> CoMoments:
        """Co-moments of both samples together; both have the same columns."""
        if other.n == 0:
            return self
        if self.n == 0:
            return other
        n = self.n + other.n
        step = other.means - self.means
        return CoMoments(
            n,
            self.means + step * (other.n / n),
            self.products + other.products + np.outer(step, step) * (self.n * other.n / n),
        )

    def moments(self, outcome: int = 0, covariate: int | None = None) -> Moments:
        """Of one column, or of two."""
        alone = Moments(self.n, float(self.means[outcome]), float(self.products[outcome, outcome]))
        if covariate is None:
            return alone
        return replace(
            alone,
            mean_x=float(self.means[covariate]),
            m2_x=float(self.products[covariate, covariate]),
            c_xy=float(self.products[outcome, covariate]),
        )


def of_columns(columns: ArrayLike) -> CoMoments:
    """Of finite numbers (k, n), a row for each column, by two passes."""
    values = np.asarray(columns, dtype=np.float64)
    if values.shape[1] == 0:
        return CoMoments(0, np.zeros(len(values)), np.zeros((len(values), len(values))))
    means = values.mean(axis=1)
    centred = values - means[:, None]
    # What rounding left of the means is taken out of the products (Björck's correction).
    rest = centred.sum(axis=1)
    n = values.shape[1]
    return CoMoments(n, means + rest / n, centred @ centred.T - np.outer(rest, rest) / n)


def merged(parts: Iterable[CoMoments]) -> CoMoments:
    """All parts, at least one, as one sample."""
    filled = list(parts)
    if len(filled) == 1:
        return filled[0]
    sizes = np.array([part.n for part in filled], dtype=np.float64)
    means = np.stack([part.means for part in filled])
    n = int(sizes.sum())
    if n == 0:
        return filled[0]
    near = means[int(sizes.argmax())]
    mean = near + sizes @ (means - near) / n
    apart = means - mean
    within = np.sum([part.products for part in filled], axis=0)
    return CoMoments(n, mean, within + (apart * sizes[:, None]).T @ apart)


def adjusted_effect(
    treated: CoMoments, control: CoMoments, kind: Kind, alpha: float, at_least: int = 2
) -> Effect | NoEffect:
    """The effect adjusted for every covariate that helps (CUPED; θ by regression pooled within groups).

    Covariates that do not vary or repeat others are left out. Falls back on the plain comparison where those
    that remain explain hardly anything, or everything, and for proportions. The error counts that θ is an
    estimate: it is that of the analysis of covariance when the groups vary alike.
    """
    plain = compare(treated.moments(), control.moments(), kind, alpha, at_least)
    if isinstance(plain, NoEffect) or kind == "proportion":
        return plain
    adjustment = weigh(treated, control)
    if adjustment is None:
        return plain
    if not adjustment.applied:
        return replace(plain, adjustment=adjustment)
    effect = _adjusted(treated, control, adjustment, alpha)
    return effect if isinstance(effect, NoEffect) else replace(effect, adjustment=adjustment)


def weigh(treated: CoMoments, control: CoMoments) -> Adjustment | None:
    """θ of each covariate; None when none varies."""
    within = treated.products + control.products
    kept = _independent(within[1:, 1:])
    spread = float(within[0, 0])
    left = treated.n + control.n - 2 - len(kept)
    if not kept or spread <= 0 or left < 1:
        return None
    columns = [index + 1 for index in kept]
    scale = np.sqrt(np.diag(within)[columns])
    correlations = within[np.ix_(columns, columns)] / np.outer(scale, scale)
    product = within[columns, 0] / scale
    solved = np.linalg.solve(correlations, product)
    correlation = sqrt(min(max(float(solved @ product) / spread, 0.0), 1.0))
    thetas = np.zeros(len(within) - 1)
    thetas[kept] = solved / scale
    if not np.isfinite(thetas).all():
        return None
    applied = WEAK_CORRELATION <= correlation < NEAR_COPY
    return Adjustment(1.0, correlation, applied=applied, thetas=tuple(float(theta) for theta in thetas))


def _independent(products: NDArray[np.float64]) -> list[int]:
    """Columns none of which the ones before it explain, by Cholesky steps on the correlations."""
    scale = np.sqrt(np.clip(np.diag(products), 0.0, None))
    varying = scale > 0
    divisor = np.where(varying, scale, 1.0)
    rest = products / np.outer(divisor, divisor)
    kept: list[int] = []
    for column in np.flatnonzero(varying):
        pivot = rest[column, column]
        if pivot <= COLLINEAR:
            continue
        kept.append(int(column))
        rest = rest - np.outer(rest[:, column], rest[column]) / pivot
    return kept


def _adjusted(
    treated: CoMoments, control: CoMoments, adjustment: Adjustment, alpha: float
) -> Effect | NoEffect:
    thetas = np.array(adjustment.thetas)
    used = int(np.count_nonzero(thetas))
    units = treated.n + control.n - 2
    centre = treated.merge(control).means[1:]
    weights = np.concatenate([[1.0], -thetas])
    parts = [_residual(group, weights, centre, units / (units - used)) for group in (treated, control)]
    # θ misses by chance, the more the further the groups' covariates lie apart.
    apart = treated.means[1:] - control.means[1:]
    lever = _leverage(treated.products[1:, 1:] + control.products[1:, 1:], apart, thetas != 0)
    spread = sum(part.variance * part.n * (part.n - 1) for part in parts) / units
    first, second = parts
    first = replace(first, variance=first.variance + spread * lever)
    return contrast(first, second, alpha, "welch+cuped")


def _residual(
    group: CoMoments, weights: NDArray[np.float64], centre: NDArray[np.float64], inflation: float
) -> Estimate:
    mean = float(weights @ np.concatenate([group.means[:1], group.means[1:] - centre]))
    spread = max(float(weights @ group.products @ weights), 0.0)
    return Estimate(group.n, mean, spread / (group.n - 1) / group.n * inflation, group.n - 1)


def _leverage(products: NDArray[np.float64], apart: NDArray[np.float64], used: NDArray[np.bool_]) -> float:
    columns = np.flatnonzero(used)
    scale = np.sqrt(np.diag(products)[columns])
    correlations = products[np.ix_(columns, columns)] / np.outer(scale, scale)
    standard = apart[columns] / scale
    return float(standard @ np.linalg.solve(correlations, standard))
