"""Estimators against what others published or what the definition, written out, gives."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator

from services.evaluation.domain import comoments
from services.evaluation.domain.cluster import of_units
from services.evaluation.domain.comoments import adjusted_effect, of_columns
from services.evaluation.domain.effect import Effect, NoEffect, compare, welch
from services.evaluation.domain.moments import Moments, merged, of_values
from services.evaluation.domain.poststratify import collapsed, poststratified
from services.evaluation.domain.quantile import quantile_effect, ranks
from services.evaluation.domain.ratio import ratio_effect
from services.evaluation.domain.winsor import caps, winsorised

# NIST StRD, univariate summary statistics: the first observation, then 500 pairs. Certified: the mean is the
# first observation, the standard deviation 0.1 (NumAcc1: three observations, standard deviation 1).
NUM_ACC = {
    "NumAcc1": ([10_000_001.0, 10_000_003.0, 10_000_002.0], 10_000_002.0, 1.0),
    "NumAcc2": ([1.2, *[1.1, 1.3] * 500], 1.2, 0.1),
    "NumAcc3": ([1_000_000.2, *[1_000_000.1, 1_000_000.3] * 500], 1_000_000.2, 0.1),
    "NumAcc4": ([10_000_000.2, *[10_000_000.1, 10_000_000.3] * 500], 10_000_000.2, 0.1),
}


def effect_of(found: Effect | NoEffect) -> Effect:
    assert isinstance(found, Effect)
    return found


def exact_variance(values: list[float]) -> float:
    """Of the doubles as they are, in rational numbers."""
    numbers = [Fraction(value) for value in values]
    mean = sum(numbers) / len(numbers)
    return float(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))


@pytest.mark.parametrize("name", NUM_ACC)
@pytest.mark.parametrize("parts", [1, 3, 1001])
def test_nist_num_acc_in_any_number_of_parts(name: str, parts: int) -> None:
    values, mean, deviation = NUM_ACC[name]
    whole = merged(of_values(part) for part in np.array_split(np.array(values), parts))
    assert whole.mean_y == pytest.approx(mean, rel=1e-14)
    assert whole.variance == pytest.approx(exact_variance(values), rel=1e-9)
    # 10,000,000.1 as a double is off by 4e-10: no arithmetic can be nearer to 0.1 than that allows.
    assert sqrt(whole.variance) == pytest.approx(deviation, rel=1e-7 if name == "NumAcc4" else 1e-9)


def balances(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """About 1e8 ± 10, in 64ths, so that the distance to 1e8 is exact; and another about as large."""
    first = rng.integers(-640, 641, n) / 64
    second = np.round((0.6 * first + rng.normal(0, 4, n)) * 64) / 64
    return 1e8 + first, 2e8 + second


@pytest.mark.parametrize("order", ["as they come", "backwards", "shuffled", "in a tree"])
def test_balances_merged_from_thousands_of_cells_keep_nine_digits(order: str) -> None:
    rng = np.random.default_rng(11)
    y, x = balances(rng, 40_000)
    cut = np.sort(rng.choice(np.arange(1, y.size), 3999, replace=False))
    cells = [of_values(a, b) for a, b in zip(np.split(y, cut), np.split(x, cut), strict=True)]
    near_y, near_x = y - 1e8, x - 2e8
    if order == "backwards":
        cells.reverse()
    elif order == "shuffled":
        cells = [cells[i] for i in rng.permutation(len(cells))]
    elif order == "in a tree":
        while len(cells) > 1:
            cells = [merged(cells[i : i + 2]) for i in range(0, len(cells), 2)]
    whole = merged(cells)
    # As near as a double comes to it.
    assert whole.mean_y - 1e8 == pytest.approx(near_y.mean(), abs=np.spacing(1e8))
    assert whole.variance == pytest.approx(near_y.var(ddof=1), rel=1e-9)
    assert whole.m2_x == pytest.approx(near_x.var() * y.size, rel=1e-9)
    assert whole.c_xy == pytest.approx(np.cov(near_y, near_x)[0, 1] * (y.size - 1), rel=1e-9)


def test_moments_of_cells_do_not_depend_on_their_order() -> None:
    rng = np.random.default_rng(18)
    y, x = rng.lognormal(18, 3, (2, 5000))
    cells = [of_values(a, b) for a, b in zip(np.split(y, 1000), np.split(x, 1000), strict=True)]
    whole = merged(cells)
    assert all(merged(cells[i] for i in rng.permutation(1000)) == whole for _ in range(5))


def test_matrices_and_clusters_of_balances_keep_nine_digits_too() -> None:
    rng = np.random.default_rng(12)
    y, x = balances(rng, 20_000)
    near = np.cov(np.stack([y - 1e8, x - 2e8])) * (y.size - 1)
    cells = [of_columns(part) for part in np.array_split(np.stack([y, x]), 500, axis=1)]
    whole = comoments.merged(cells[i] for i in rng.permutation(500))
    assert whole.products == pytest.approx(near, rel=1e-9)
    pooled = of_units(y, rng.integers(0, 700, y.size), x).pooled()
    assert [pooled.m2_y, pooled.c_xy, pooled.m2_x] == pytest.approx(
        [near[0, 0], near[0, 1], near[1, 1]], rel=1e-9
    )


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), min_size=2, max_size=6))
def test_a_matrix_of_one_covariate_is_moments(parts: list[list[float]]) -> None:
    pairs = [(np.array(part), np.array(part[::-1])) for part in parts]
    matrix = comoments.merged(of_columns(pair) for pair in pairs).moments(0, 1)
    moments = merged(of_values(*pair) for pair in pairs)
    scale = max(moments.m2_y, moments.m2_x, 1.0)
    assert matrix.n == moments.n
    assert matrix.mean_y == pytest.approx(moments.mean_y, rel=1e-9, abs=1e-6)
    assert matrix.m2_y == pytest.approx(moments.m2_y, rel=1e-9, abs=scale * 1e-12)
    assert matrix.c_xy == pytest.approx(moments.c_xy, rel=1e-9, abs=scale * 1e-9)


def two_groups(rng: Generator, n: int = 160) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, three covariates, and who is treated: half of them."""
    covariates = rng.normal(50, 10, (3, n))
    treated = np.arange(n) % 2 == 0
    outcome = 2 * covariates[0] - covariates[1] + 3 * treated + rng.normal(0, 8, n)
    return outcome, covariates, treated


