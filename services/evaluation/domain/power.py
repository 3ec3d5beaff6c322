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


def units_in_all(
    standardised: float, hold_out: float, alpha: float = 0.05, power: float = 0.8, *, one_sided: bool = False
) -> float:
    """Units of both groups together when a share `hold_out` of them is held out; otherwise as above."""
    unequal = 1 / (4 * hold_out * (1 - hold_out))
    equal = 2 * units_per_group(standardised, alpha, power, one_sided=one_sided)
    fewest = max(4.0, 2 / min(hold_out, 1 - hold_out))
    approximate = equal * unequal
    if approximate > 1e5:
        return approximate

    def shortfall(n: float) -> float:
        shift = abs(standardised) * sqrt(n * hold_out * (1 - hold_out))
        return _power(n - 2, shift, alpha, one_sided=one_sided) - power

    if shortfall(fewest) >= 0:
        return fewest
    return float(optimize.brentq(shortfall, fewest, max(2 * approximate, fewest) + 10))


def minimum_detectable(
    deviation: float,
    n_treated: int,
    n_control: int,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    one_sided: bool = False,
) -> float:
    """Smallest difference, in the unit of `deviation`, that is found with probability `power`.

    t test with equal variances, exact by the non-central t.
    """
    if min(n_treated, n_control) < 2:
        raise ValueError("2 of each group are needed")
    freedom = n_treated + n_control - 2
    error = deviation * sqrt(1 / n_treated + 1 / n_control)
    approximate = float(stats.norm.isf(alpha if one_sided else alpha / 2) + stats.norm.ppf(power))
    if freedom > 1e5:
        return approximate * error

    def shortfall(shift: float) -> float:
        return _power(freedom, shift, alpha, one_sided=one_sided) - power

    highest = max(approximate, 1.0) * 2
    while shortfall(highest) < 0:
        highest *= 2
    return float(optimize.brentq(shortfall, 0.0, highest)) * error


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
    return proportions_in_all(rate, other, 0.5, alpha, power) / 2


def proportions_in_all(
    rate: float, treated: float, hold_out: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Units of both groups together to tell `rate` of a share `hold_out` from `treated` of the others."""
    if not (0 <= rate <= 1 and 0 <= treated <= 1):
        raise ValueError("proportions lie between 0 and 1")
    if rate == treated:
        return float("inf")
    middle = hold_out * rate + (1 - hold_out) * treated
    pooled = stats.norm.isf(alpha / 2) * sqrt(middle * (1 - middle) / hold_out / (1 - hold_out))
    apart = stats.norm.ppf(power) * sqrt(
        treated * (1 - treated) / (1 - hold_out) + rate * (1 - rate) / hold_out
    )
    units = float(((pooled + apart) / (treated - rate)) ** 2)
    return max(units, 4.0) if units < 2 * LARGEST else float("inf")


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


def non_inferior_proportions_in_all(
    rate: float, margin: float, hold_out: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Units of both groups together to rule out that `rate`, where both have it, got worse by `margin`.

    By the normal (Blackwelder 1982), at the one side of the interval of level 1 − α.
    """
    both = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    return both**2 * rate * (1 - rate) / (hold_out * (1 - hold_out)) / margin**2


def non_inferior_margin(
    rate: float, n_treated: int, n_control: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest margin that so many units can show; the inverse of the above."""
    both = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    return both * sqrt(rate * (1 - rate) * (1 / n_treated + 1 / n_control))


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
