"""Numbers published elsewhere, reproduced."""

import numpy as np
import pytest

from services.evaluation.domain.effect import Effect, NoEffect, compare, newcombe, welch, wilson
from services.evaluation.domain.moments import Moments, merged, of_values
from services.evaluation.domain.power import units_per_group
from services.evaluation.domain.srm import check_split


def from_sums(n: int, total: float, squares: float) -> Moments:
    return Moments(n, total / n, squares - total**2 / n)


def successes(k: int, n: int) -> Moments:
    return Moments(n, k / n, k * (1 - k / n))


A = from_sums(3407, 1396.87, 52377.9767)
B = from_sums(3461, 2422.7, 134698.29)


def test_welch_equals_gbstats_in_absolute_terms() -> None:
    effect = welch(B, A, 0.05)
    assert isinstance(effect, Effect)
    assert round(effect.difference, 2) == 0.29
    assert [round(end, 5) for end in effect.interval] == [0.04538, 0.53462]
    assert round(effect.p_value, 5) == 0.02016


def test_relative_effect_equals_gbstats() -> None:
    effect = welch(B, A, 0.05)
    assert isinstance(effect, Effect)
    assert effect.relative is not None
    assert round(effect.relative.value, 5) == 0.70732
    assert [round(end, 5) for end in effect.relative.interval] == [-0.03526, 1.44989]
    assert round(effect.relative.p_value, 5) == 0.06191


def test_wilson_and_newcombe_equal_newcombe_1998() -> None:
    assert [round(end, 5) for end in wilson(15, 148, 0.05)] == [0.06239, 0.16049]
    effect = newcombe(successes(56, 70), successes(48, 80), 0.05)
    assert [round(end, 5) for end in effect.interval] == [0.05243, 0.33387]


def test_sample_ratio_mismatch() -> None:
    three = check_split({"a": 5000, "b": 5200, "c": 0}, {"a": 0.5, "b": 0.5, "c": 0.0})
    assert round(three.p_value, 4) == 0.0477
    assert three.freedom == 1
    assert three.passes
    two = check_split({"a": 821_588, "b": 815_482}, {"a": 1, "b": 1})
    assert f"{two.p_value:.2e}" == "1.82e-06"
    assert not two.passes


def test_sample_ratio_mismatch_of_an_unequal_split() -> None:
    assert check_split({"call": 452, "sms": 447, "": 101}, {"call": 0.45, "sms": 0.45, "": 0.1}).passes
    assert not check_split({"call": 500, "sms": 480, "": 20}, {"call": 0.45, "sms": 0.45, "": 0.1}).passes


def test_units_in_a_group_without_weight_fail_the_check() -> None:
    assert not check_split({"a": 50, "b": 50, "c": 1}, {"a": 0.5, "b": 0.5, "c": 0.0}).passes


@pytest.mark.parametrize(("size", "units"), [(0.2, 393.41), (0.5, 63.77), (0.8, 25.52)])
def test_power(size: float, units: float) -> None:
    assert round(units_per_group(size), 2) == units


def test_power_of_hardly_any_effect_is_a_large_number_not_an_error() -> None:
    assert 1.5e7 < units_per_group(0.001) < 1.6e7
    assert units_per_group(0.0) == float("inf")


def num_acc_4() -> np.ndarray:
    """NIST StRD NumAcc4: mean 10000000.2, standard deviation 0.1, 1001 observations."""
    return np.concatenate([[10_000_000.2], np.tile([10_000_000.1, 10_000_000.3], 500)])


@pytest.mark.parametrize("parts", [1, 2, 7, 1001])
def test_merged_moments_are_exact_on_num_acc_4(parts: int) -> None:
    whole = merged(of_values(part) for part in np.array_split(num_acc_4(), parts))
    assert whole.n == 1001
    assert whole.mean_y == pytest.approx(10_000_000.2, rel=1e-14)
    assert whole.variance**0.5 == pytest.approx(0.1, rel=1e-7)


def test_merged_co_moments_equal_those_of_the_whole() -> None:
    rng = np.random.default_rng(7)
    x = rng.lognormal(9, 2, 4000)
    y = 1e8 + 0.4 * x + rng.normal(0, 10, 4000)
    parts = merged(of_values(a, b) for a, b in zip(np.array_split(y, 13), np.array_split(x, 13), strict=True))
    assert parts.c_xy / 3999 == pytest.approx(float(np.cov(x, y)[0, 1]), rel=1e-9)
    assert parts.m2_x / 3999 == pytest.approx(float(np.var(x, ddof=1)), rel=1e-9)
    assert parts.variance == pytest.approx(float(np.var(y, ddof=1)), rel=1e-9)


def test_what_cannot_be_computed_is_no_effect_and_says_why() -> None:
    constant = of_values([5.0, 5.0, 5.0])
    same = compare(constant, constant, "sum", 0.05)
    assert isinstance(same, NoEffect)
    assert same.code == "no-variance"
    few = compare(of_values([1.0]), constant, "sum", 0.05)
    assert isinstance(few, NoEffect)
    assert few.code == "too-few"


def test_no_relative_effect_over_a_base_that_is_not_clearly_positive() -> None:
    rng = np.random.default_rng(1)
    effect = welch(of_values(rng.normal(2, 1, 50)), of_values(rng.normal(-1, 1, 50)), 0.05)
    assert isinstance(effect, Effect)
    assert effect.relative is None


def test_a_proportion_of_nobody_still_has_an_interval() -> None:
    effect = compare(successes(0, 40), successes(0, 60), "proportion", 0.05)
    assert isinstance(effect, Effect)
    assert effect.difference == 0
    assert effect.interval[0] < 0 < effect.interval[1]
    assert effect.p_value == 1.0
