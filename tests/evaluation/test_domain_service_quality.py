"""The service-quality index: weights that were put in come out, and figures that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.evaluation.domain.pls import percentiles
from services.evaluation.domain.quality_results import NoIndex, Options, Quality, Units, shares
from services.evaluation.domain.quality_samples import (
    FEWEST,
    Dimension,
    Sample,
    cell_means,
    draws,
    standardised,
)
from services.evaluation.domain.service_quality import assess_quality

BRANCHES, PERIODS = 12, 3
DIMENSIONS = ("timeliness", "standardisation", "tangibility")
OPTIONS = Options(replicates=60, seed=2)


def sample(
    business: str,
    paths: tuple[float, float, float],
    *,
    level: NDArray[np.float64],
    per_unit: int = 40,
    noise: float = 0.3,
    common: float = 0.0,
    seed: int = 1,
) -> Sample:
    """Two indicators of each dimension and two of the business. `level` (units,): how much better each
    branch-month is in the first dimension.
    """
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(len(level)), per_unit)
    n = len(units)
    inside = rng.normal(size=(n, 3)) + common * rng.normal(size=(n, 1))
    inside[:, 0] += level[units]
    outcome = inside @ paths + 0.5 * rng.normal(size=n)
    true = np.column_stack([inside, outcome])
    values = np.repeat(true, 2, axis=1) + noise * rng.normal(size=(n, 8))
    return Sample(
        business=business,
        indicators=tuple(f"q{number}" for number in range(8)),
        dimensions=tuple(Dimension(name, (2 * k, 2 * k + 1)) for k, name in enumerate(DIMENSIONS)),
        values=values,
        units=units,
        outcomes=(6, 7),
    )


def bank(shift: int = 0, **changes: float) -> tuple[list[Sample], Units]:
    """Branches from worst to best, in every month alike; `shift` gives other answers."""
    branch, period = np.repeat(np.arange(BRANCHES), PERIODS), np.tile(np.arange(PERIODS), BRANCHES)
    level = np.linspace(-1, 1, BRANCHES)[branch]
    counter = sample("counter", (0.6, 0.3, 0.1), level=level, seed=4 + 2 * shift, **changes)  # type: ignore[arg-type]
    hotline = sample("hotline", (0.5, 0.5, -0.4), level=level, seed=5 + 2 * shift, **changes)  # type: ignore[arg-type]
    return [counter, hotline], Units(branch, period)


def assessed(samples: list[Sample], units: Units, options: Options = OPTIONS) -> Quality:
    found = assess_quality(samples, units, options)
    assert isinstance(found, Quality), found
    return found


@pytest.fixture(scope="module")
def quality() -> Quality:
    return assessed(*bank())


def test_shares_by_hand() -> None:
    """A path below zero counts nothing and the rest is brought to 1 again."""
    assert shares(np.array([0.3, -0.2, 0.1])) == pytest.approx([0.75, 0.0, 0.25])
    assert shares(np.array([[0.5, 0.5], [2.0, 0.0]])) == pytest.approx(np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert np.isnan(shares(np.array([-0.1, 0.0]))).all()


def test_weights_are_the_paths_that_made_the_answers(quality: Quality) -> None:
    counter = {path.name: path for path in quality.businesses[0].paths}
    # Of paths .6, .3, .1 in standard deviations: the first varies more by the branches' levels.
    spread = np.sqrt(1 + np.linspace(-1, 1, BRANCHES).var())
    expected = np.array([0.6 * spread, 0.3, 0.1]) / (0.6 * spread + 0.4)
    assert [counter[name].weight.value for name in DIMENSIONS] == pytest.approx(list(expected), abs=0.04)
    assert sum(path.weight.value for path in counter.values()) == pytest.approx(1)
    assert all(path.weight.low <= path.weight.value <= path.weight.high for path in counter.values())
    assert not any(path.clipped for path in counter.values())


def test_a_negative_path_is_told_and_counts_nothing(quality: Quality) -> None:
    hotline = {path.name: path for path in quality.businesses[1].paths}
    assert hotline["tangibility"].clipped
    assert hotline["tangibility"].path.high < 0
    assert hotline["tangibility"].weight.value == hotline["tangibility"].weight.high == 0
    rest = hotline["timeliness"].weight.value + hotline["standardisation"].weight.value
    assert rest == pytest.approx(1)
    assert sum(path.weight.value for path in quality.shares) == pytest.approx(1)


def test_drivers_and_a_hundred_sum_to_the_index(quality: Quality) -> None:
    for row in quality.branches:
        assert 100 + sum(driver.contribution for driver in row.drivers) == pytest.approx(row.index.value)
        sizes = [abs(driver.contribution) for driver in row.drivers]
        assert sizes == sorted(sizes, reverse=True)
        assert row.index.low < row.index.value < row.index.high
    assert quality.branches[0].drivers[0].dimension == "timeliness"


def test_better_branches_rank_better_and_stand_out(quality: Quality) -> None:
    newest = [row for row in quality.branches if row.unit % PERIODS == PERIODS - 1]
    assert [row.standing for row in (newest[0], newest[-1])] == ["below", "above"]
    by_level = sorted(newest, key=lambda row: row.unit)
    ranks = [row.rank or 0 for row in by_level]
    assert np.corrcoef(ranks, np.arange(BRANCHES, 0, -1))[0, 1] > 0.9
    assert all(
        row.rank_interval and row.rank_interval[0] <= (row.rank or 0) <= row.rank_interval[1]
        for row in newest
    )


def test_the_bank_is_a_hundred_over_the_run(quality: Quality) -> None:
    """Every month has as many observations here."""
    assert np.mean([estimate.value for estimate in quality.bank.values()]) == pytest.approx(100)


def test_one_business_by_hand() -> None:
    """One dimension of one indicator: the index of a branch is 100 + 10 × its mean in standard deviations."""
    values = np.concatenate([np.linspace(0, 2, 20), np.linspace(2, 4, 20)])[:, None]
    one = Sample("counter", ("wait",), (Dimension("timeliness", (0,)),), values, np.repeat([0, 1], 20))
    found = assessed([one], Units(np.array([0, 1]), np.array([0, 0])))
    assert [path.weight.value for path in found.shares] == [1.0]
    deviation = 1 / values.std()
    assert [row.index.value for row in found.branches] == pytest.approx(
        [100 - 10 * deviation, 100 + 10 * deviation]
    )
    assert [row.rank for row in found.branches] == [2, 1]
    assert found.branches[0].drivers[0].deviation == pytest.approx(-deviation)
    assert found.bank[0].value == pytest.approx(100)


def test_the_interval_is_as_wide_as_the_mean_is_uncertain() -> None:
    """With one indicator the weights are certain: what is left is the standard error of the branch's mean."""
    rng = np.random.default_rng(8)
    values = np.concatenate([rng.normal(0, 1, 25), rng.normal(0, 1, 4000)])[:, None]
    one = Sample(
        "counter", ("wait",), (Dimension("timeliness", (0,)),), values, np.repeat([0, 1], [25, 4000])
    )
    found = assessed([one], Units(np.array([0, 1]), np.array([0, 0])), Options(replicates=1000, seed=1))
    small, large = (row.index.high - row.index.low for row in found.branches)
    error = 10 * values[:25].std(ddof=1) / np.sqrt(25) / values.std()
    assert small == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert large < small / 5


