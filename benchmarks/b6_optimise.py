"""B6: the contact optimiser, against the bound of its own prices, HiGHS, PDLP and its own growth.

Half of 32 options are calls of six minutes, half messages; a manager has 300 customers and forty calls.
HiGHS (20,000 customers) and PDLP (100,000, to a thousandth) solve the linear relaxation of the same: less
than the optimiser has to do.
"""

import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csc_array, vstack

from benchmarks.figure import at_most
from benchmarks.pdlp import Programme, by_pdlp
from benchmarks.workplace import Workplace
from services.campaign.domain.contact_problem import Problem
from services.campaign.domain.optimise import Plan, optimise

OFFERS = 16
PER_MANAGER = 300
BY_HIGHS, BY_PDLP = 20_000, 100_000
GAP = 0.003
FASTER = {"HiGHS": 1 / 20, "PDLP": 1 / 2}
GROWTH = 1.5


async def run(_place: Workplace, size: int) -> list[dict[str, Any]]:
    """Gap; seconds over those of HiGHS (20,000 customers) or PDLP (100,000); growth over a tenth."""
    problem = _bank(size)
    plan, seconds = _timed(problem)
    fewer, tenth = _timed(_bank(size // 10))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = f"{seconds:.2f} s, {plan.chosen.sum():,} contacts, peak {peak:,.0f} MiB"
    rows = [
        at_most("gap to the bound", measured, f"bound {plan.bound:,.0f}", max(plan.gap, fewer.gap), GAP),
        at_most(
            "growth over linear", f"{seconds:.2f} s", f"a tenth {tenth:.2f} s", seconds / tenth / 10, GROWTH
        ),
    ]
    if size == BY_HIGHS:
        rows += _compare("HiGHS", plan, seconds, *_highs(_relaxed(problem)))
    if size == BY_PDLP:
        solved = by_pdlp(_relaxed(problem))
        rows += _compare("PDLP", plan, seconds, -solved.bound, solved.seconds)
    return rows


def _compare(
    solver: str, plan: Plan, seconds: float, value: float, against: float
) -> Iterator[dict[str, Any]]:
    yield at_most(
        f"seconds against {solver}",
        f"{seconds:.2f} s",
        f"{solver} {against:.2f} s",
        seconds / against,
        FASTER[solver],
    )
    short = max(0.0, 1 - plan.value / value)
    yield at_most(f"value against {solver}", f"{plan.value:,.0f}", f"{value:,.0f}", short, GAP)


def _timed(problem: Problem) -> tuple[Plan, float]:
    began = time.perf_counter()
    plan = optimise(problem)
    return plan, time.perf_counter() - began


def _bank(size: int) -> Problem:
    """Values of a bank: few customers are worth much, most hardly ever accept, three in ten are not asked."""
    rng = np.random.default_rng(6)
    channel = np.tile([0, 1], OFFERS)
    managers = max(1, size // PER_MANAGER)
    worth, wealth = rng.lognormal(5, 0.6, OFFERS), rng.lognormal(0, 0.8, size)
    called = (worth * wealth[:, None] * rng.beta(1.2, 25, (size, OFFERS))).astype(np.float32)
    value = np.empty((size, 2 * OFFERS), dtype=np.float32)
    value[:, channel == 0], value[:, channel == 1] = called, 0.35 * called
    value[rng.random(value.shape, dtype=np.float32) < 0.3] = 0
    minimum = np.zeros(OFFERS)
    minimum[:3] = size // 50
    return Problem(
        value=value,
        manager=rng.integers(0, managers, size),
        places=rng.integers(0, 3, size),
        minutes=np.where(channel == 0, 6.0, 0.0),
        cost=np.where(channel == 0, 9.0, 0.1),
        channel=channel,
        offer=np.repeat(np.arange(OFFERS), 2),
        manager_minutes=np.full(managers, 240.0),
        channel_capacity=np.array([np.inf, 0.3 * size]),
        minimum=minimum,
        maximum=np.full(OFFERS, 0.05 * size),
        budget=1.3 * size,
    )


def _relaxed(problem: Problem) -> Programme:
    """The linear relaxation."""
    row, option = np.nonzero(problem.value > 0)
    size, ones = np.arange(row.size), np.ones(row.size)
    channels = len(problem.channel_capacity)
    sums = [
        (row, ones, len(problem.places)),
        (problem.manager[row], problem.minutes[option], len(problem.manager_minutes)),
        (problem.channel[option], ones, channels),
        (problem.offer[option], ones, OFFERS),
        (np.zeros(row.size, dtype=np.int64), problem.cost[option], 1),
    ]
    matrix = vstack(
        [coo_array((weight, (index, size)), shape=(height, row.size)) for index, weight, height in sums]
    )
    high = np.concatenate([problem.places, problem.manager_minutes, problem.limits])
    low = np.full(high.size, -np.inf)
    low[-1 - OFFERS : -1] = problem.minimum
    return Programme(-problem.value[row, option].astype(np.float64), csc_array(matrix), low, high)


def _highs(programme: Programme) -> tuple[float, float]:
    """Optimum of the linear relaxation, and the seconds it took."""
    began = time.perf_counter()
    found = milp(
        programme.cost,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(programme.matrix, programme.low, programme.high),
    )
    if found.fun is None:
        raise RuntimeError(found.message)
    return -float(found.fun), time.perf_counter() - began
