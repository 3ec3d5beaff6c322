"""How small an effect the planned numbers can show."""

from math import sqrt
from statistics import NormalDist


def minimum_detectable_effect(
    n_arm: int, n_hold_out: int, *, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Standardised difference of means (Cohen's d) that a two-sided test at `alpha` finds with `power`,
    normal approximation (Cohen 1988, 2.4); None when one group is empty.
    """
    if n_arm < 1 or n_hold_out < 1:
        return None
    quantiles = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    return quantiles * sqrt(1 / n_arm + 1 / n_hold_out)


def weekdays_between(start_ordinal: int, end_ordinal: int) -> int:
    """Mondays to Fridays from start to end, both included; arguments are `date.toordinal()`."""
    days = end_ordinal - start_ordinal + 1
    if days <= 0:
        return 0
    full, rest = divmod(days, 7)
    # Ordinal 1 is a Monday, so (ordinal - 1) % 7 is the weekday.
    return full * 5 + sum((start_ordinal - 1 + offset) % 7 < 5 for offset in range(rest))