def test_adjusting_for_three_covariates_is_the_analysis_of_covariance() -> None:
    outcome, covariates, treated = two_groups(np.random.default_rng(2))
    columns = np.vstack([outcome, covariates])
    effect = effect_of(
        adjusted_effect(of_columns(columns[:, treated]), of_columns(columns[:, ~treated]), "sum", 0.05)
    )
    design = np.column_stack([np.ones(outcome.size), treated, covariates.T])
    coefficients, (squares,), *_ = np.linalg.lstsq(design, outcome)
    inverse = np.linalg.inv(design.T @ design)
    assert effect.method == "welch+cuped"
    assert effect.difference == pytest.approx(coefficients[1], rel=1e-9)
    assert effect.standard_error == pytest.approx(
        sqrt(squares / (outcome.size - 5) * inverse[1, 1]), rel=1e-9
    )
    assert effect.adjustment is not None
    assert effect.adjustment.thetas == pytest.approx(coefficients[2:], rel=1e-9)


def test_a_covariate_that_repeats_others_or_does_not_vary_is_left_out() -> None:
    outcome, covariates, treated = two_groups(np.random.default_rng(3))
    constant = np.full(outcome.size, 0.1)
    more = np.vstack([outcome, covariates, covariates[0] - 2 * covariates[1], constant])
    few = np.vstack([outcome, covariates])
    wide, narrow = (
        effect_of(adjusted_effect(of_columns(each[:, treated]), of_columns(each[:, ~treated]), "sum", 0.05))
        for each in (more, few)
    )
    assert wide.adjustment is not None
    assert wide.adjustment.thetas[3:] == (0.0, 0.0)
    assert wide.interval == pytest.approx(narrow.interval, rel=1e-6)


