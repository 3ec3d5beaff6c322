"""Purchase models, values, classifier and reasons against numbers worked out another way."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import beta
from threadpoolctl import threadpool_limits

from services.segmentation.domain import bg_nbd, churn, classification, clv, gamma_gamma

Vector = NDArray[np.float64]


@pytest.fixture(autouse=True, scope="module")
def _one_core() -> Iterator[None]:
    """As in the service: threads that wait for each other's cores are slower than one."""
    with threadpool_limits(1):
        yield


def _integrated(model: bg_nbd.BgNbd, horizon: float, x: float, age: float) -> float:
    """E over p ~ Beta(a, b+x) of (1 − (1 + p·t/(α+T))^−(r+x)) / p: another way to the same purchases."""

    def inner(p: float) -> float:
        growth = np.log1p(p * horizon / (model.alpha + age))
        return float(-np.expm1(-(model.r + x) * growth) / p * beta.pdf(p, model.a, model.b + x))

    return float(quad(inner, 0, 1, limit=400, points=[1e-3, 1e-2, 0.1])[0])


@pytest.mark.parametrize("a", [0.3, 0.7929, 1.0, 1.5, 3.0])
@pytest.mark.parametrize(("x", "age", "horizon"), [(0, 38, 39), (2, 38, 39), (29, 30, 1), (2_000, 30, 5_000)])
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_purchases_equal_their_integral(a: float, x: float, age: float, horizon: float) -> None:
    model = bg_nbd.BgNbd(0.2426, 4.4135, a, 2.4258, 0.0)
    found = bg_nbd.purchases_if_alive(model, horizon, np.array([float(x)]), np.array([float(age)]))[0]
    assert found == pytest.approx(_integrated(model, horizon, x, age), rel=1e-6)


def _buyers(rng: np.random.Generator, size: int) -> tuple[Vector, Vector, Vector]:
    """Customers who live by the model: r=.6, α=8, a=.9, b=3."""
    rate, quits = rng.gamma(0.6, 1 / 8, size), rng.beta(0.9, 3.0, size)
    age = rng.uniform(20, 60, size)
    x, last = np.zeros(size), np.zeros(size)
    for each in range(size):
        at = rng.exponential(1 / rate[each])
        while at < age[each]:
            x[each], last[each] = x[each] + 1, at
            if rng.random() < quits[each]:
                break
            at += rng.exponential(1 / rate[each])
    return x, last, age


def test_parameters_are_recovered_and_the_unit_of_time_does_not_matter() -> None:
    x, t_x, t = _buyers(np.random.default_rng(1), 8_000)
    found = bg_nbd.fit(x, t_x, t)
    assert found.r == pytest.approx(0.6, rel=0.15)
    assert found.alpha == pytest.approx(8, rel=0.2)
    assert found.a / (found.a + found.b) == pytest.approx(0.9 / 3.9, rel=0.2)
    in_days = bg_nbd.fit(x, 7 * t_x, 7 * t)
    assert in_days.r == pytest.approx(found.r, rel=1e-3)
    assert in_days.alpha == pytest.approx(7 * found.alpha, rel=1e-3)


