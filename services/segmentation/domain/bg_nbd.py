"""How often a customer buys, and whether it still does: BG/NBD.

Fader, Hardie, Lee, “Counting Your Customers” the Easy Way, Marketing Science 24 (2005). A customer buys as a
Poisson process of rate λ ~ Gamma(r, α) and stops for ever after any purchase with probability p ~ Beta(a, b).

`frequency` x is the number of repeat purchases (the first does not count), `recency` t_x the time from the
first purchase to the last (0 without a repeat), `age` T the time from the first purchase to now; recency, age
and every horizon in one unit of the caller's choice. All arrays have length N.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, hyp2f1, psi

Vector = NDArray[np.float64]
_BOUND = 10.0
_POLE = 1e-5


@dataclass(frozen=True)
class BgNbd:
    """The four parameters, α in units of time, and the log-likelihood they reached."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    bounded: bool = False
    """Customers hardly differ: a parameter grew until it was held at its bound."""


def fit(frequency: Vector, recency: Vector, age: Vector) -> BgNbd:
    """Maximum likelihood over N ≥ 2 customers, equal ones counted once.

    Raises `ValueError` when a customer's figures contradict each other or nobody bought twice.
    """
    _check(frequency, recency, age)
    rows, counts = np.unique(np.column_stack([frequency, recency, age]), axis=0, return_counts=True)
    x, t_x, t = rows.T
    weights = counts / counts.sum()
    # Time in units of its mean, so that all four parameters are near 1.
    unit = float(weights @ t)

    def loss(logs: Vector) -> tuple[float, Vector]:
        value, gradient = _log_likelihood(np.exp(logs), x, t_x / unit, t / unit)
        return -float(weights @ value), -(gradient @ weights) * np.exp(logs)

    best = minimize(
        loss,
        np.zeros(4),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * 4,
        options={"maxiter": 2_000, "ftol": 1e-14, "gtol": 1e-9},
    )
    r, alpha, a, b = (float(each) for each in np.exp(best.x))
    total, _ = _log_likelihood(np.array([r, alpha * unit, a, b]), x, t_x, t)
    return BgNbd(r, alpha * unit, a, b, float(counts @ total), bool(np.any(np.abs(best.x) >= _BOUND)))


def _check(frequency: Vector, recency: Vector, age: Vector) -> None:
    if not (len(frequency) == len(recency) == len(age)) or len(frequency) < 2:
        raise ValueError("frequency, recency and age of at least two customers are needed")
    if not np.all(np.isfinite(frequency + recency + age)):
        raise ValueError("frequency, recency and age must be known")
    if np.any(frequency < 0) or np.any(recency < 0) or np.any(recency > age) or np.any(age <= 0):
        raise ValueError("0 ≤ recency ≤ age and age > 0 must hold")
    if np.any((frequency == 0) & (recency > 0)):
        raise ValueError("a recency needs a repeat purchase")
    if not np.any(frequency > 0):
        raise ValueError("nobody bought a second time")


def _log_likelihood(theta: Vector, x: Vector, t_x: Vector, t: Vector) -> tuple[Vector, NDArray[np.float64]]:
    """Per customer the log-likelihood, and its derivatives by r, α, a, b (4, N)."""
    r, alpha, a, b = theta
    repeat = x > 0
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    # ln of A3 = (α+T)^−(r+x), and of A4 / A3 for those who bought again.
    living = -(r + x) * np.log(alpha + t)
    shifted = np.where(repeat, b + x - 1, 1.0)
    odds = np.where(
        repeat, np.log(a) - np.log(shifted) + (r + x) * (np.log(alpha + t) - np.log(alpha + t_x)), -np.inf
    )
    # Γ(a+b)Γ(b+x)/(Γ(b)Γ(a+b+x)) = B(a, b+x)/B(a, b).
    value = common + living + np.logaddexp(0.0, odds)
    dead = expit(odds)
    alive = 1.0 - dead
    gradient = np.vstack(
        [
            psi(r + x) - psi(r) + np.log(alpha) - alive * np.log(alpha + t) - dead * np.log(alpha + t_x),
            r / alpha - (r + x) * (alive / (alpha + t) + dead / (alpha + t_x)),
            psi(a + b) - psi(a + b + x) + dead / a,
            psi(a + b) - psi(a + b + x) + psi(b + x) - psi(b) - dead / shifted,
        ]
    )
    return value, gradient


def alive(model: BgNbd, frequency: Vector, recency: Vector, age: Vector) -> Vector:
    """P(the customer has not stopped | x, t_x, T); 1 for whoever bought once, as the model has it."""
    repeat = frequency > 0
    shifted = np.where(repeat, model.b + frequency - 1, 1.0)
    growth = np.log(model.alpha + age) - np.log(model.alpha + recency)
    odds = np.log(model.a) - np.log(shifted) + (model.r + frequency) * growth
    return np.where(repeat, expit(-odds), 1.0)


def expected_purchases(
    model: BgNbd, horizon: float, frequency: Vector, recency: Vector, age: Vector
) -> Vector:
    """E[purchases in the next `horizon` | x, t_x, T]."""
    living = alive(model, frequency, recency, age)
    return living * purchases_if_alive(model, horizon, frequency, age)


def purchases_if_alive(model: BgNbd, horizon: float, frequency: Vector, age: Vector) -> Vector:
    """The same for a customer known to be alive at `age`.

    Euler's transformation of the paper's hypergeometric function: (1−z)^(r+x) · ₂F₁(r+x, b+x; a+b+x−1; z) is
    (1−z)^(a−1) · ₂F₁(a+b−1−r, a−1; a+b+x−1; z), which has no large terms however often the customer bought.
    """
    if abs(model.a - 1) < _POLE or abs(model.a + model.b - 1) < _POLE:
        # A removable pole: the mean of both sides is right to the square of the step.
        sides = [replace(model, a=model.a + step) for step in (-2 * _POLE, 2 * _POLE)]
        return sum((_if_alive(side, horizon, frequency, age) for side in sides), np.zeros(len(age))) / 2
    return _if_alive(model, horizon, frequency, age)


def _if_alive(model: BgNbd, horizon: float, frequency: Vector, age: Vector) -> Vector:
    a, total = model.a, model.a + model.b + frequency - 1
    share = horizon / (model.alpha + age + horizon)
    series = hyp2f1(a + model.b - 1 - model.r, a - 1, total, share)
    return np.asarray(total / (a - 1) * (1 - (1 - share) ** (a - 1) * series))
