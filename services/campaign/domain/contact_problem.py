"""Which campaign contacts which customer: the problem, in arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

Progress = Callable[[float], None]
"""Told the share that is done; may raise to end the work."""


@dataclass(frozen=True)
class Problem:
    """N customers × M options; an option is a campaign (offer) on a channel. Limits may be infinite.

    value: (N, M) expected value of the contact in money; 0 or less where it is not possible.
    manager: (N,) index of the customer's manager, below G. places: (N,) contacts a customer may have.
    minutes, cost: (M,) of one contact. channel, offer: (M,) indices below C and Q.
    manager_minutes: (G,). channel_capacity: (C,) contacts. minimum, maximum: (Q,) contacts. budget: money.
    """

    value: Singles
    manager: Integers
    places: Integers
    minutes: Floats
    cost: Floats
    channel: Integers
    offer: Integers
    manager_minutes: Floats
    channel_capacity: Floats
    minimum: Floats
    maximum: Floats
    budget: float = np.inf

    def __post_init__(self) -> None:
        """ValueError for shapes that do not fit and for figures that are no amounts."""
        customers, options = self.value.shape
        if not self.manager.shape == self.places.shape == (customers,):
            raise ValueError("manager and places need one entry per customer")
        if {each.shape for each in (self.minutes, self.cost, self.channel, self.offer)} != {(options,)}:
            raise ValueError("minutes, cost, channel and offer need one entry per option")
        if self.minimum.shape != self.maximum.shape:
            raise ValueError("minimum and maximum need one entry per offer")
        amounts = [self.minutes, self.cost, self.manager_minutes, self.channel_capacity]
        for each in (*amounts, self.minimum, self.maximum, np.array([self.budget])):
            if np.isnan(each).any() or (each < 0).any():
                raise ValueError("minutes, costs and limits are not negative")
        if not np.isfinite(self.value).all():
            raise ValueError("values are finite")

    @cached_property
    def limits(self) -> Floats:
        """(R,) right sides of the global limits: channels, offers' maxima, budget."""
        return np.concatenate([self.channel_capacity, self.maximum, [self.budget]])

    @cached_property
    def needs(self) -> Floats:
        """(R, M): what one contact of each option takes of each global limit."""
        channels = np.arange(self.channel_capacity.size)[:, None] == self.channel
        needs: Floats = np.concatenate([channels, self.of_offer, self.cost[None, :]]).astype(np.float64)
        return needs

    @cached_property
    def of_offer(self) -> Floats:
        """(Q, M): 1 where the option is of the offer."""
        same: Flags = np.arange(self.minimum.size)[:, None] == self.offer
        return same.astype(np.float64)


@dataclass(frozen=True)
class Prices:
    """Lagrange multipliers: what one unit more of each limit adds to the value.

    limits: (R,) in the order of `Problem.limits`. minimum: (Q,) what one contact less demanded would free.
    minutes: (G,) of one minute of each manager. bound: no plan is worth more.
    """

    limits: Floats
    minimum: Floats
    minutes: Floats
    bound: float

    def of_options(self, problem: Problem) -> Floats:
        """(M,) price of one contact, its manager's minutes apart."""
        price: Floats = self.limits @ problem.needs - self.minimum @ problem.of_offer
        return price
