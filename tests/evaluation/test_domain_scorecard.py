"""Scores adjusted for case mix: exact where it can be exact, simulated where it is a matter of chance."""

import numpy as np
import pytest

from services.evaluation.domain.scorecard import (
    Compared,
    Fitted,
    NoScore,
    Observed,
    beside,
    compare,
    fit,
    of_customers,
    rank,
    shrink,
    standing,
)


def observed(weight: list[list[float]], mean: list[list[float]], deviation: float = 1.0) -> Observed:
    """Of a table of subjects × cells; a weight of 0 is no row."""
    given, seen = np.asarray(weight, float), np.asarray(mean, float)
    subject, cell = np.nonzero(given)
    customers = given[subject, cell]
    return of_customers(subject, cell, customers, seen[subject, cell], (customers - 1) * deviation**2)


def fitted(found: Fitted | NoScore) -> Fitted:
    assert isinstance(found, Fitted), found
    return found


def test_subjects_who_differ_only_in_their_customers_have_the_same_score() -> None:
    """Wealthy customers bring 100, young ones 10; the first two subjects add 5, and share no customers' cell."""
    found = fitted(fit(observed([[100, 0], [0, 50], [100, 100]], [[105, 0], [0, 15], [100, 10]])))
    assert found.score[0] == pytest.approx(found.score[1], abs=1e-9)
    assert found.score[0] - found.score[2] == pytest.approx(5, abs=1e-9)
    assert found.weight @ found.score == pytest.approx(0, abs=1e-9)
    assert found.expected + found.score == pytest.approx(found.mean)
    # Beside each cell's own mean they would differ: 105 − 102.5 and 15 − 11.67.
    raw = [105 - (105 + 100) / 2, 15 - (50 * 15 + 100 * 10) / 150]
    assert abs(raw[0] - raw[1]) > 0.8


def test_errors_are_those_of_least_squares() -> None:
    """By hand: one cell, equal variance 4, 10, 20 and 40 customers; the score of the first has 4(1/10 − 1/70)."""
    found = fitted(fit(observed([[10], [20], [40]], [[1], [2], [3]], 2.0)))
    assert found.error == pytest.approx([np.sqrt(4 * (1 / n - 1 / 70)) for n in (10, 20, 40)])
    assert found.score == pytest.approx(np.array([1, 2, 3]) - (10 + 40 + 120) / 70)


def test_who_shares_no_customers_alike_is_left_out() -> None:
    found = fitted(fit(observed([[9, 0], [9, 0], [9, 0], [0, 5]], [[1, 0], [2, 0], [3, 0], [0, 9]])))
    assert list(found.subject) == [0, 1, 2]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (observed([[9], [9]], [[1], [2]]), "too-few-subjects"),
        (observed([[9], [9], [9]], [[1], [1], [1]], 0.0), "no-variance"),
        (observed([[0.0]], [[0.0]]), "no-data"),
        (observed([[2.0]] * 2001, [[1.0]] * 2001), "too-many-subjects"),
    ],
)
def test_what_cannot_be_scored_says_why(table: Observed, code: str) -> None:
    found = fit(table)
    assert isinstance(found, NoScore)
    assert found.code == code


def test_no_difference_beyond_chance_is_shrunk_away_and_makes_no_order() -> None:
    rng = np.random.default_rng(5)
    means = rng.normal(0, 1 / np.sqrt(50), (20, 1))
    found = shrink(fitted(fit(observed([[50]] * 20, means.tolist()))), seed=1)
    assert np.abs(found.value).max() < 0.5 * np.abs(means - means.mean()).max()
    ranking = rank(found.draws, 1, 0.05)
    assert ranking.groups == 1
    assert not ranking.alone(0)


def test_equal_means_and_lopsided_books_stay_finite() -> None:
    """Nothing differs, and one subject has a million times the customers of another."""
    for table in (
        observed([[50]] * 4, [[7]] * 4),
        observed([[1e6, 0], [1, 2], [2, 1e6]], [[3, 0], [3, 9], [1, 2]]),
    ):
        found = compare(table, 1, 1, seed=2)
        assert isinstance(found, Compared)
        assert np.isfinite(found.shrunk.draws).all()
        assert np.isfinite(found.shrunk.value).all()
        assert np.isfinite(found.fitted.error).all()
        assert found.shrunk.spread >= 0


