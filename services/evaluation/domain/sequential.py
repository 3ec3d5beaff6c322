"""Looking more than once without fooling oneself.

Two ways. The always-valid interval covers at every moment at once, so that anybody may look as often as they
like; it costs width. Group-sequential bounds are for a few looks that were planned; they cost little.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, exp, isfinite, log, pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import optimize, special, stats

from services.evaluation.domain.quadrature import panels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from services.evaluation.domain.effect import Interval

    Numbers = NDArray[np.float64]

Spending = Literal["obrien_fleming", "pocock"]
TUNING_ALPHA = 0.05
SMALLEST_STEP = 0.001
"""Looks have to be apart by this share of the information at least."""
_REACH = 9.0
"""Standard deviations beyond which nothing is left to integrate."""
_FARTHEST = 40.0
_SMALLEST_PROBABILITY = 1e-300


def mixture(tuned_for: int) -> float:
    """ρ that makes the interval narrowest when `tuned_for` units have been observed.

    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), appendix on the choice of ρ, at the 5 % level for
    every α: with one ρ the intervals of all levels lie in each other, and the p-value inverts them.
    """
    if tuned_for < 1:
        raise ValueError("tuned_for has to be at least 1")
    depth = -2 * log(TUNING_ALPHA)
    return sqrt((depth + log(depth + 1)) / tuned_for)


def confidence_sequence(difference: float, se: float, n: int, alpha: float, tuned_for: int) -> Interval:
    """Asymptotic confidence sequence of a difference: holds at all n together with probability 1 − α.

    `n` counts the units observed in all groups compared, `se` is the plain standard error of the difference
    at that n, `tuned_for` the n for which the interval is narrowest, declared beforehand. Two-sided bound of
    Waudby-Smith et al. (2021), theorem 2.2, with σ̂² = n · se².
    """
    _require(difference, se, n)
    if not 0 < alpha < 1:
        raise ValueError("alpha has to lie between 0 and 1")
    weight = n * mixture(tuned_for) ** 2
    margin = se * sqrt((weight + 1) / weight * (log(weight + 1) - 2 * log(alpha)))
    return difference - margin, difference + margin


def always_valid_p(difference: float, se: float, n: int, tuned_for: int) -> float:
    """Smallest α whose confidence sequence leaves out zero; 1 when none does. At most the chance of ever
    seeing anything as small where there is no difference.
    """
    _require(difference, se, n)
    weight = n * mixture(tuned_for) ** 2
    evidence = (difference / se) ** 2 * weight / (weight + 1) / 2 - log(weight + 1) / 2
    return min(1.0, exp(-evidence)) if evidence > 0 else 1.0


def _require(difference: float, se: float, n: int) -> None:
    if n < 1:
        raise ValueError("n has to be at least 1")
    if not isfinite(difference) or not isfinite(se) or se <= 0:
        raise ValueError("a difference with a positive standard error is needed")


def spent(share: float, alpha: float, kind: Spending) -> float:
    """How much of a one-sided α may be used up when `share` of the information is there.

    Lan and DeMets (1983): the functions that come close to O'Brien–Fleming's and to Pocock's bounds.
    """
    if kind == "obrien_fleming":
        return float(2 * stats.norm.sf(stats.norm.isf(alpha / 2) / sqrt(share)))
    return float(alpha * log(1 + (e - 1) * share))


def spending_bounds(shares: Sequence[float], alpha: float, kind: Spending) -> list[float]:
    """Bound on |z| at each look, two-sided with level `alpha` over all looks together.

    `shares` of the information at each look: increasing, above 0, at most 1. The exact distribution of the
    path between the looks is carried on by recursive numerical integration (Armitage, McPherson and Rowe
    1969). A bound depends on this look and earlier ones only, so that looks need not come as planned.
    """
    _require_looks(shares, alpha)
    bounds: list[float] = []
    path: _Path | None = None
    used = 0.0
    for share in shares:
        total = spent(share, alpha / 2, kind)
        chance = max(2 * (total - used), _SMALLEST_PROBABILITY)
        used = total
        bound = float(stats.norm.isf(chance / 2)) if path is None else _bound(path, share, chance)
        bounds.append(bound)
        path = _Path.begin(share, bound) if path is None else path.onward(share, bound)
    return bounds


def _require_looks(shares: Sequence[float], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError("alpha has to lie between 0 and 1")
    earlier = 0.0
    for share in shares:
        if not share - earlier >= SMALLEST_STEP * (1 - 1e-9) or share > 1:
            raise ValueError(f"shares have to grow by at least {SMALLEST_STEP} from look to look, up to 1")
        earlier = share


def _bound(path: _Path, share: float, chance: float) -> float:
    return float(
        optimize.brentq(lambda bound: path.crossing(share, bound) - chance, 0.0, _FARTHEST, xtol=1e-12)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """Of a Brownian motion that has stayed within the bounds up to information `share`: nodes and mass."""

    share: float
    nodes: Numbers
    mass: Numbers

    @classmethod
    def begin(cls, share: float, bound: float) -> _Path:
        return cls._over(share, bound, share, lambda nodes: _density(nodes, sqrt(share)))

    def onward(self, share: float, bound: float) -> _Path:
        step = sqrt(share - self.share)

        def density(nodes: Numbers) -> Numbers:
            return _density(nodes[:, None] - self.nodes[None, :], step) @ self.mass

        return self._over(share, bound, share - self.share, density)

    def crossing(self, share: float, bound: float) -> float:
        """Chance to be beyond ±`bound` at `share`, and within the bounds at every look before."""
        step, edge = sqrt(share - self.share), bound * sqrt(share)
        beyond = special.ndtr((self.nodes - edge) / step) + special.ndtr((-self.nodes - edge) / step)
        return float(beyond @ self.mass)

    @classmethod
    def _over(cls, share: float, bound: float, step: float, density: Callable[[Numbers], Numbers]) -> _Path:
        """Nodes over what is left, close enough for the narrowest feature: that of the last step, or of the
        smallest that may follow.
        """
        edge = min(bound, _REACH) * sqrt(share)
        narrowest = sqrt(min(step, max(1 - share, SMALLEST_STEP)))
        nodes, weights = panels(-edge, edge, min(80, 5 + int(1.5 * edge / narrowest)))
        return cls(share, nodes, weights * density(nodes))


def _density(apart: Numbers, deviation: float) -> Numbers:
    """Of a normal with mean 0."""
    found: Numbers = np.exp(-((apart / deviation) ** 2) / 2) / (deviation * sqrt(2 * pi))
    return found
