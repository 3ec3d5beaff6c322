"""Sample sizes published elsewhere, reproduced, and what comes back from them."""

import pytest

from services.evaluation.domain.power import (
    clusters_per_group,
    design_effect,
    detectable_proportion,
    minimum_detectable,
    ratio_deviation,
    units_for_non_inferiority,
    units_for_proportions,
    units_per_group,
    whole,
)


@pytest.mark.parametrize(("size", "units"), [(0.2, 393.41), (0.5, 63.77), (0.8, 25.52)])
def test_means_equal_cohen(size: float, units: float) -> None:
    """Cohen (1988), table 2.4.1, with decimals as of R's pwr.t.test."""
    assert round(units_per_group(size), 2) == units
    n = round(units)
    assert minimum_detectable(10.0, n, n) == pytest.approx(10 * size, rel=0.02)


def test_means_equal_r() -> None:
    """R's example(power.t.test): n = 20, δ = 1, σ = 1 has power .8689528; power .90 at δ = 1 needs 22.02110."""
    assert units_per_group(1.0, 0.05, 0.90) == pytest.approx(22.02110, abs=5e-5)
    assert minimum_detectable(1.0, 20, 20, 0.05, 0.8689528) == pytest.approx(1.0, abs=1e-5)


def test_proportions_equal_r() -> None:
    """R's example(power.prop.test): p1 = .50, p2 = .75, power = .90 needs 76.7."""
    assert round(units_for_proportions(0.50, 0.75, 0.05, 0.90), 1) == 76.7
    assert detectable_proportion(0.50, 767, 767, 0.05, 0.90) == pytest.approx(0.0825, abs=0.001)
    assert units_for_proportions(0.3, 0.3) == float("inf")


def test_a_detectable_rise_comes_back_from_the_units_it_needs() -> None:
    units = units_for_proportions(0.05, 0.065, 0.05, 0.8)
    found = detectable_proportion(0.05, round(units), round(units), 0.05, 0.8)
    assert found == pytest.approx(0.015, rel=1e-3)
    assert detectable_proportion(0.97, 20, 20) is None
    assert detectable_proportion(1.0, 20, 20) is None


def test_non_inferiority_equals_the_formula_of_chow_shao_and_wang() -> None:
    """Chow, Shao and Wang (2008), 3.2: 2 (z₀.₀₅ + z₀.₂)² (σ / margin)² = 49.46; the t distribution adds less
    than one.
    """
    units = units_for_non_inferiority(0.05, 0.10, alpha=0.10, power=0.80)
    assert 49.46 < units < 50.46
    assert whole(units) == 51


def test_clusters_cost_the_design_effect_and_degrees_of_freedom() -> None:
    """Donner and Klar (2000): 1 + (m − 1)ρ; Eldridge, Ashby and Kerry (2006) for unequal sizes."""
    assert design_effect(0.05, 200) == pytest.approx(10.95)
    assert design_effect(0.05, 200, 0.5) == pytest.approx(1 + (1.25 * 200 - 1) * 0.05)
    inflated = units_per_group(0.2) * design_effect(0.05, 20) / 20
    found = clusters_per_group(0.2, 0.05, 20)
    assert inflated < found < inflated + 2
    assert clusters_per_group(0.2, 0.0, 1) == pytest.approx(units_per_group(0.2))


def test_deviation_of_a_ratio() -> None:
    """Delta method: of proportional numerator and denominator nothing is left."""
    assert ratio_deviation(2.0, 6.0, 10.0, 3.0, 1.0) == pytest.approx(0.0)
    assert ratio_deviation(2.0, 6.0, 10.0, 3.0, 0.0) == pytest.approx(72**0.5 / 10)


def test_extremes_are_numbers_or_nothing() -> None:
    assert units_per_group(50.0) == 2.0
    assert whole(units_per_group(0.0)) is None
    assert minimum_detectable(3.0, 2, 10**9) > minimum_detectable(3.0, 10**6, 10**9)
    with pytest.raises(ValueError, match="2 of each"):
        minimum_detectable(1.0, 1, 10)
