"""Contact optimisation: the most value within what managers, channels, offers and the budget allow.

Method: Lagrangian relaxation with a primal repair (Fisher, *Management Science* 27, 1981). Time and memory
are linear in the number of options. Where options are few, and the plan is not as good as its bound promises,
the best plan itself is looked for (`exact_choice`).
"""

from dataclasses import dataclass

import numpy as np

from services.campaign.domain.contact_choice import Choice
from services.campaign.domain.contact_prices import Block, block_of, find_prices, penalty_of
from services.campaign.domain.contact_problem import Flags, Floats, Integers, Prices, Problem, Progress
from services.campaign.domain.exact_choice import FEW, best_choice

_PRICED = 0.85
_ENOUGH = 1e-3
"""Share of the bound up to which a plan of few options is not looked at again."""
_SAFE = 1e-6
"""Share added to the bound for what single precision may have lost."""


@dataclass(frozen=True)
class Plan:
    """chosen: (N, M). bound: no plan that lacks as few is worth more. missing: (Q,) customers minima lack.
    What is left: places (N,), minutes (G,), limits (R,) in the order of `Problem.limits`.
    """

    chosen: Flags
    value: float
    bound: float
    missing: Floats
    prices: Prices
    places: Integers
    minutes: Floats
    limits: Floats

    @property
    def gap(self) -> float:
        """At most so much is missing to the best plan, as a share of the bound."""
        return max(0.0, (self.bound - self.value) / self.bound) if self.bound > 0 else 0.0


def optimise(problem: Problem, progress: Progress = lambda _share: None) -> Plan:
    """The plan, the same one whenever the same is asked. Minima are met as far as they can be."""
    order = np.argsort(problem.manager, kind="stable")
    block = block_of(problem, order)
    prices = find_prices(problem, block, lambda share: progress(_PRICED * share))
    penalty = penalty_of(problem)
    choice = Choice(problem, block, prices, penalty).make(prices)
    bound = prices.bound
    if problem.value.size <= FEW and choice.score < bound - _ENOUGH * abs(bound):
        choice, bound = _better(problem, block, prices, penalty, choice)
    progress(1.0)
    chosen = np.zeros_like(choice.chosen)
    chosen[order] = choice.chosen
    places = np.zeros_like(choice.places)
    places[order] = choice.places
    missing = np.maximum(choice.missing, 0.0)
    minutes = chosen @ problem.minutes
    spent = np.bincount(problem.manager, weights=minutes, minlength=problem.manager_minutes.size)
    # The prices bound the value less the penalty for what is missing.
    bound += penalty * float(missing.sum())
    return Plan(
        chosen,
        choice.value,
        max(bound + _SAFE * abs(bound), choice.value),
        missing,
        prices,
        places,
        problem.manager_minutes - spent,
        choice.limits,
    )


def _better(
    problem: Problem, block: Block, prices: Prices, penalty: float, choice: Choice
) -> tuple[Choice, float]:
    """The best plan, if it is found, and how much better one there could be at most."""
    best = best_choice(problem, block, penalty)
    if best is None:
        return choice, prices.bound
    other = Choice(problem, block, prices, penalty).follow(best.rows, best.options)
    return max(choice, other, key=lambda each: each.score), min(prices.bound, best.bound)
