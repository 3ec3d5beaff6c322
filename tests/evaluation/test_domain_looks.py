"""Looking more than once: published bounds reproduced, and no more false alarms than promised."""

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.effect import Effect, compare
from services.evaluation.domain.moments import of_values
from services.evaluation.domain.sequential import (
    Spending,
    always_valid_p,
    confidence_sequence,
    spending_bounds,
)

ALPHA = 0.05
LOOKS = 20


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        ("obrien_fleming", [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4102, 2.3966, 2.3860]),
    ],
)
def test_five_equal_looks_have_the_bounds_of_lan_and_de_mets(kind: Spending, bounds: list[float]) -> None:
    """Reboussin, DeMets, Kim and Lan (2000), programs for group sequential boundaries; also R's ldbounds."""
    found = spending_bounds([0.2, 0.4, 0.6, 0.8, 1.0], ALPHA, kind)
    assert [round(bound, 4) for bound in found] == bounds


@pytest.mark.parametrize("kind", ["obrien_fleming", "pocock"])
@pytest.mark.parametrize("shares", [[0.1, 0.15, 0.7, 1.0], [0.3, 0.31, 0.99, 1.0], [0.5, 1.0]])
def test_looks_at_unequal_shares_spend_exactly_alpha(kind: Spending, shares: list[float]) -> None:
    """Against the multivariate normal distribution of the looks, by another integration."""
    bounds = np.array(spending_bounds(shares, ALPHA, kind))
    apart = np.array(shares)
    correlation = np.sqrt(np.minimum.outer(apart, apart) / np.maximum.outer(apart, apart))
    within = stats.multivariate_normal(cov=correlation, seed=1).cdf(
        np.minimum(bounds, 9), lower_limit=-np.minimum(bounds, 9)
    )
    assert 1 - within == pytest.approx(ALPHA, abs=2e-4)


def test_a_bound_follows_from_looks_so_far_alone() -> None:
    whole = spending_bounds([0.2, 0.5, 0.6, 1.0], ALPHA, "obrien_fleming")
    assert spending_bounds([0.2, 0.5], ALPHA, "obrien_fleming") == whole[:2]
    assert spending_bounds([1.0], ALPHA, "pocock") == [pytest.approx(1.959964, abs=1e-6)]
    assert spending_bounds([], ALPHA, "pocock") == []


def test_the_earliest_looks_have_bounds_that_are_numbers() -> None:
    assert all(bound < 40 for bound in spending_bounds([0.001, 0.002, 0.5, 1.0], ALPHA, "obrien_fleming"))


@pytest.mark.parametrize("shares", [[0.0, 1.0], [0.5, 0.5], [0.5, 0.4], [0.5, 1.1], [float("nan")]])
def test_looks_that_cannot_be_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        spending_bounds(shares, ALPHA, "pocock")


def test_the_confidence_sequence_equals_gbstats() -> None:
    """growthbook/growthbook, packages/stats, TestSequentialTTest.test_sequential_test_runs: relative uplift
    .50336 with deviation .33341 of 3000 and 3461 units, tuned for 1000.
    """
    low, high = confidence_sequence(0.50336, 0.33341, 6461, ALPHA, 1000)
    assert low == pytest.approx(-0.55844, abs=5e-5)
    assert high == pytest.approx(1.56516, abs=5e-5)
    assert always_valid_p(0.50336, 0.33341, 6461, 1000) == 1.0


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_the_p_value_inverts_the_interval_at_every_level(alpha: float) -> None:
    edge = confidence_sequence(0.0, 2.0, 900, alpha, 500)[1]
    assert always_valid_p(edge, 2.0, 900, 500) == pytest.approx(alpha)
    wider = [confidence_sequence(0.0, 2.0, 900, level, 500)[1] for level in (0.5, 0.2, 0.05, 0.01)]
    assert all(narrow < wide for narrow, wide in pairwise(wider))


def test_the_interval_is_narrowest_where_it_was_tuned_for() -> None:
    at = {n: confidence_sequence(0.0, 1.0, 1000, ALPHA, n)[1] for n in (10, 300, 1000, 3000, 100_000)}
    assert min(at, key=at.__getitem__) == 1000
    assert at[1000] > stats.norm.isf(ALPHA / 2)


