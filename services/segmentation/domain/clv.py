"""What a customer is worth from now on: money of every future month, discounted (methods.md §6)."""

import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain import bg_nbd, gamma_gamma

Vector = NDArray[np.float64]


def monthly_discount(rate: float) -> float:
    """The factor of one month for a yearly rate of interest, e.g. 0.08."""
    return float((1.0 + rate) ** (-1 / 12))


def monthly_survival(probability: Vector, horizon_days: int) -> Vector:
    """P(still with us after a month), from P(lost within `horizon_days`) at a constant hazard; (N,)."""
    return np.asarray((1.0 - np.clip(probability, 0.0, 1.0)) ** (365.25 / 12 / horizon_days))


def from_contribution(contribution: Vector, survival: Vector, months: int, discount: float) -> Vector:
    """Σ_{t=1..months} survival^t · contribution · discount^t.

    `contribution`: per customer and month (N,), may be negative. `survival`: P(still with us after a month),
    (N,), in [0, 1]. `discount`: the factor of one month, in (0, 1].
    """
    ratio = survival * discount
    with np.errstate(all="ignore"):
        series = ratio * (1 - ratio**months) / (1 - ratio)
    return contribution * np.where(np.abs(1 - ratio) < 1e-12, float(months), series)


def from_purchases(
    buying: bg_nbd.BgNbd,
    spending: gamma_gamma.GammaGamma,
    frequency: Vector,
    recency: Vector,
    age: Vector,
    spend: Vector,
    *,
    months: int,
    month: float,
    margin: float,
    discount: float,
) -> Vector:
    """Σ_t (purchases expected in month t) · (spend expected per purchase) · margin · discount^t.

    `month`: the length of a month in the unit of recency and age. `spend`: mean of the repeat purchases,
    anything where there was none. `margin`: what the bank keeps of the spend.
    """
    living = bg_nbd.alive(buying, frequency, recency, age)
    total = np.zeros(len(frequency))
    before = np.zeros(len(frequency))
    for number in range(1, months + 1):
        until = bg_nbd.purchases_if_alive(buying, number * month, frequency, age)
        total += (until - before) * discount**number
        before = until
    return living * total * gamma_gamma.expected_spend(spending, frequency, spend) * margin