@pytest.mark.parametrize(
    ("x", "t_x", "t", "said"),
    [
        ([1, 0], [5, 0], [4, 4], "recency ≤ age"),
        ([0, 1], [1, 1], [4, 4], "repeat"),
        ([0, 0], [0, 0], [4, 4], "second time"),
        ([1, 2], [1, np.nan], [4, 4], "known"),
        ([1], [1], [4], "two customers"),
    ],
)
def test_contradictions_are_refused(x: list[float], t_x: list[float], t: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bg_nbd.fit(*(np.array(each, dtype=np.float64) for each in (x, t_x, t)))


def test_spend_is_drawn_towards_the_mean_of_all() -> None:
    model = gamma_gamma.GammaGamma(6.25, 3.74, 15.44, 0.0)
    frequency, spend = np.array([0.0, 1.0, 100.0]), np.array([np.nan, 200.0, 200.0])
    nobody, once, often = gamma_gamma.expected_spend(model, frequency, spend)
    assert nobody == pytest.approx(6.25 * 15.44 / 2.74)
    assert nobody < once < often < 200
    boundless = gamma_gamma.GammaGamma(6.25, 0.9, 15.44, 0.0)
    assert np.isnan(gamma_gamma.expected_spend(boundless, frequency, spend)[0])


def test_value_of_contribution_is_the_sum_of_its_months() -> None:
    contribution, survival = np.array([100.0, -20.0, 50.0]), np.array([0.98, 1.0, 0.0])
    discount = clv.monthly_discount(0.08)
    by_hand = [
        sum(c * s**t * discount**t for t in range(1, 37)) for c, s in zip(contribution, survival, strict=True)
    ]
    found = clv.from_contribution(contribution, survival, 36, discount)
    assert found == pytest.approx(by_hand)
    assert clv.from_contribution(contribution, np.ones(3), 12, 1.0) == pytest.approx(12 * contribution)
    assert clv.monthly_survival(np.array([0.3]), 90)[0] ** (90 / (365.25 / 12)) == pytest.approx(0.7)


def test_value_of_purchases_without_discount_is_purchases_times_spend() -> None:
    buying = bg_nbd.BgNbd(0.2426, 4.4135, 0.7929, 2.4258, 0.0)
    spending = gamma_gamma.GammaGamma(6.2488, 3.7446, 15.4477, 0.0)
    x, t_x, age, spend = (np.array([each]) for each in (2.0, 30.43, 38.86, 22.35))
    found = clv.from_purchases(
        buying, spending, x, t_x, age, spend, months=9, month=39 / 9, margin=0.3, discount=1.0
    )
    assert found[0] == pytest.approx(
        1.22591 * 0.3 * (15.4477 + 2 * 22.35) * 6.2488 / (6.2488 * 2 + 3.7446 - 1), rel=1e-4
    )


def test_who_has_left() -> None:
    rule = churn.ChurnRule(fall=0.5, most_activity=1, least_assets=1_000)
    before = np.array([10_000.0, 10_000, 10_000, 500, np.nan])
    after = np.array([5_000.0, 5_001, np.nan, 0, 0])
    assert churn.at_risk(rule, before).tolist() == [True, True, True, False, False]
    assert churn.has_left(rule, before, after, np.array([1.0, 0, 2, 0, 0]))[:3].tolist() == [
        True,
        False,
        False,
    ]


def _world(rng: np.random.Generator, size: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], Vector]:
    """Outcomes by a logistic law of the first two of four features; with the true probabilities."""
    features = rng.normal(size=(size, 4))
    truth = 1 / (1 + np.exp(-(2 * features[:, 0] - features[:, 1] - 2)))
    features[rng.random(size) < 0.2, 3] = np.nan
    return features, rng.random(size) < truth, truth


@pytest.fixture(scope="module")
def learnt() -> classification.Classifier:
    features, outcome, _ = _world(np.random.default_rng(0), 6_000)
    return classification.train(features, outcome, seed=0)


def test_probabilities_are_true_ones(learnt: classification.Classifier) -> None:
    features, outcome, truth = _world(np.random.default_rng(1), 6_000)
    scores = learnt.log_odds(features)
    found = classification.validate(scores, learnt.calibrated(scores), outcome)
    best = classification.validate(np.log(truth / (1 - truth)), truth, outcome)
    assert found.auc > best.auc - 0.015
    assert found.brier < best.brier + 0.006 < found.brier_reference
    assert max(abs(each.predicted - each.observed) for each in found.calibration) < 0.05
    assert sum(each.customers for each in found.calibration) == 6_000
    assert found.gains[-1] == 1.0
    assert found.lift == pytest.approx(found.gains[0] * 10)


def test_same_seed_same_trees(learnt: classification.Classifier) -> None:
    features, outcome, _ = _world(np.random.default_rng(0), 6_000)
    again = classification.train(features, outcome, seed=0)
    assert np.array_equal(again.probability(features), learnt.probability(features))


def test_reasons_add_up_to_the_score(learnt: classification.Classifier) -> None:
    features, _, _ = _world(np.random.default_rng(2), 500)
    one = features[:1]
    found = classification.contributions(learnt, features[:50], one, seed=3, rounds=4)
    against = learnt.log_odds(features[:50]) - learnt.log_odds(one)
    assert found.sum(axis=1) == pytest.approx(against)


def test_reasons_are_shapley_values(learnt: classification.Classifier) -> None:
    """All 24 orders of four features, against one customer of the background."""
    features, _, _ = _world(np.random.default_rng(2), 12)
    rows, one = features[:5], features[5:6]
    exact = np.zeros((5, 4))
    for order in permutations(range(4)):
        state = np.repeat(one, 5, axis=0)
        before = learnt.log_odds(state)
        for feature in order:
            state[:, feature] = rows[:, feature]
            after = learnt.log_odds(state)
            exact[:, feature] += (after - before) / 24
            before = after
    found = classification.contributions(learnt, rows, one, seed=1, rounds=300)
    assert np.abs(found - exact).max() < 0.1
    assert np.abs(exact).max() > 1


def test_too_few_to_learn_from() -> None:
    features = np.zeros((1_000, 2))
    with pytest.raises(classification.TooFewError, match="at least 30"):
        classification.train(features, np.arange(1_000) < 29, seed=0)
    with pytest.raises(classification.TooFewError):
        classification.validate(features[:, 0], features[:, 0], np.zeros(1_000, dtype=np.bool_))
