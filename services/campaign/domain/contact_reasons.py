"""Why a contact was chosen or not, one code for each pair of customer and campaign."""

from collections.abc import Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from services.campaign.domain.contact_problem import Problem
from services.campaign.domain.optimise import Plan
from shared.contracts.campaign.optimisations import Why, WhyNot
from shared.contracts.campaign.vocabulary import SuppressionReason

REASONS: tuple[SuppressionReason, ...] = get_args(SuppressionReason)
WORDS: tuple[Why, ...] = ("chosen", *get_args(WhyNot), *REASONS)
CODES: Mapping[Why, int] = {word: code for code, word in enumerate(WORDS, start=1)}
"""0: the customer is not in the campaign's audience."""
_ROUNDING = 1e-9


def reasons_of(problem: Problem, plan: Plan) -> NDArray[np.uint8]:
    """(N, M) of codes. Of a contact that was not chosen the first limit that leaves no room for it: the
    customer's own, the manager's minutes, the channel, the campaign's maximum, the budget.
    """
    channels = problem.channel_capacity.size
    left = plan.limits[:, None] + _ROUNDING
    short = problem.needs > left
    by_manager = plan.minutes[problem.manager][:, None]
    reasons: list[tuple[Why, NDArray[np.bool_]]] = [
        ("chosen", plan.chosen),
        ("no_value", problem.value <= 0),
        ("customer_limit", (plan.places <= 0)[:, None]),
        ("manager_minutes", problem.minutes > by_manager + _ROUNDING),
        ("channel_capacity", np.asarray(short[:channels].any(axis=0))),
        ("quota_maximum", np.asarray(short[channels:-1].any(axis=0))),
        ("budget", short[-1]),
    ]
    found = np.zeros(problem.value.shape, dtype=np.uint8)
    for word, holds in reversed(reasons):
        found[np.broadcast_to(holds, found.shape)] = CODES[word]
    return found
