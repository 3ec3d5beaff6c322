"""A small bank some of whose customers leave after signs that a model can learn."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

PERIOD = 30
"""Days: the horizon of the models, and how long signs show before somebody leaves."""
_PERIODS = 4


@dataclass
class World:
    """Customers 0..size-1. Ages are days before now."""

    size: int
    holdings: list[tuple[int, Decimal, int]] = field(default_factory=list)
    """Customer, balance, age."""
    events: list[tuple[int, str, float, dict[str, str]]] = field(default_factory=list)
    """Customer, type, age, data."""
    leaving: set[int] = field(default_factory=set)
    """Who shows signs now."""
    left: dict[int, int] = field(default_factory=dict)
    """In which period before now (0 the last) who left."""


def make_world(size: int = 700, seed: int = 5) -> World:
    """One customer in six shows signs in a period (a complaint, hardly a login); four in five of those leave
    in the next one, and one in forty of the others.
    """
    rng = np.random.default_rng(seed)
    world = World(size)
    balances = np.round(rng.lognormal(10, 0.7, size), 2) + 2_000
    for customer in range(size):
        world.holdings.append((customer, Decimal(f"{balances[customer]:.2f}"), PERIOD * (_PERIODS + 3)))
    signs = np.zeros(size, dtype=np.bool_)
    here = np.ones(size, dtype=np.bool_)
    for period in reversed(range(_PERIODS)):
        chance = np.where(signs, 0.8, 0.025)
        leaves = here & (rng.random(size) < chance)
        signs = here & ~leaves & (rng.random(size) < 1 / 6)
        for customer in np.flatnonzero(here):
            _live(world, rng, int(customer), period, leaves[customer], signs[customer])
        for customer in np.flatnonzero(leaves):
            world.left[int(customer)] = period
        here &= ~leaves
    world.leaving = {int(customer) for customer in np.flatnonzero(signs)}
    return world


def _live(
    world: World, rng: np.random.Generator, customer: int, period: int, leaves: np.bool_, signs: np.bool_
) -> None:
    """One customer's events in the period that ended `period` periods ago."""

    def at() -> float:
        return PERIOD * period + float(rng.uniform(0.5, PERIOD - 0.5))

    if leaves:
        world.holdings.append((customer, Decimal("10.00"), PERIOD * period + PERIOD // 2))
        return
    for _ in range(rng.integers(3, 7)):
        amount = f"{rng.gamma(2, 100) + 1:.2f}"
        world.events.append((customer, "transaction.posted", at(), {"amount": amount, "direction": "in"}))
    for _ in range(rng.integers(0, 2) if signs else rng.integers(2, 6)):
        world.events.append((customer, "login", at(), {"channel": "mobile"}))
    if signs and rng.random() < 0.85:
        world.events.append((customer, "complaint.filed", at(), {}))


def day_of(today: date, age: int) -> date:
    return today - timedelta(days=age)
