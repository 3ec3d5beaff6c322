"""The interval covers the truth as often as it says. Simulation with known effects, 200 seeds each."""

from collections.abc import Callable
from itertools import starmap

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from services.evaluation.domain.breakdown import Cell, break_down, with_q_values
from services.evaluation.domain.effect import Effect, Kind, compare
from services.evaluation.domain.moments import Moments, of_values

SEEDS = 200
ALPHA = 0.05
# Fewer than this many of 200 intervals covering would happen to a true 95 % interval once in 1,000.
FEWEST = int(stats.binom.ppf(0.001, SEEDS, 1 - ALPHA))
MOST_MISSES = int(stats.binom.ppf(0.999, SEEDS, ALPHA))

Sample = tuple[Moments, Moments]


def normal(rng: Generator) -> Sample:
    return of_values(rng.normal(130, 40, 900)), of_values(rng.normal(100, 25, 100))


def net_inflow(rng: Generator) -> Sample:
    """Most move nothing, some move a lot either way; 9 : 1 split as campaigns have it."""

    def draw(n: int, lift: float) -> np.ndarray:
        active = rng.random(n) < 0.4
        amount = rng.lognormal(8, 1.0, n) * rng.choice([1, 1, -1], n)
        return np.where(active, amount, 0.0) + lift

    return of_values(draw(5400, 30.0)), of_values(draw(600, 0.0))


def with_covariate(rng: Generator) -> Sample:
    """A skewed habit explains most of the outcome."""

    def draw(n: int, lift: float) -> Moments:
        before = rng.lognormal(7, 0.8, n)
        return of_values(0.8 * before + rng.normal(lift, 400, n), before)

    return draw(1800, 30.0), draw(400, 0.0)


def mixed_response(rng: Generator) -> Sample:
    """One in five responds, with a heavy-tailed amount of mean 150: the average effect is 30."""
    treated = rng.gamma(2, 50, 3000) + np.where(rng.random(3000) < 0.2, rng.gamma(0.5, 300, 3000), 0)
    return of_values(treated), of_values(rng.gamma(2, 50, 500))


@pytest.mark.parametrize("draw", [normal, net_inflow, with_covariate, mixed_response])
def test_the_interval_covers_the_true_difference(draw: Callable[[Generator], Sample]) -> None:
    assert covered(draw, "sum", 30.0) >= FEWEST


def rates(rng: Generator) -> Sample:
    return (
        of_values((rng.random(900) < 0.06).astype(float)),
        of_values((rng.random(100) < 0.03).astype(float)),
    )


def test_the_interval_covers_the_true_difference_of_small_rates() -> None:
    assert covered(rates, "proportion", 0.03) >= FEWEST


def covered(draw: Callable[[Generator], Sample], kind: Kind, truth: float) -> int:
    effects = [compare(*draw(np.random.default_rng(seed)), kind, ALPHA) for seed in range(SEEDS)]
    return sum(
        isinstance(effect, Effect) and effect.interval[0] <= truth <= effect.interval[1] for effect in effects
    )


def test_cuped_is_used_where_it_helps_and_narrows_the_interval() -> None:
    treated, control = with_covariate(np.random.default_rng(3))
    effect = compare(treated, control, "sum", ALPHA)
    assert isinstance(effect, Effect)
    assert effect.method == "welch+cuped"
    assert effect.adjustment is not None
    assert effect.adjustment.theta == pytest.approx(0.8, abs=0.05)
    plain = compare(without_covariate(treated), without_covariate(control), "sum", ALPHA)
    assert isinstance(plain, Effect)
    narrowing = effect.standard_error**2 / plain.standard_error**2
    assert narrowing == pytest.approx(1 - effect.adjustment.variance_reduction, abs=0.05)


def test_cuped_falls_back_when_the_covariate_says_nothing() -> None:
    rng = np.random.default_rng(5)
    treated, control = starmap(of_values, [rng.normal(0, 1, (2, 4000)), rng.normal(0, 1, (2, 4000))])
    effect = compare(treated, control, "sum", ALPHA)
    assert isinstance(effect, Effect)
    assert effect.method == "welch"
    assert effect.adjustment is not None
    assert not effect.adjustment.applied
    assert effect.adjustment.variance_reduction == 0.0


def without_covariate(moments: Moments) -> Moments:
    return Moments(moments.n, moments.mean_y, moments.m2_y)


def test_looking_into_forty_cells_of_pure_noise_finds_something_no_more_often_than_alpha() -> None:
    finds = sum(any_find(np.random.default_rng(seed)) for seed in range(SEEDS))
    assert finds <= MOST_MISSES


def any_find(rng: Generator) -> bool:
    cells = [
        Cell(arm, "s", f"hq.b{branch}", of_values(rng.normal(0, 1, n)))
        for branch in range(40)
        for arm, n in (("call", 90), ("", 30))
    ]
    found = with_q_values(break_down(cells, ["branch"], "sum", ALPHA))
    return any(cell.q_value is not None and cell.q_value < ALPHA for cell in found)
