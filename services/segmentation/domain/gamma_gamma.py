"""How much a customer spends per purchase: Gamma–Gamma.

Fader, Hardie, The Gamma–Gamma Model of Monetary Value (2013). Single purchases of a customer are Gamma(p, ν),
ν ~ Gamma(q, v) over customers, independent of how often they buy. `frequency` is the number of purchases that
the mean `spend` was taken over (customers with at least one and a positive mean); arrays of length N.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, psi

Vector = NDArray[np.float64]
_BOUND = 10.0


@dataclass(frozen=True)
class GammaGamma:
    """`v` in units of spend, and the log-likelihood reached."""

    p: float
    q: float
    v: float
    log_likelihood: float
    bounded: bool = False
    """Customers hardly differ: a parameter grew until it was held at its bound."""


def fit(frequency: Vector, spend: Vector) -> GammaGamma:
    """Maximum likelihood. Raises `ValueError` for fewer than two customers, for spends or frequencies that
    are not positive.
    """
    if len(frequency) != len(spend) or len(frequency) < 2:
        raise ValueError("frequency and mean spend of at least two customers are needed")
    if not np.all(np.isfinite(frequency + spend)) or np.any(frequency <= 0) or np.any(spend <= 0):
        raise ValueError("frequency and mean spend must be positive")
    unit = float(spend.mean())
    mean = spend / unit

    def loss(logs: Vector) -> tuple[float, Vector]:
        value, gradient = _log_likelihood(np.exp(logs), frequency, mean)
        return -float(value.mean()), -gradient.mean(axis=1) * np.exp(logs)

    best = minimize(
        loss,
        np.array([1.0, 1.0, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * 3,
        options={"maxiter": 2_000, "ftol": 1e-14, "gtol": 1e-9},
    )
    p, q, v = (float(each) for each in np.exp(best.x))
    total, _ = _log_likelihood(np.array([p, q, v * unit]), frequency, spend)
    return GammaGamma(p, q, v * unit, float(total.sum()), bool(np.any(np.abs(best.x) >= _BOUND)))


def _log_likelihood(theta: Vector, x: Vector, mean: Vector) -> tuple[Vector, NDArray[np.float64]]:
    """Per customer the log-likelihood, and its derivatives by p, q, v (3, N)."""
    p, q, v = theta
    total = v + x * mean
    value = (
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(v)
        + (p * x - 1) * np.log(mean)
        + p * x * np.log(x)
        - (p * x + q) * np.log(total)
    )
    gradient = np.vstack(
        [
            x * (psi(p * x + q) - psi(p * x) + np.log(x * mean) - np.log(total)),
            psi(p * x + q) - psi(q) + np.log(v) - np.log(total),
            q / v - (p * x + q) / total,
        ]
    )
    return value, gradient


def expected_spend(model: GammaGamma, frequency: Vector, spend: Vector) -> Vector:
    """E[spend per purchase | mean `spend` over `frequency` purchases]; the mean of all for frequency 0.

    That mean is p·v/(q−1): infinite for q ≤ 1, then whoever never bought again is unknown (NaN).
    """
    weight = model.p * frequency + model.q - 1
    with np.errstate(all="ignore"):
        found = (model.v + np.where(frequency > 0, spend * frequency, 0.0)) * model.p / weight
    return np.where(weight > 0, found, np.nan)