def test_clear_differences_make_groups_and_one_alone_has_a_rank() -> None:
    means = [[10.0], [9.9], [5.0], [0.1], [0.0]]
    found = shrink(fitted(fit(observed([[400]] * 5, means))), seed=1)
    up, down = rank(found.draws, 1, 0.05), rank(found.draws, -1, 0.05)
    assert list(up.group) == [1, 1, 2, 3, 3]
    assert list(down.group) == [3, 3, 2, 1, 1]
    assert up.alone(2)
    assert (up.low[2], up.high[2]) == (3, 3)
    assert not up.alone(0)
    assert [standing(each, 1) for each in found.intervals(0.05)][::4] == ["above", "below"]
    assert standing((-1.0, 2.0), -1) == "not_distinguishable"
    assert standing((-2.0, -1.0), -1) == "above"


def test_the_same_inputs_and_seed_give_the_same_draws() -> None:
    table = observed([[40, 10], [10, 40], [30, 30]], [[1, 2], [2, 3], [1, 1]])
    first, second = (shrink(fitted(fit(table)), seed=9) for _ in range(2))
    assert np.array_equal(first.draws, second.draws)


def test_few_customers_help_to_expect_but_are_not_compared() -> None:
    table = observed([[100], [100], [100], [5]], [[3], [2], [1], [9]])
    found = compare(table, 30, 1, seed=4)
    assert isinstance(found, Compared)
    assert list(found.large) == [True, True, True, False]
    assert found.ranking.low.size == 3
    assert compare(table, 101, 1, seed=4) == NoScore(
        "too-few-subjects", "0 with 101 customers or more; 3 are needed"
    )


def test_beside_the_hold_out_only_what_has_both_sides_counts() -> None:
    """20 treated against 5 held out know as much as 4 customers: s²(1/20 + 1/5) = s²/4."""
    treated = observed([[20, 10], [30, 30]], [[8, 9], [5, 5]])
    held_out = observed([[5, 0], [30, 10]], [[3, 0], [1, 2]])
    found = beside(treated, held_out)
    assert list(zip(found.subject, found.cell, strict=True)) == [(0, 0), (1, 0), (1, 1)]
    assert found.weight == pytest.approx([4, 15, 7.5])
    assert found.customers == pytest.approx([20, 30, 30])
    assert found.totals == {0: (20, 5), 1: (60, pytest.approx((15 * 4 + 7.5 * 3) / 22.5))}
    assert found.mean == pytest.approx([5, 4, 3])
    assert found.freedom == pytest.approx([23, 58, 38])


def coverage(rounds: int, subjects: int, spread: float, seed: int) -> tuple[float, float]:
    """Shares of true ranks and of true scores that lie in their 95 % intervals."""
    rng = np.random.default_rng(seed)
    cells, ranks, scores = 6, 0, 0
    for number in range(rounds):
        truth = rng.normal(0, spread, subjects)
        given = rng.poisson(rng.gamma(1.0, 12, (subjects, cells))) + 1.0
        level, deviation = rng.normal(0, 5, cells), rng.uniform(0.5, 2, cells)
        mean = truth[:, None] + level + rng.normal(size=given.shape) * deviation / np.sqrt(given)
        m2 = deviation**2 * rng.chisquare(np.maximum(given - 1, 1e-9))
        subject, cell = np.indices(given.shape).reshape(2, -1)
        figures = (np.ravel(each).astype(np.float64) for each in (given, mean, m2))
        table = of_customers(subject, cell, *figures)
        found = fitted(fit(table))
        posterior = shrink(found, seed=number)
        ranking = rank(posterior.draws, 1, 0.05)
        true_rank = (-truth).argsort().argsort() + 1
        ranks += int(((ranking.low <= true_rank) & (true_rank <= ranking.high)).sum())
        shift = truth - truth @ found.weight / found.weight.sum()
        ends = posterior.intervals(0.05)
        scores += sum(low <= true <= high for (low, high), true in zip(ends, shift, strict=True))
    return ranks / (rounds * subjects), scores / (rounds * subjects)


@pytest.mark.parametrize(("subjects", "spread"), [(4, 0.3), (15, 0.3), (15, 0.05)])
def test_true_ranks_and_scores_are_covered(subjects: int, spread: float) -> None:
    """At least at the nominal rate less three standard errors; ranks are whole numbers and cover more."""
    rounds = 60
    ranks, scores = coverage(rounds, subjects, spread, seed=11)
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / (rounds * subjects))
    assert ranks >= least
    assert scores >= least


@pytest.mark.slow
@pytest.mark.parametrize(("subjects", "spread"), [(3, 0.3), (8, 0.1), (40, 0.3), (40, 1.0)])
def test_true_ranks_and_scores_are_covered_over_many_banks(subjects: int, spread: float) -> None:
    rounds = 500
    ranks, scores = coverage(rounds, subjects, spread, seed=23)
    assert ranks >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / (rounds * subjects))
    assert 0.935 <= scores <= 0.985
