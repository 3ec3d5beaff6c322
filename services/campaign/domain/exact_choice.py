"""The best plan there is, where options are few: the integer programme itself, solved by HiGHS.

With few contacts rounding weighs, above all where many are worth the same: prices alone do not tell which of
them to choose.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, hstack, vstack

from services.campaign.domain.contact_prices import Block
from services.campaign.domain.contact_problem import Floats, Integers, Problem

FEW = 20_000
"""Options up to which it takes seconds."""
_CLOSE = 1e-4
"""Share of the value up to which the best is found."""
_NODES = 200
"""Branches looked at, so that it ends; a limit of time would not give the same plan each time."""


@dataclass(frozen=True)
class Best:
    """Contacts as rows of the block and options. bound: no plan has a higher value less penalty."""

    rows: Integers
    options: Integers
    bound: float


def best_choice(problem: Problem, block: Block, penalty: float) -> Best | None:
    """`penalty`: what each customer costs whom a minimum lacks. None if no plan was found in time."""
    rows, options = np.nonzero((block.value > 0) & (block.places > 0)[:, None])
    if not rows.size:
        return None
    lacking = block.minimum.size
    value = np.concatenate([block.value[rows, options].astype(np.float64), np.full(lacking, -penalty)])
    found = milp(
        -value,
        integrality=np.concatenate([np.ones(rows.size), np.zeros(lacking)]),
        bounds=Bounds(0, np.concatenate([np.ones(rows.size), np.maximum(block.minimum, 0)])),
        constraints=list(_constraints(problem, block, rows, options)),
        options={"node_limit": _NODES, "mip_rel_gap": _CLOSE},
    )
    if found.x is None or found.mip_dual_bound is None:
        return None
    chosen = found.x[: rows.size] > 0.5
    return Best(rows[chosen], options[chosen], -float(found.mip_dual_bound))


def _constraints(
    problem: Problem, block: Block, rows: Integers, options: Integers
) -> Iterator[LinearConstraint]:
    """Over the contacts, and then over what each minimum lacks."""
    size, ones = rows.size, np.ones(rows.size)
    managers = _sums(block.manager[rows], problem.minutes[options], block.manager_minutes.size)
    finite = np.isfinite(block.limits)
    most = vstack(
        [
            _sums(rows, ones, block.places.size),
            managers,
            coo_array(problem.needs[np.ix_(finite, options)]),
        ]
    )
    lacking = block.minimum.size
    none = coo_array((most.shape[0], lacking))
    limits = np.concatenate([block.places, block.manager_minutes, block.limits[finite]])
    yield LinearConstraint(hstack([most, none]).tocsr(), -np.inf, limits)
    if lacking:
        of_offer = coo_array((ones, (problem.offer[options], np.arange(size))), shape=(lacking, size))
        least = hstack([of_offer, coo_array(np.eye(lacking))]).tocsr()
        yield LinearConstraint(least, block.minimum, np.inf)


def _sums(index: Integers, weight: Floats, height: int) -> coo_array:
    """A row for each of `height`, with the weights of the contacts that are its."""
    return coo_array((weight, (index, np.arange(index.size))), shape=(height, index.size))