@pytest.mark.parametrize("case", ["noise", "the outcome itself", "constant", "more than units"])
def test_adjustment_falls_back_on_the_plain_comparison(case: str) -> None:
    rng = np.random.default_rng(4)
    n = 6 if case == "more than units" else 4000
    outcome = rng.normal(1e6, 10, n)
    covariates = {
        "noise": rng.normal(0, 1, (2, n)),
        "the outcome itself": (3 * outcome + 7)[None, :],
        "constant": np.ones((2, n)),
        "more than units": rng.normal(0, 1, (5, n)),
    }[case]
    columns, treated = np.vstack([outcome, covariates]), np.arange(n) % 2 == 0
    groups = [of_columns(columns[:, treated]), of_columns(columns[:, ~treated])]
    effect = effect_of(adjusted_effect(groups[0], groups[1], "sum", 0.05))
    plain = effect_of(welch(groups[0].moments(), groups[1].moments(), 0.05))
    assert effect.method == "welch"
    assert effect.interval == plain.interval
    assert effect.adjustment is None or not effect.adjustment.applied


def test_the_ratio_of_sums_varies_as_its_residuals_do() -> None:
    """R ± by the textbook's ratio estimator (Cochran 1977, eq. 6.13, infinite population)."""
    rng = np.random.default_rng(5)

    def draw(n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
        visits = rng.poisson(4, n) + 1.0
        return rng.binomial(visits.astype(int), rate).astype(float), visits

    groups = [draw(700, 0.3), draw(300, 0.2)]
    effect = effect_of(ratio_effect(of_values(*groups[0]), of_values(*groups[1]), 0.05))
    rates = [y.sum() / x.sum() for y, x in groups]
    errors = [
        np.sum((y - rate * x) ** 2) / (y.size - 1) / y.size / x.mean() ** 2
        for rate, (y, x) in zip(rates, groups, strict=True)
    ]
    assert effect.difference == pytest.approx(rates[0] - rates[1], rel=1e-12)
    assert effect.standard_error == pytest.approx(sqrt(sum(errors)), rel=1e-9)
    assert effect.method == "delta"


def test_a_ratio_over_one_for_everybody_is_the_mean() -> None:
    rng = np.random.default_rng(6)
    y, z = rng.gamma(2, 3, 80), rng.gamma(2, 2, 50)
    ratio = effect_of(ratio_effect(of_values(y, np.ones(80)), of_values(z, np.ones(50)), 0.05))
    mean = effect_of(welch(of_values(y), of_values(z), 0.05))
    assert ratio.interval == pytest.approx(mean.interval, rel=1e-12)
    assert ratio.relative is not None
    assert mean.relative is not None
    assert ratio.relative.interval == pytest.approx(mean.relative.interval, rel=1e-12)


def test_no_ratio_over_denominators_that_are_not_clear_of_zero() -> None:
    rng = np.random.default_rng(7)
    clear = of_values(rng.normal(1, 1, 50), rng.normal(5, 1, 50))
    unclear = of_values(rng.normal(1, 1, 50), rng.normal(0, 1, 50))
    found = ratio_effect(clear, unclear, 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "no-denominator"


@pytest.mark.parametrize(("n", "expected"), [(10, (2, 9)), (20, (6, 15)), (50, (18, 33)), (100, (40, 61))])
def test_ranks_of_the_median_are_those_of_the_tables(n: int, expected: tuple[int, int]) -> None:
    """Ranks of the 95 % interval of a median as tabulated for the sign test (Conover 1999, Table A3)."""
    assert ranks(n, 0.5, 0.05) == expected


def test_too_few_values_have_no_ranks() -> None:
    assert ranks(5, 0.5, 0.05) is None
    assert ranks(6, 0.5, 0.05) == (1, 6)
    found = quantile_effect(np.arange(5), np.arange(50), 0.5, 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "too-few"


def test_the_p_value_of_a_quantile_belongs_to_its_interval() -> None:
    rng = np.random.default_rng(8)
    for shift in np.linspace(-0.6, 0.6, 25):
        effect = effect_of(
            quantile_effect(rng.lognormal(0, 1, 400) + shift, rng.lognormal(0, 1, 300), 0.5, 0.05)
        )
        assert (effect.p_value < 0.05) == (effect.interval[0] > 0 or effect.interval[1] < 0)


def test_ties_are_told_and_not_guessed_over() -> None:
    rng = np.random.default_rng(9)
    most_have_none = [rng.poisson(0.3, 500), rng.poisson(0.3, 400)]
    found = quantile_effect(most_have_none[0], most_have_none[1], 0.5, 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "ties"
    some_ties = quantile_effect(rng.poisson(40, 500), rng.poisson(35, 400), 0.5, 0.05)
    assert isinstance(some_ties, Effect)


def test_caps_come_from_everybody_together() -> None:
    values = np.concatenate([np.arange(1, 1000), [1e9]])
    low, high = caps(values, 0.01, 0.99)
    assert [low, high] == pytest.approx([10.99, 990.01])
    assert winsorised(values, (low, high)).max() == high
    assert winsorised(values, caps(values, 0, 1)) == pytest.approx(values)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (-0.1, 0.9), (0.1, 1.1), (float("nan"), 1)])
def test_caps_at_no_quantiles_are_an_error(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="quantiles"):
        caps([1.0, 2.0], *shares)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_caps_of_nothing_are_an_error(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values"):
        caps(values, 0.01, 0.99)


def test_post_stratified_means_weigh_strata_by_everybody_in_them() -> None:
    """Written out for two strata: W = .7, .3; δ = 2, −1."""
    strata = [
        (Moments(40, 12.0, 39 * 4.0), Moments(30, 10.0, 29 * 9.0)),
        (Moments(20, 4.0, 19 * 1.0), Moments(10, 5.0, 9 * 2.0)),
    ]
    effect = effect_of(poststratified(strata, 0.05))
    variance = (
        0.7**2 * (4 / 40 + 9 / 30)
        + 0.3**2 * (1 / 20 + 2 / 10)
        + (0.7 * (2 - 1.1) ** 2 + 0.3 * (-1 - 1.1) ** 2) / 100
    )
    assert effect.difference == pytest.approx(0.7 * 2 - 0.3)
    assert effect.standard_error == pytest.approx(sqrt(variance))
    assert [effect.mean, effect.mean_control] == pytest.approx([9.6, 8.5])


def test_post_stratified_means_are_adjusted_within_strata() -> None:
    """θ is that of the regression with every stratum's and group's own level."""
    rng = np.random.default_rng(24)
    stratum, treated = np.repeat([0, 1, 2], 80), np.tile([True, True, False, True], 60)
    before = rng.normal(10 * stratum, 3)
    outcome = 0.7 * before - 30 * stratum + 2 * treated + rng.normal(0, 1, 240)
    parts = [(stratum == each) & side for each in range(3) for side in (treated, ~treated)]
    moments = [of_values(outcome[part], before[part]) for part in parts]
    effect = effect_of(poststratified(list(zip(moments[::2], moments[1::2], strict=True)), 0.05))
    levels = np.column_stack([before, *(part.astype(float) for part in parts)])
    theta = np.linalg.lstsq(levels, outcome)[0][0]
    assert effect.method == "post-stratified+cuped"
    assert effect.adjustment is not None
    assert effect.adjustment.theta == pytest.approx(theta, rel=1e-9)
    adjusted = [(outcome[part] - theta * before[part]).mean() for part in parts]
    assert effect.difference == pytest.approx(np.mean(np.subtract(adjusted[::2], adjusted[1::2])), rel=1e-9)


def test_small_strata_are_joined_and_nobody_is_lost() -> None:
    def of(n: int, m: int) -> tuple[Moments, Moments]:
        return Moments(n, 1.0, float(n)), Moments(m, 0.0, float(m))

    joined = collapsed([of(50, 40), of(3, 2), of(4, 0), of(9, 30), of(1, 4)])
    assert all(min(treated.n, control.n) >= 5 for treated, control in joined)
    assert sum(treated.n for treated, _ in joined) == 67
    assert sum(control.n for _, control in joined) == 76
    assert collapsed([of(50, 3)]) == []
    found = poststratified([of(50, 3)], 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "too-few"


@given(st.floats(-1e12, 1e12), st.integers(2, 30), st.integers(2, 30))
def test_what_is_the_same_for_everybody_never_has_an_effect(value: float, n: int, m: int) -> None:
    """Not even where rounding leaves it a variance."""
    found = compare(of_values(np.full(n, value)), of_values(np.full(m, value)), "sum", 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "no-variance"


def test_numbers_too_large_to_square_are_no_effect() -> None:
    huge = of_values([1e200, -1e200, 3e200])
    found = compare(huge, huge, "sum", 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "too-large"
