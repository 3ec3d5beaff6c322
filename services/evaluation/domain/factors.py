"""Confirmatory factor analysis by maximum likelihood: do the indicators fit the constructs declared?

An independent look at a measurement model whose scores come from partial least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LARGEST_SLOPE = 1e-4
_REFUSED = 1e10


@dataclass(frozen=True, slots=True)
class FactorFit:
    """χ² of the model against covariances without structure, CFI (Bentler 1990), RMSEA (Steiger 1990).

    `loadings` (p,) standardised, each on its own factor; `correlations` (m, m) of the factors.
    """

    chi2: float
    freedom: int
    p_value: float
    cfi: float
    rmsea: float
    loadings: Floats
    correlations: Floats


def confirm(covariance: Floats, n: int, blocks: Sequence[Sequence[int]]) -> FactorFit | None:
    """Correlated factors of variance 1, every indicator on one; `covariance` (p, p) with divisor `n`.

    Loadings may be any, unique variances are positive. None when nothing is left to test, when a block has
    fewer than two indicators, or when the likelihood has no maximum inside.
    """
    columns = [column for block in blocks for column in block]
    size, factors = len(columns), len(blocks)
    shape = _Shape(
        np.concatenate([np.full(len(block), number) for number, block in enumerate(blocks)]),
        np.tril_indices(factors, -1),
    )
    freedom = size * (size + 1) // 2 - 2 * size - len(shape.pairs[0])
    if freedom <= 0 or min(len(block) for block in blocks) < 2:
        return None
    scale = np.sqrt(np.diag(covariance))[columns]
    sample = covariance[np.ix_(columns, columns)] / np.outer(scale, scale)
    sign, log_volume = np.linalg.slogdet(sample)
    if sign <= 0:
        return None
    begin = np.concatenate(
        [np.full(size, 0.7), np.full(size, np.log(0.5)), np.full(len(shape.pairs[0]), 0.3)]
    )
    found = optimize.minimize(
        _discrepancy,
        begin,
        args=(sample, shape, float(log_volume)),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-7, "maxiter": 1000},
    )
    if found.fun >= _REFUSED or np.abs(found.jac).max() > _LARGEST_SLOPE:
        return None
    loadings, _, correlations = shape.unpack(found.x)
    return _indices(n, max(float(found.fun), 0.0), freedom, -float(log_volume), loadings, correlations)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which factor each indicator loads on, and the pairs of factors that correlate."""

    factor: NDArray[np.intp]
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]]

    def unpack(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Loadings (p,), unique variances (p,), factor correlations (m, m)."""
        size = len(self.factor)
        correlations = np.eye(int(self.factor.max()) + 1)
        correlations[self.pairs] = values[2 * size :]
        correlations[self.pairs[::-1]] = values[2 * size :]
        return values[:size], np.exp(np.minimum(values[size : 2 * size], 50.0)), correlations


def _discrepancy(values: Floats, sample: Floats, shape: _Shape, log_volume: float) -> tuple[float, Floats]:
    """ln|Σ| + tr(SΣ⁻¹) − ln|S| − p, and its slope (Jöreskog 1969)."""
    loadings, unique, correlations = shape.unpack(values)
    between = correlations[np.ix_(shape.factor, shape.factor)]
    implied = np.outer(loadings, loadings) * between + np.diag(unique)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(implied))
    except np.linalg.LinAlgError:
        return _REFUSED, np.zeros_like(values)
    precision = inverse.T @ inverse
    value = -2 * float(np.log(np.diag(inverse)).sum()) + float((sample * precision).sum())
    slope = precision - precision @ sample @ precision
    by_correlation = np.zeros_like(correlations)
    np.add.at(
        by_correlation, (shape.factor[:, None], shape.factor[None, :]), slope * np.outer(loadings, loadings)
    )
    gradient = np.concatenate(
        [
            2 * (slope * between) @ loadings,
            np.diag(slope) * unique,
            by_correlation[shape.pairs] + by_correlation[shape.pairs[::-1]],
        ]
    )
    return value - log_volume - len(sample), gradient


def _indices(
    n: int, discrepancy: float, freedom: int, discrepancy_alone: float, loadings: Floats, correlations: Floats
) -> FactorFit:
    """`discrepancy_alone`: of indicators that have nothing to do with each other."""
    size = len(loadings)
    chi2, alone = n * discrepancy, n * discrepancy_alone
    excess = max(chi2 - freedom, 0.0)
    most = max(alone - size * (size - 1) / 2, excess)
    return FactorFit(
        chi2=chi2,
        freedom=freedom,
        p_value=float(stats.chi2.sf(chi2, freedom)),
        cfi=1 - excess / most if most > 0 else 1.0,
        rmsea=sqrt(excess / ((n - 1) * freedom)),
        loadings=loadings,
        correlations=correlations,
    )
