"""How many customers the next test needs, and what a given number can find."""

from __future__ import annotations

from math import ceil, isfinite, sqrt

from scipy import optimize, stats

LARGEST = 1e9


def units_per_group(
    standardised: float, alpha: float = 0.05, power: float = 0.8, *, one_sided: bool = False
) -> float:
    """Units in each of two equal groups to find a difference of `standardised` standard deviations.

    t test with equal variances, exact by the non-central t; infinite beyond 10⁹. `one_sided` spends all of α
    on the side of the difference.
    """

    def shortfall(n: float) -> float:
        return _power(2 * n - 2, abs(standardised) * sqrt(n / 2), alpha, one_sided=one_sided) - power

    # The non-central t loses its digits long before 10⁹; there the normal is exact anyway.
    tail = alpha if one_sided else alpha / 2
    approximate = (
        2 * ((stats.norm.isf(tail) + stats.norm.ppf(power)) / standardised) ** 2 if standardised else LARGEST
    )
    if approximate > 1e5:
        return float(approximate) if approximate < LARGEST else float("inf")
    # Fewer than 2 of each cannot be compared, however large the difference.
    if shortfall(2.0) >= 0:
        return 2.0
    return float(optimize.brentq(shortfall, 2.0, 2 * approximate + 10))


def minimum_detectable(
    deviation: float, n_treated: int, n_control: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference, in the unit of `deviation`, that is found with probability `power`.

    Two-sided t test with equal variances, exact by the non-central t.
    """
    if min(n_treated, n_control) < 2:
        raise ValueError("2 of each group are needed")
    freedom = n_treated + n_control - 2
    error = deviation * sqrt(1 / n_treated + 1 / n_control)
    approximate = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    if freedom > 1e5:
        return approximate * error
    highest = max(approximate, 1.0) * 2
    while _power(freedom, highest, alpha) < power:
        highest *= 2
    shift = optimize.brentq(lambda shift: _power(freedom, shift, alpha) - power, 0.0, highest)
    return float(shift) * error


def _power(freedom: float, shift: float, alpha: float, *, one_sided: bool = False) -> float:
    critical = float(stats.t.isf(alpha if one_sided else alpha / 2, freedom))
    found = float(stats.nct.sf(critical, freedom, shift))
    if not one_sided:
        found += float(stats.nct.cdf(-critical, freedom, shift))
    # Where the difference is many times what is needed, the series of the non-central t gives up.
    return found if isfinite(found) else float(shift > critical)


def units_for_proportions(rate: float, other: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Units in each of two equal groups to tell two proportions apart; infinite beyond 10⁹.

    Two-sided score test by the normal (Fleiss, Levin and Paik 2003, without the correction of continuity).
    """
    if not (0 <= rate <= 1 and 0 <= other <= 1):
        raise ValueError("proportions lie between 0 and 1")
    if rate == other:
        return float("inf")
    middle = (rate + other) / 2
    pooled = stats.norm.isf(alpha / 2) * sqrt(2 * middle * (1 - middle))
    apart = stats.norm.ppf(power) * sqrt(rate * (1 - rate) + other * (1 - other))
    units = float(((pooled + apart) / (rate - other)) ** 2)
    return max(units, 2.0) if units < LARGEST else float("inf")


def detectable_proportion(
    rate: float, n_treated: int, n_control: int, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Smallest rise over `rate` that is found with probability `power`; None when not even a rise to 1 is.

    Same test as `units_for_proportions`, with groups of any size.
    """
    share = n_treated / (n_treated + n_control)

    def shortfall(other: float) -> float:
        middle = share * other + (1 - share) * rate
        pooled = sqrt(middle * (1 - middle) * (1 / n_treated + 1 / n_control))
        apart = sqrt(other * (1 - other) / n_treated + rate * (1 - rate) / n_control)
        return (
            (other - rate) - float(stats.norm.isf(alpha / 2)) * pooled - float(stats.norm.ppf(power)) * apart
        )

    if rate >= 1 or shortfall(1.0) < 0:
        return None
    return float(optimize.brentq(shortfall, rate, 1.0)) - rate


def units_for_non_inferiority(
    margin: float, deviation: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Units in each of two equal groups to show, where nothing differs, that nothing got worse by `margin`.

    The interval of level 1 − α has to stay within the margin: a one-sided t test at α / 2.
    """
    return units_per_group(margin / deviation, alpha / 2, power, one_sided=True)


def design_effect(icc: float, size: float, variation: float = 0.0) -> float:
    """By how much clusters of mean `size` inflate a variance, for the correlation `icc` within them.

    `variation` is the coefficient of variation of their sizes (Eldridge, Ashby and Kerry 2006).
    """
    return 1 + ((variation**2 + 1) * size - 1) * icc


def clusters_per_group(
    standardised: float,
    icc: float,
    size: float,
    alpha: float = 0.05,
    power: float = 0.8,
    variation: float = 0.0,
) -> float:
    """Clusters in each of two equal groups; `standardised` in standard deviations between customers.

    As many means are compared as there are clusters, by the t test: few clusters cost degrees of freedom.
    """
    of_a_mean = sqrt(design_effect(icc, size, variation) / size)
    return units_per_group(standardised / of_a_mean, alpha, power)


def ratio_deviation(
    ratio: float, deviation: float, mean_denominator: float, deviation_denominator: float, correlation: float
) -> float:
    """Standard deviation that a ratio of two means has per customer, by the delta method.

    `deviation` is the numerator's; √(σ²ᵧ − 2Rρσᵧσₓ + R²σ²ₓ) / x̄.
    """
    variance = (
        deviation**2
        - 2 * ratio * correlation * deviation * deviation_denominator
        + (ratio * deviation_denominator) ** 2
    )
    return sqrt(max(variance, 0.0)) / mean_denominator


def whole(units: float) -> int | None:
    """Rounded up; None where there is no such number."""
    return None if units == float("inf") else ceil(units - 1e-9)
