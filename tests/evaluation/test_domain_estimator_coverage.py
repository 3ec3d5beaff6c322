"""Each estimator's 95 % interval covers the truth as often as it says, where simpler ones do not.

The long form draws four thousand samples of each design, the short one 150.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from services.evaluation.domain.cluster import (
    Clustered,
    ClusterMoments,
    compare_cluster_means,
    compare_clusters,
    of_units,
)
from services.evaluation.domain.comoments import adjusted_effect, of_columns
from services.evaluation.domain.effect import Effect, NoEffect, compare
from services.evaluation.domain.moments import of_values
from services.evaluation.domain.poststratify import poststratified
from services.evaluation.domain.quantile import quantile_effect
from services.evaluation.domain.ratio import ratio_effect

ALPHA = 0.05
LONG, SHORT = 4000, 150

Found = Effect | Clustered | NoEffect
Draw = Callable[[Generator], Found]


def between(n: int, share: float) -> tuple[int, int]:
    """How often of `n` times something of probability `share` happens, but for once in 10,000 such tests."""
    return int(stats.binom.ppf(0.00005, n, share)), int(stats.binom.ppf(0.99995, n, share))


def covered(draw: Draw, truth: float, samples: int) -> int:
    found = [draw(np.random.default_rng(seed)) for seed in range(samples)]
    assert not any(isinstance(each, NoEffect) for each in found)
    return sum(
        each.interval[0] <= truth <= each.interval[1] for each in found if not isinstance(each, NoEffect)
    )


def means(rng: Generator) -> Found:
    return compare(of_values(rng.gamma(2, 65, 900)), of_values(rng.gamma(2, 50, 300)), "sum", ALPHA)


def rates(rng: Generator) -> Found:
    treated, control = (rng.random(n) < share for n, share in ((900, 0.06), (200, 0.03)))
    return compare(of_values(treated), of_values(control), "proportion", ALPHA)


def ratios(rng: Generator) -> Found:
    """Amount per transaction: customers with many have larger ones, so that the two go together."""

    def draw(n: int, each: float) -> tuple[np.ndarray, np.ndarray]:
        count = rng.poisson(rng.gamma(3, 2, n)) + 1
        return each * count + 0.5 * count**2 + rng.normal(0, 5, n), count.astype(np.float64)

    return ratio_effect(of_values(*draw(1200, 20)), of_values(*draw(400, 17)), ALPHA)


def adjusted(rng: Generator) -> Found:
    """Three skewed covariates, two of them nearly the same."""

    def draw(n: int, lift: float) -> np.ndarray:
        before = rng.lognormal(2, 0.6, n)
        again, other = before + rng.normal(0, 0.5, n), rng.gamma(2, 3, n)
        return np.stack([before + 0.5 * other + rng.normal(lift, 4, n), before, again, other])

    return adjusted_effect(of_columns(draw(150, 3)), of_columns(draw(60, 0)), "sum", ALPHA)


def adjusted_in_a_small_cell(rng: Generator) -> Found:
    """Twenty against twenty, and five covariates: what θ costs is no longer small."""
    before = rng.normal(0, 1, (5, 40))
    columns = np.vstack([before.sum(axis=0) + rng.normal(0, 2, 40), before])
    return adjusted_effect(of_columns(columns[:, :20]), of_columns(columns[:, 20:]), "sum", ALPHA)


STRATA = np.array([0.4, 0.3, 0.15, 0.1, 0.05])


def strata(rng: Generator) -> Found:
    """Levels and effects differ by stratum; how many customers of each there are is chance, as is their arm."""
    stratum = rng.choice(5, 600, p=STRATA)
    treated = rng.random(600) < 0.7
    outcome = 20 * stratum + treated * (1 + stratum) + rng.normal(0, 3 + stratum, 600)
    inside = [stratum == each for each in range(5)]
    return poststratified(
        [(of_values(outcome[here & treated]), of_values(outcome[here & ~treated])) for here in inside], ALPHA
    )


def medians(rng: Generator) -> Found:
    return quantile_effect(rng.lognormal(1, 1, 900), rng.lognormal(0, 1, 400), 0.5, ALPHA)


def ninetieth_percentiles(rng: Generator) -> Found:
    return quantile_effect(rng.exponential(3, 900), rng.exponential(2, 500), 0.9, ALPHA)


def alike(rng: Generator, clusters: int, size: int, icc: float) -> np.ndarray:
    """Units of clusters (clusters, size) with variance 1, of which `icc` is between clusters."""
    return rng.normal(0, icc**0.5, (clusters, 1)) + rng.normal(0, (1 - icc) ** 0.5, (clusters, size))


def moments_of(units: np.ndarray) -> ClusterMoments:
    size = np.full(len(units), float(units.shape[1]))
    return ClusterMoments(size, units.mean(axis=1), units.var(axis=1) * size)


def unequal_clusters(rng: Generator) -> Found:
    """Twelve against eight, of 5 to 80 units, a fifth of the variance between them."""

    def draw(clusters: int) -> ClusterMoments:
        name = np.repeat(np.arange(clusters), rng.integers(5, 81, clusters))
        return of_units(rng.normal(0, 0.5, clusters)[name] + rng.normal(0, 1, name.size), name)

    return compare_clusters(draw(12), draw(8), ALPHA)


def few_clusters(rng: Generator) -> Found:
    return compare_clusters(moments_of(alike(rng, 4, 50, 0.2)), moments_of(alike(rng, 4, 50, 0.2)), ALPHA)


@dataclass(frozen=True)
class Design:
    draw: Draw
    truth: float
    at_most: float = 1 - ALPHA
    """Intervals that promise to cover at least so often may cover more often."""


DESIGNS = {
    "means": Design(means, 30.0),
    "rates": Design(rates, 0.03, at_most=0.97),
    "ratios": Design(ratios, 3.0),
    "adjusted": Design(adjusted, 3.0),
    "adjusted in a small cell": Design(adjusted_in_a_small_cell, 0.0),
    "post-stratified": Design(strata, float(STRATA @ np.arange(1, 6))),
    "medians": Design(medians, float(np.e - 1), at_most=0.97),
    "ninetieth percentiles": Design(ninetieth_percentiles, float(np.log(10)), at_most=0.97),
    "unequal clusters": Design(unequal_clusters, 0.0, at_most=0.96),
    "few clusters": Design(few_clusters, 0.0),
}


def holds(design: Design, samples: int) -> None:
    found = covered(design.draw, design.truth, samples)
    assert between(samples, 1 - ALPHA)[0] <= found <= between(samples, design.at_most)[1]


@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover_the_truth(name: str) -> None:
    holds(DESIGNS[name], SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover_the_truth_in_the_long_run(name: str) -> None:
    holds(DESIGNS[name], LONG)


def false_alarms(samples: int) -> dict[str, int]:
    """Sixty clusters of two hundred, an intraclass correlation of .05, half of them treated, no effect."""
    alarms = {"customers": 0, "cr2": 0, "means": 0}
    for seed in range(samples):
        units = alike(np.random.default_rng(seed), 60, 200, 0.05)
        treated, control = moments_of(units[:30]), moments_of(units[30:])
        found: dict[str, Found] = {
            "customers": compare(treated.pooled(), control.pooled(), "sum", ALPHA),
            "cr2": compare_clusters(treated, control, ALPHA),
            "means": compare_cluster_means(treated, control, ALPHA),
        }
        for method, effect in found.items():
            assert not isinstance(effect, NoEffect)
            alarms[method] += effect.p_value < ALPHA
    return alarms


def naive_share() -> float:
    """What customers counted one by one give: their error is too small by the root of the design effect."""
    return float(2 * stats.norm.sf(stats.norm.ppf(1 - ALPHA / 2) / np.sqrt(1 + 199 * 0.05)))


def no_false_alarms_by_clusters(samples: int) -> dict[str, int]:
    alarms = false_alarms(samples)
    assert naive_share() == pytest.approx(0.56, abs=0.01)
    assert between(samples, naive_share())[0] <= alarms["customers"] <= between(samples, naive_share())[1]
    assert alarms["cr2"] <= between(samples, ALPHA)[1]
    assert alarms["means"] <= between(samples, ALPHA)[1]
    return alarms


def test_clusters_counted_as_customers_raise_false_alarms_by_the_half() -> None:
    no_false_alarms_by_clusters(SHORT)


@pytest.mark.slow
def test_clusters_counted_as_customers_raise_false_alarms_by_the_half_in_the_long_run() -> None:
    alarms = no_false_alarms_by_clusters(LONG)
    assert alarms["cr2"] >= between(LONG, ALPHA)[0]


@pytest.mark.slow
def test_by_customers_unequal_clusters_are_covered_far_too_rarely() -> None:
    """That the design above is hard enough."""

    def by_customers(rng: Generator) -> Found:
        name = np.repeat(np.arange(20), rng.integers(5, 81, 20))
        outcome = rng.normal(0, 0.5, 20)[name] + rng.normal(0, 1, name.size)
        return compare(of_values(outcome[name < 12]), of_values(outcome[name >= 12]), "sum", ALPHA)

    assert covered(by_customers, 0.0, LONG) < 0.7 * LONG
