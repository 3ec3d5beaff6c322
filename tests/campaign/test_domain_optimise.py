"""The contact optimiser against hand-made instances, against HiGHS, and against its own limits."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix, vstack

from services.campaign.domain.contact_problem import Problem
from services.campaign.domain.optimise import Plan, optimise


def a_problem(value: Any, **changes: Any) -> Problem:
    """One manager with an hour, one channel, every option an offer of its own; six minutes, 1.50 each."""
    matrix = np.asarray(value, dtype=np.float32)
    customers, options = matrix.shape
    given: dict[str, Any] = {
        "manager": np.zeros(customers, dtype=np.int64),
        "places": np.ones(customers, dtype=np.int64),
        "minutes": np.full(options, 6.0),
        "cost": np.full(options, 9.0),
        "channel": np.zeros(options, dtype=np.int64),
        "offer": np.arange(options),
        "manager_minutes": np.array([60.0]),
        "channel_capacity": np.array([np.inf]),
        "minimum": np.zeros(options),
        "maximum": np.full(options, np.inf),
    }
    return Problem(matrix, **given | changes)


def drawn(seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    customers, offers = int(rng.integers(20, 60)), int(rng.integers(2, 6))
    channels, managers = int(rng.integers(1, 3)), int(rng.integers(1, 6))
    offer, channel = np.repeat(np.arange(offers), channels), np.tile(np.arange(channels), offers)
    value = np.round(rng.lognormal(3, 0.7, (customers, offer.size)), 2)
    value[rng.random(value.shape) < 0.3] = 0
    maximum = rng.integers(customers // 8, customers // 2, offers).astype(float)
    minutes = np.where(channel == 0, 6.0, 2.0 if seed % 2 else 6.0)
    return a_problem(
        value,
        manager=rng.integers(0, managers, customers),
        places=rng.integers(0, 3, customers),
        minutes=minutes,
        cost=minutes * 1.5,
        channel=channel,
        offer=offer,
        manager_minutes=rng.integers(30, 120, managers).astype(float),
        channel_capacity=rng.integers(customers // 5, customers, channels).astype(float),
        minimum=np.minimum(rng.integers(0, 4, offers), maximum).astype(float),
        maximum=maximum,
        budget=float(rng.integers(100, 800)),
    )


def tied(seed: int) -> Problem:
    """A handful of values and lengths, and little room: which of the equal ones are chosen matters."""
    rng = np.random.default_rng(seed)
    customers, offers = int(rng.integers(20, 120)), int(rng.integers(2, 6))
    channels, managers = int(rng.integers(1, 3)), int(rng.integers(1, 8))
    offer, channel = np.repeat(np.arange(offers), channels), np.tile(np.arange(channels), offers)
    maximum = rng.integers(1, customers // 3, offers).astype(float)
    minutes = np.where(channel == 0, 6.0, rng.choice([6.0, 2.0, 0.0]))
    return a_problem(
        rng.choice([0, 1, 2, 3, 5][: int(rng.integers(2, 6))], (customers, offer.size)),
        manager=rng.integers(0, managers, customers),
        places=rng.integers(0, 4, customers),
        minutes=minutes,
        cost=minutes * 1.5 if seed % 2 else np.full(offer.size, 9.0),
        channel=channel,
        offer=offer,
        manager_minutes=rng.integers(10, 120, managers).astype(float),
        channel_capacity=rng.integers(customers // 5, customers, channels).astype(float),
        minimum=np.minimum(rng.integers(0, 4, offers), maximum).astype(float),
        maximum=maximum,
        budget=float(rng.integers(50, 900)),
    )


def by_highs(problem: Problem) -> float | None:
    """The best value there is; None when the minima cannot be met."""
    row, option = np.nonzero(problem.value > 0)
    size = np.arange(row.size)

    def sums(index: Any, weight: Any, height: int) -> Any:
        return coo_matrix((weight, (index, size)), shape=(height, row.size))

    ones = np.ones(row.size)
    matrix = vstack(
        [
            sums(row, ones, len(problem.places)),
            sums(problem.manager[row], problem.minutes[option], len(problem.manager_minutes)),
            sums(problem.channel[option], ones, len(problem.channel_capacity)),
            sums(problem.offer[option], ones, len(problem.maximum)),
            sums(np.zeros(row.size, dtype=int), problem.cost[option], 1),
        ]
    ).tocsr()
    low = np.full(matrix.shape[0], -np.inf)
    low[-1 - len(problem.minimum) : -1] = problem.minimum
    high = np.concatenate(
        [
            problem.places,
            problem.manager_minutes,
            problem.channel_capacity,
            problem.maximum,
            [problem.budget],
        ]
    )
    found = milp(
        -problem.value[row, option].astype(float),
        integrality=np.ones(row.size, dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, low, high),
    )
    return None if found.x is None else -found.fun


def check(problem: Problem, plan: Plan) -> None:
    """Every limit holds, what is said to be left is left, and nothing of value would still fit."""
    chosen, counts = plan.chosen, plan.chosen.sum(axis=0)
    assert not chosen[problem.value <= 0].any()
    assert np.array_equal(problem.places - chosen.sum(axis=1), plan.places)
    assert (plan.places >= 0).all()
    spent = np.bincount(
        problem.manager, weights=chosen @ problem.minutes, minlength=len(problem.manager_minutes)
    )
    assert (spent <= problem.manager_minutes + 1e-6).all()
    assert np.allclose(plan.minutes, problem.manager_minutes - spent)
    assert (problem.needs @ counts <= problem.limits + 1e-6).all()
    assert np.array_equal(plan.missing, np.maximum(problem.minimum - problem.of_offer @ counts, 0))
    assert plan.value == pytest.approx(problem.value[chosen].sum(dtype=float))
    assert plan.value <= plan.bound
    room = (problem.needs <= plan.limits[:, None] + 1e-9).all(axis=0)
    fits = (problem.value > 0) & ~chosen & (plan.places > 0)[:, None] & room
    assert not (fits & (problem.minutes <= plan.minutes[problem.manager][:, None])).any()


def test_the_manager_calls_those_worth_most() -> None:
    plan = optimise(a_problem([[5], [9], [1], [7]], manager_minutes=np.array([13.0])))
    assert plan.chosen[:, 0].tolist() == [False, True, False, True]
    assert plan.value == 16
    # A minute more brings nothing until it is six of them; by the minute the third is worth 5/6.
    assert plan.prices.minutes[0] == pytest.approx(5 / 6, abs=0.01)


def test_a_scarce_offer_goes_where_the_other_one_is_worth_least() -> None:
    # Each customer by itself would take the first offer; it is enough for one of them.
    plan = optimise(a_problem([[10, 9], [8, 2]], maximum=np.array([1.0, np.inf])))
    assert plan.chosen.tolist() == [[False, True], [True, False]]
    assert plan.value == 17
    assert plan.bound == pytest.approx(17, rel=1e-4)
    assert 1 <= plan.prices.limits[1] <= 6


def test_a_minimum_is_met_at_the_least_loss() -> None:
    plan = optimise(a_problem([[10, 1], [10, 4], [10, 2]], minimum=np.array([0.0, 1.0])))
    assert plan.chosen[:, 1].tolist() == [False, True, False]
    assert plan.value == 24
    assert plan.prices.minimum[1] == pytest.approx(6, abs=2)


def test_a_minimum_that_cannot_be_met_says_how_many_are_missing() -> None:
    problem = a_problem([[10, 1], [10, 0], [10, 2]], minimum=np.array([0.0, 3.0]))
    plan = optimise(problem)
    check(problem, plan)
    assert plan.missing.tolist() == [0, 1]
    assert plan.value == 13


def test_the_budget_buys_the_most_for_its_money() -> None:
    problem = a_problem([[10, 4], [10, 4]], cost=np.array([10.0, 2.0]), minutes=np.zeros(2), budget=12.0)
    plan = optimise(problem)
    check(problem, plan)
    assert plan.value == 14


def test_history_counts_against_a_customers_contacts() -> None:
    plan = optimise(a_problem([[5, 4, 3]] * 3, places=np.array([0, 1, 2])))
    assert plan.chosen.tolist() == [[False] * 3, [True, False, False], [True, True, False]]


@pytest.mark.parametrize(
    "changes",
    [
        {"manager_minutes": np.array([0.0])},
        {"channel_capacity": np.array([0.0])},
        {"maximum": np.zeros(2)},
        {"budget": 0.0},
        {"places": np.zeros(3, dtype=np.int64)},
    ],
)
def test_without_capacity_nobody_is_contacted(changes: dict[str, Any]) -> None:
    plan = optimise(a_problem([[3, 2], [1, 5], [4, 4]], **changes))
    assert not plan.chosen.any()
    assert plan.value == 0
    assert plan.bound == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_nothing_to_choose_from_is_a_plan_of_nothing(shape: tuple[int, int]) -> None:
    plan = optimise(a_problem(np.zeros(shape), minimum=np.full(shape[1], 2.0)))
    assert (plan.chosen.shape, plan.value, plan.gap) == (shape, 0, 0)
    assert plan.missing.tolist() == [2.0] * shape[1]


def test_equal_values_fill_every_place_and_come_out_the_same_each_time() -> None:
    problem = a_problem(
        np.full((300, 4), 7.0),
        manager=np.arange(300) % 5,
        manager_minutes=np.full(5, 100.0),
        maximum=np.array([11.0, 20.0, 30.0, np.inf]),
    )
    plan, again = optimise(problem), optimise(problem)
    check(problem, plan)
    assert plan.chosen.sum() == 5 * 16
    assert np.array_equal(plan.chosen, again.chosen)
    assert plan.gap < 0.05


def test_managers_drawn_at_random_lead_to_the_prices_of_all() -> None:
    rng = np.random.default_rng(1)
    customers = 41_000
    value = rng.lognormal(3, 1, (customers, 4)).astype(np.float32)
    problem = a_problem(
        value,
        manager=rng.integers(0, 200, customers),
        manager_minutes=np.full(200, 400.0),
        maximum=np.array([1000.0, 5000.0, np.inf, np.inf]),
        minimum=np.array([0.0, 0.0, 0.0, 6000.0]),
    )
    plan = optimise(problem)
    check(problem, plan)
    assert not plan.missing.any()
    assert plan.gap < 0.003


def test_work_ends_when_progress_raises() -> None:
    def stop(share: float) -> None:
        raise InterruptedError(share)

    with pytest.raises(InterruptedError):
        optimise(drawn(0), stop)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"places": np.zeros(2, dtype=np.int64)}, "per customer"),
        ({"cost": np.array([1.0])}, "per option"),
        ({"minutes": np.array([np.nan, 1])}, "not negative"),
        ({"budget": -1.0}, "not negative"),
        ({"maximum": np.zeros(1)}, "per offer"),
    ],
)
def test_figures_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        a_problem(np.ones((3, 2)), **changes)


def _compare(problems: Iterable[Problem]) -> None:
    compared = []
    for number, problem in enumerate(problems):
        plan, best = optimise(problem), by_highs(problem)
        check(problem, plan)
        assert plan.missing.any() == (best is None), number
        if best is not None:
            assert 0.997 * best <= plan.value <= best * (1 + 1e-6), number
            assert plan.bound >= best * (1 - 1e-6), number
        compared.append(best is not None)
    assert np.mean(compared) > 0.6


def test_small_instances_come_within_three_in_a_thousand_of_the_optimum() -> None:
    _compare([*map(drawn, range(35)), *map(tied, range(15))])


@pytest.mark.slow
def test_more_small_instances_come_within_three_in_a_thousand_of_the_optimum() -> None:
    _compare([*map(drawn, range(35, 300)), *map(tied, range(15, 300))])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_limit_is_ever_exceeded(data: st.DataObject) -> None:
    customers, options = data.draw(st.integers(0, 12)), data.draw(st.integers(1, 4))
    managers, channels, offers = (data.draw(st.integers(1, 3)) for _ in range(3))
    amount = st.sampled_from([0.0, 1.0, 2.0, 2.5, 6.0, 13.0, 40.0, np.inf])

    def drawn_list(of: st.SearchStrategy[Any], size: int) -> Any:
        return np.array(data.draw(st.lists(of, min_size=size, max_size=size)))

    minimum = drawn_list(st.sampled_from([0.0, 0.0, 1.0, 3.0, 20.0]), offers)
    problem = a_problem(
        drawn_list(st.sampled_from([-1.0, 0.0, 1.0, 1.0, 2.0, 3.5, 1000.0]), customers * options).reshape(
            customers, options
        ),
        manager=drawn_list(st.integers(0, managers - 1), customers).astype(np.int64),
        places=drawn_list(st.integers(0, 3), customers).astype(np.int64),
        minutes=drawn_list(st.sampled_from([0.0, 1.0, 2.5, 6.0]), options),
        cost=drawn_list(st.sampled_from([0.0, 0.1, 3.0]), options),
        channel=drawn_list(st.integers(0, channels - 1), options),
        offer=drawn_list(st.integers(0, offers - 1), options),
        manager_minutes=drawn_list(amount, managers),
        channel_capacity=drawn_list(amount, channels),
        minimum=minimum,
        maximum=drawn_list(amount, offers),
        budget=float(data.draw(amount)),
    )
    plan = optimise(problem)
    check(problem, plan)
    if (problem.value > 0).any() and by_highs(problem) is None:
        assert plan.missing.any()
