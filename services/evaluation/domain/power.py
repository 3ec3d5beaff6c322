"""How many customers the next test needs."""

from __future__ import annotations

from math import sqrt

from scipy import optimize, stats

LARGEST = 1e9


def units_per_group(standardised: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Units in each of two equal groups to find a difference of `standardised` standard deviations.

    Two-sided t test with equal variances, exact by the non-central t; infinite beyond 10⁹.
    """

    def shortfall(n: float) -> float:
        freedom, shift = 2 * n - 2, abs(standardised) * sqrt(n / 2)
        critical = stats.t.ppf(1 - alpha / 2, freedom)
        return (
            float(stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift)) - power
        )

    # The non-central t loses its digits long before 10⁹; there the normal is exact anyway.
    approximate = (
        2 * ((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) / standardised) ** 2
        if standardised
        else LARGEST
    )
    if approximate > 1e5:
        return float(approximate) if approximate < LARGEST else float("inf")
    return float(optimize.brentq(shortfall, 2.0, 2 * approximate + 10))