def test_branches_are_not_compared_on_what_is_measured_badly() -> None:
    found = assessed(*bank(noise=1.5))
    assert "counter/standardisation" in found.unreliable
    assert all(
        row.rank is None and row.standing is None and row.rank_interval is None for row in found.branches
    )
    assert all(np.isfinite(row.index.value) for row in found.branches)
    measured = {one.name: one for one in found.businesses[0].measured}
    reliability = measured["standardisation"].reliability
    assert reliability is not None
    assert reliability.lowest < 0.7


def test_measurement_is_told(quality: Quality) -> None:
    counter = quality.businesses[0]
    assert not quality.unreliable
    assert [one.name for one in counter.measured] == [*DIMENSIONS, "outcomes"]
    assert all(one.reliability and one.reliability.lowest > 0.9 and one.distinct for one in counter.measured)
    assert counter.measured[0].heterotrait.keys() == {"standardisation", "tangibility"}
    assert counter.factors is not None
    assert counter.factors.cfi > 0.99
    assert counter.r_squared is not None
    assert 0.5 < counter.r_squared < 0.8


def test_a_business_without_indicators_of_its_own_is_the_sum_of_its_dimensions() -> None:
    samples, units = bank(common=1.0)
    found = assessed([replace(one, outcomes=()) for one in samples], units)
    assert [fit.r_squared for fit in found.businesses] == [None, None]
    assert not any(path.clipped for fit in found.businesses for path in fit.paths)


def test_the_bank_may_have_indicators_of_its_own() -> None:
    """The overall answer follows the counter alone: the hotline gets next to no weight."""
    samples, units = bank()
    counter, hotline = samples
    rng = np.random.default_rng(3)
    whole = counter.values[:, 6:7] + 0.1 * rng.normal(size=(len(counter.values), 1))
    means = cell_means(whole, counter.cells())
    told = [
        replace(
            one,
            indicators=(*one.indicators, "nps"),
            values=np.column_stack([one.values, column]),
            overall=(8,),
        )
        for one, column in ((counter, whole), (hotline, means[hotline.units] + rng.normal(size=whole.shape)))
    ]
    found = assessed(told, units)
    assert found.bank_r_squared is not None
    assert found.shares[0].weight.value > found.shares[1].weight.value