@pytest.mark.parametrize(
    "asked",
    [
        (0.0, 0.0, 10, ALPHA, 10),
        (0.0, float("inf"), 10, ALPHA, 10),
        (float("nan"), 1.0, 10, ALPHA, 10),
        (0.0, 1.0, 0, ALPHA, 10),
        (0.0, 1.0, 10, 0.0, 10),
        (0.0, 1.0, 10, ALPHA, 0),
    ],
)
def test_what_has_no_sequence_is_refused(asked: tuple[float, float, int, float, int]) -> None:
    with pytest.raises(ValueError, match=r"has to|is needed"):
        confidence_sequence(*asked)


def paths(runs: int, looks: int, seed: int) -> np.ndarray:
    """Standardised differences of runs without any difference at equally spaced looks, (runs, looks)."""
    steps = np.random.default_rng(seed).normal(size=(runs, looks))
    return steps.cumsum(axis=1) / np.sqrt(np.arange(1, looks + 1))


def crossed(z: np.ndarray, bounds: list[float]) -> int:
    return int((np.abs(z) > np.array(bounds)).any(axis=1).sum())


def most(runs: int) -> int:
    """More false alarms than this in `runs` happen to a method that holds α once in 1,000."""
    return int(stats.binom.ppf(0.999, runs, ALPHA))


@pytest.mark.parametrize(
    ("looks", "rate"), [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248)], ids=str
)
def test_naive_peeking_cries_wolf(looks: int, rate: float) -> None:
    """Armitage, McPherson and Rowe (1969), table 2."""
    runs = 40_000
    found = crossed(paths(runs, looks, looks), [float(stats.norm.isf(ALPHA / 2))] * looks) / runs
    assert found == pytest.approx(rate, abs=4 * sqrt(rate * (1 - rate) / runs) + 0.0005)


@pytest.mark.parametrize("tuned_for", [200, 1000, 5000, 20_000])
def test_an_always_valid_interval_does_not_cry_wolf_over_twenty_looks(tuned_for: int) -> None:
    runs = 40_000
    bounds = [confidence_sequence(0.0, 1.0, 250 * k, ALPHA, tuned_for)[1] for k in range(1, LOOKS + 1)]
    assert crossed(paths(runs, LOOKS, tuned_for), bounds) <= most(runs)


@pytest.mark.parametrize("kind", ["obrien_fleming", "pocock"])
def test_planned_looks_do_not_cry_wolf_and_use_alpha_up(kind: Spending) -> None:
    runs = 40_000
    bounds = spending_bounds([k / LOOKS for k in range(1, LOOKS + 1)], ALPHA, kind)
    found = crossed(paths(runs, LOOKS, 7), bounds)
    assert stats.binom.ppf(0.001, runs, ALPHA) <= found <= most(runs)


def lived(runs: int, looks: int, per_look: int, seed: int) -> tuple[int, int, int]:
    """False alarms among `runs` without any difference, of skewed amounts with estimated variances: by the
    always-valid interval, by planned looks, by peeking.
    """
    rng = np.random.default_rng(seed)
    planned = spending_bounds([k / looks for k in range(1, looks + 1)], ALPHA, "obrien_fleming")
    always = spent = naive = 0
    for _ in range(runs):
        amounts = np.where(
            rng.random((2, looks * per_look)) < 0.5, rng.lognormal(7, 1, (2, looks * per_look)), 0
        )
        found = [
            compare(of_values(amounts[0, :n]), of_values(amounts[1, :n]), "sum", ALPHA)
            for n in range(per_look, looks * per_look + 1, per_look)
        ]
        seen = [effect for effect in found if isinstance(effect, Effect)]
        assert len(seen) == looks
        always += any(
            always_valid_p(effect.difference, effect.standard_error, 2 * effect.n, 2 * looks * per_look)
            < ALPHA
            for effect in seen
        )
        z = [abs(effect.difference) / effect.standard_error for effect in seen]
        spent += any(each > bound for each, bound in zip(z, planned, strict=True))
        naive += any(effect.p_value < ALPHA for effect in seen)
    return always, spent, naive


def test_false_alarms_on_amounts_with_estimated_variances() -> None:
    runs = 50
    always, spent, naive = lived(runs, LOOKS, 100, 3)
    assert always <= most(runs)
    assert spent <= most(runs)
    assert naive > most(runs)


@pytest.mark.slow
def test_false_alarms_on_amounts_with_estimated_variances_at_length() -> None:
    runs = 2000
    always, spent, naive = lived(runs, LOOKS, 200, 4)
    assert always <= most(runs)
    assert spent <= most(runs)
    assert naive / runs == pytest.approx(0.248, abs=0.03)
