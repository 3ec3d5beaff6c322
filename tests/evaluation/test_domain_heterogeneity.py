"""Many cells and many tests: published examples reproduced, and shrunk intervals that cover."""

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.heterogeneity import Heterogeneity, heterogeneity
from services.evaluation.domain.multiplicity import benjamini_hochberg, holm

ALPHA = 0.05
# Colditz et al. (1994), 13 trials of the BCG vaccine: cases and others, vaccinated and not.
BCG = np.array(
    [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    dtype=float,
)
# Benjamini and Hochberg (1995), section 3.2.
PUBLISHED = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
PUBLISHED += [0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def of(effects: list[float], errors: list[float]) -> Heterogeneity:
    found = heterogeneity(effects, errors, ALPHA)
    assert isinstance(found, Heterogeneity)
    return found


def test_vaccine_trials_equal_metafor() -> None:
    """R's metafor, rma(measure="RR", method="DL") on dat.bcg: Q(12) = 152.2330, τ² = .3088, −.7141."""
    cases, others, cases_not, others_not = BCG.T
    effects = np.log(cases / (cases + others)) - np.log(cases_not / (cases_not + others_not))
    errors = np.sqrt(1 / cases - 1 / (cases + others) + 1 / cases_not - 1 / (cases_not + others_not))
    found = of(list(effects), list(errors))
    assert (round(found.q, 4), found.freedom) == (152.2330, 12)
    assert round(found.tau2, 4) == 0.3088
    assert round(found.pooled, 4) == -0.7141
    assert found.p_value < 1e-20
    for raw, error, cell in zip(effects, errors, found.cells, strict=True):
        weight = found.tau2 / (found.tau2 + error**2)
        assert cell.value == pytest.approx(found.pooled + weight * (raw - found.pooled))


def test_eight_schools_do_not_differ_and_keep_honest_intervals() -> None:
    """Rubin (1981); Gelman et al., Bayesian Data Analysis, 5.5: pooled 7.7 with error 4.1, and between −2 and
    31 for the best school. Q(7) = 4.707 as in R's meta-analysis packages.
    """
    raw, errors = [28.0, 8, -3, 7, -1, 1, 18, 12], [15.0, 10, 16, 11, 9, 11, 10, 18]
    found = of(raw, errors)
    assert (round(found.q, 3), found.tau2, round(found.pooled, 1)) == (4.707, 0.0, 7.7)
    low, high = found.cells[0].interval
    assert high - low > 2 * 1.96 * 4.1
    assert high - low < 2 * 1.96 * 15
    assert low < 0


def test_order_and_unit_do_not_matter() -> None:
    effects, errors = [3.0, -1.0, 7.0, 2.0], [1.0, 2.0, 1.5, 0.5]
    found, turned = of(effects, errors), of(effects[::-1], errors[::-1])
    assert [cell.value for cell in turned.cells] == pytest.approx([cell.value for cell in found.cells][::-1])
    cents = of([1e8 * effect for effect in effects], [1e8 * error for error in errors])
    assert cents.q == pytest.approx(found.q)
    assert cents.cells[2].interval == pytest.approx([1e8 * end for end in found.cells[2].interval])


def test_two_cells_are_not_shrunk() -> None:
    found = of([1.0, 5.0], [1.0, 1.0])
    assert [cell.value for cell in found.cells] == [1.0, 5.0]
    assert found.cells[0].interval == pytest.approx((1 - 1.959964, 1 + 1.959964))
    assert found.q == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("effects", "errors", "code"),
    [
        ([1.0], [1.0], "too-few"),
        ([], [], "too-few"),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 1.0], "no-variance"),
        ([1.0, float("nan"), 3.0], [1.0, 1.0, 1.0], "too-large"),
        ([1e200, -1e200, 3.0], [1.0, 1.0, 1.0], "too-large"),
        ([1.0, 2.0, 3.0], [1e300, 1e-300, 1.0], "too-large"),
    ],
)
def test_what_cannot_be_computed_says_why(effects: list[float], errors: list[float], code: str) -> None:
    found = heterogeneity(effects, errors, ALPHA)
    assert isinstance(found, NoEffect)
    assert found.code == code


def covered(cells: int, tau: float, runs: int, seed: int) -> int:
    """Of runs × cells shrunk intervals, those that hold the true effect of their cell."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(runs):
        errors = rng.uniform(0.5, 2.0, cells)
        truth = 3 + tau * rng.normal(size=cells)
        found = of(list(truth + errors * rng.normal(size=cells)), list(errors))
        hits += sum(
            cell.interval[0] <= true <= cell.interval[1]
            for cell, true in zip(found.cells, truth, strict=True)
        )
    return hits


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(("cells", "runs"), [(3, 120), (4, 120), (12, 40), (50, 15)])
def test_shrunk_intervals_cover(cells: int, runs: int, tau: float) -> None:
    # Cells of a run share its common mean: as many independent ones as there are runs is the careful count.
    fewest = stats.binom.ppf(0.001, runs, 1 - ALPHA) / runs
    assert covered(cells, tau, runs, 11) / (cells * runs) >= fewest


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 0.25, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("cells", [3, 4, 10, 50])
def test_shrunk_intervals_cover_at_length(cells: int, tau: float) -> None:
    runs = 2000
    fewest = stats.binom.ppf(0.001, runs, 1 - ALPHA) / runs
    assert covered(cells, tau, runs, 12) / (cells * runs) >= fewest


def test_shrunk_values_are_nearer_to_the_truth_than_raw_ones() -> None:
    rng = np.random.default_rng(2)
    raw_error = shrunk_error = 0.0
    for _ in range(100):
        truth = 1 + 0.5 * rng.normal(size=12)
        raw = truth + rng.normal(size=12)
        values = np.array([cell.value for cell in of(list(raw), [1.0] * 12).cells])
        raw_error += float(((raw - truth) ** 2).sum())
        shrunk_error += float(((values - truth) ** 2).sum())
    assert shrunk_error < 0.6 * raw_error


def test_false_discovery_rate_finds_four_of_the_published_fifteen_and_holm_three() -> None:
    found = benjamini_hochberg(PUBLISHED)
    assert sum(q <= ALPHA for q in found) == 4
    assert found[3] == pytest.approx(0.0095 * 15 / 4)
    assert sum(p <= ALPHA for p in holm(PUBLISHED)) == 3
    assert holm(PUBLISHED)[1] == pytest.approx(0.0004 * 14)


def test_corrected_values_come_in_the_order_given_and_equal_scipy() -> None:
    p_values = list(np.random.default_rng(1).random(60) ** 2)
    assert benjamini_hochberg(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))
    assert holm([0.5, 0.01, 0.02]) == pytest.approx([0.5, 0.03, 0.04])
    assert (benjamini_hochberg([]), holm([])) == ([], [])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, float("nan")])


def test_the_share_of_false_finds_is_held() -> None:
    """36 of 40 cells without an effect, 4 with one that can be found."""
    rng = np.random.default_rng(8)
    shares = []
    for _ in range(2000):
        z = rng.normal(size=40) + np.where(np.arange(40) < 4, 3.5, 0)
        finds = np.array(benjamini_hochberg(list(2 * stats.norm.sf(np.abs(z))))) <= 0.1
        shares.append(finds[4:].sum() / max(finds.sum(), 1))
    assert np.mean(shares) <= 0.1 * 0.9 + 3.5 * np.std(shares) / np.sqrt(len(shares))