def test_branches_with_too_few_observations_get_no_index() -> None:
    samples, units = bank()
    few = samples[0].units != 7
    few[np.flatnonzero(~few)[: FEWEST - 1]] = True
    thin = replace(samples[0], values=samples[0].values[few], units=samples[0].units[few])
    found = assessed([thin, samples[1]], units)
    assert found.left_out == {7: "9 observations of counter; 10 are needed"}
    assert 7 not in [row.unit for row in found.branches]


def test_the_same_seed_gives_the_same_result() -> None:
    def figures(found: Quality) -> list[tuple[float, float]]:
        return [(row.index.low, row.index.high) for row in found.branches]

    again = figures(assessed(*bank()))
    assert figures(assessed(*bank())) == again
    assert figures(assessed(*bank(), replace(OPTIONS, seed=3))) != again


@pytest.mark.slow
def test_intervals_cover_what_very_many_answers_say() -> None:
    """Two hundred banks with twenty answers a cell, beside one with eight thousand of the same branches."""
    truth = assessed(*bank(1, per_unit=8_000), Options(replicates=4))
    index = {row.unit: row.index.value for row in truth.branches}
    weights = [path.weight.value for fit in truth.businesses for path in fit.paths]
    covered: list[bool] = []
    weighed: list[bool] = []
    for seed in range(200):
        found = assessed(*bank(100 + seed, per_unit=20), Options(replicates=200, seed=seed))
        covered += [row.index.low <= index[row.unit] <= row.index.high for row in found.branches]
        paths = [path.weight for fit in found.businesses for path in fit.paths]
        weighed += [
            one.low <= true <= one.high for one, true in zip(paths, weights, strict=True) if 0 < true < 1
        ]
    # 7,200 branch-months that share their bank's weights; and two standard errors of 400 businesses, whose
    # weights are right or wrong together because they sum to 1.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    assert np.mean(weighed) == pytest.approx(0.95, abs=0.022)


def refused(samples: list[Sample], units: Units) -> tuple[str, str]:
    found = assess_quality(samples, units, OPTIONS)
    assert isinstance(found, NoIndex)
    return found.code, found.detail


def test_what_cannot_be_estimated_is_told() -> None:
    samples, units = bank()
    counter, hotline = samples
    flat = counter.values.copy()
    flat[:, 3] = 4.0
    assert refused([replace(counter, values=flat), hotline], units) == (
        "no-variance",
        "counter: the same in every observation: q3",
    )
    head = replace(counter, values=counter.values[:25], units=counter.units[:25])
    assert refused([head, hotline], units)[0] == "too-few"
    upside_down = counter.values.copy()
    upside_down[:, 6:] *= -1
    one = replace(counter, values=upside_down, dimensions=counter.dimensions[:1])
    assert refused([one, hotline], units) == (
        "no-positive-path",
        "counter: no dimension has a path above zero",
    )
    few = units.branch[counter.units] < 5
    thinned = [replace(one, values=one.values[few], units=one.units[few]) for one in samples]
    code, detail = refused(thinned, Units(units.branch[:15], units.period[:15]))
    assert (code, detail[:2]) == ("too-few", "15")
    empty = replace(counter, dimensions=(Dimension("timeliness", ()), *counter.dimensions[1:]))
    assert refused([empty, hotline], units)[0] == "no-indicators"


def test_draws_keep_to_their_branch_months() -> None:
    """Two constant cells stay what they are, whatever is drawn."""
    values = standardised(np.repeat([[1.0], [5.0]], 10, axis=0))
    cells = Sample("a", ("x",), (), values, np.repeat([0, 1], 10)).cells()
    drawn = next(draws(values, cells, 5, np.random.default_rng(1), 0.05))
    assert drawn.means[:, :, 0] == pytest.approx(np.tile([-1.0, 1.0], (5, 1)))
    assert drawn.sound.all()


def test_samples_of_few_rows_vary_as_much_as_others_would() -> None:
    """Correlations of independent columns in cells of three: their standard error is 1/√n, where three drawn
    of three have it by √(2/3) too small.
    """
    rng = np.random.default_rng(6)
    values = standardised(rng.normal(size=(1_500, 2)))
    cells = Sample("a", ("x", "y"), (), values, np.repeat(np.arange(500), 3)).cells()
    found = np.concatenate([part.correlations[:, 0, 1] for part in draws(values, cells, 400, rng, 0.05)])
    assert found.std() * np.sqrt(len(values)) == pytest.approx(1, abs=0.1)


def test_ends_of_intervals_are_ordered_values_of_the_samples() -> None:
    """Of 39 samples at 95 %, the (39 + 1) · 0.025-th from either end: the first and the last."""
    low, high = percentiles(np.arange(1.0, 40.0), 0.05)
    assert (low, high) == (1, 39)


def test_a_run_can_be_stopped() -> None:
    class StoppedError(Exception):
        pass

    shares_done: list[float] = []

    def stop(done: float) -> None:
        shares_done.append(done)
        if done > 0.5:
            raise StoppedError

    with pytest.raises(StoppedError):
        assess_quality(*bank(), OPTIONS, stop)
    assert shares_done == sorted(shares_done)
