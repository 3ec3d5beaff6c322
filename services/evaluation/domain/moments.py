"""Moments that add up: n, means, centred sums of squares and of products.

Sums of raw squares are useless on balances (NIST NumAcc4: the naive variance is negative), so
cells are merged from centred sums by Chan, Golub and LeVeque (1983). Merging is associative:
any breakdown is a regrouping of the finest cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Moments:
    """Outcome y and covariate x of n units; without a covariate, x is 0 throughout.

    `m2_y` = Σ(y − ȳ)², `m2_x` = Σ(x − x̄)², `c_xy` = Σ(x − x̄)(y − ȳ); units of y², x², xy.
    """

    n: int = 0
    mean_y: float = 0.0
    m2_y: float = 0.0
    mean_x: float = 0.0
    m2_x: float = 0.0
    c_xy: float = 0.0

    @property
    def variance(self) -> float:
        """Sample variance of y; 0 for fewer than two units."""
        return self.m2_y / (self.n - 1) if self.n > 1 else 0.0

    def merge(self, other: Moments) -> Moments:
        """Moments of both samples together."""
        if other.n == 0:
            return self
        if self.n == 0:
            return other
        n = self.n + other.n
        weight = self.n * other.n / n
        dy, dx = other.mean_y - self.mean_y, other.mean_x - self.mean_x
        return Moments(
            n=n,
            mean_y=self.mean_y + dy * other.n / n,
            m2_y=self.m2_y + other.m2_y + dy * dy * weight,
            mean_x=self.mean_x + dx * other.n / n,
            m2_x=self.m2_x + other.m2_x + dx * dx * weight,
            c_xy=self.c_xy + other.c_xy + dx * dy * weight,
        )

    def less(self, theta: float, centre: float) -> Moments:
        """Moments of y − θ(x − centre)."""
        return Moments(
            n=self.n,
            mean_y=self.mean_y - theta * (self.mean_x - centre),
            m2_y=max(self.m2_y - 2 * theta * self.c_xy + theta * theta * self.m2_x, 0.0),
        )


def merged(parts: Iterable[Moments]) -> Moments:
    """All parts as one sample; no part at all is an empty sample.

    Every sum is rounded once, so that the order of the parts makes no difference, and thousands of them lose
    no more digits than two.
    """
    filled = [part for part in parts if part.n]
    if len(filled) < 2:
        return filled[0] if filled else Moments()
    n = sum(part.n for part in filled)
    near_y, near_x = min(part.mean_y for part in filled), min(part.mean_x for part in filled)
    mean_y = near_y + fsum(part.n * (part.mean_y - near_y) for part in filled) / n
    mean_x = near_x + fsum(part.n * (part.mean_x - near_x) for part in filled) / n
    apart = [(part, part.mean_y - mean_y, part.mean_x - mean_x) for part in filled]
    return Moments(
        n=n,
        mean_y=mean_y,
        m2_y=fsum(part.m2_y + part.n * dy * dy for part, dy, _ in apart),
        mean_x=mean_x,
        m2_x=fsum(part.m2_x + part.n * dx * dx for part, _, dx in apart),
        c_xy=fsum(part.c_xy + part.n * dx * dy for part, dy, dx in apart),
    )


def of_values(y: ArrayLike, x: ArrayLike | None = None) -> Moments:
    """Moments of two equally long one-dimensional arrays, by two passes; infinite where squares are."""
    outcome = np.asarray(y, dtype=np.float64)
    covariate = np.zeros_like(outcome) if x is None else np.asarray(x, dtype=np.float64)
    if outcome.size == 0:
        return Moments()
    with np.errstate(over="ignore", invalid="ignore"):
        mean_y, mean_x = float(outcome.mean()), float(covariate.mean())
        dy, dx = outcome - mean_y, covariate - mean_x
        return Moments(outcome.size, mean_y, float(dy @ dy), mean_x, float(dx @ dx), float(dx @ dy))
