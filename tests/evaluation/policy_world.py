"""Campaigns whose truth is known: outcomes by cell and arm, told as the statistics a store would deliver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.evaluation.domain.policies import Trial
from services.evaluation.domain.policy_value import FOLDS, Statistics, Weighted
from services.evaluation.domain.scripts import ScriptArm


@dataclass(frozen=True)
class World:
    """`means` (cells, arms) are the true outcomes; the last arm is the hold-out. `weights` of the cells."""

    means: np.ndarray
    shares: Mapping[str, float]
    weights: np.ndarray
    customers: int = 6_000
    spread: float = 10.0
    better: int = 1
    alpha: float = 0.05

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.shares)

    def statistics(self, rng: np.random.Generator, means: np.ndarray | None = None) -> Statistics:
        truth = self.means if means is None else means
        p = np.array(list(self.shares.values()))
        chances = np.outer(np.full(FOLDS, 1 / FOLDS), np.outer(self.weights, p).ravel()).ravel()
        n = rng.multinomial(self.customers, chances).reshape(FOLDS, *truth.shape).astype(float)
        mean = rng.normal(truth, self.spread / np.sqrt(np.maximum(n, 1)))
        m2 = self.spread**2 * rng.chisquare(np.maximum(n - 1, 1e-9))
        u = np.broadcast_to(1 / p, n.shape)
        seen = n > 0
        return Statistics(
            cells=tuple(f"c{i}" for i in range(truth.shape[0])),
            arms=self.arms,
            of=Weighted(
                n=n,
                mean_v=np.where(seen, mean * u, 0.0),
                m2_v=np.where(n > 1, m2 * u**2, 0.0),
                mean_u=np.where(seen, u, 0.0),
                m2_u=np.zeros_like(n),
                c_vu=np.zeros_like(n),
            ),
        )

    def trial(self, by: Mapping[str, Statistics], arms: Sequence[ScriptArm]) -> Trial:
        return Trial(by, arms, self.shares, self.better, self.alpha)

    def worth(self, policy: np.ndarray) -> float:
        """True value per customer of the audience; `policy` (cells, arms)."""
        return float(self.weights @ (policy * self.means).sum(axis=1))

    def today(self) -> np.ndarray:
        shares = np.array([share if arm else 0.0 for arm, share in self.shares.items()])
        return np.tile(shares / shares.sum(), (len(self.weights), 1))


def of_customers(
    fold: np.ndarray, cell: np.ndarray, arm: np.ndarray, y: np.ndarray, p: np.ndarray, arms: tuple[str, ...]
) -> Statistics:
    """Statistics of customers given one by one, by two passes; what a store says must equal them."""
    shape = (FOLDS, int(cell.max()) + 1, len(arms))
    of = {name: np.zeros(shape) for name in ("n", "mean_v", "m2_v", "mean_u", "m2_u", "c_vu")}
    for place in np.ndindex(shape):
        here = (fold == place[0]) & (cell == place[1]) & (arm == place[2])
        if here.any():
            v, u = y[here] / p[here], 1 / p[here]
            dv, du = v - v.mean(), u - u.mean()
            found = (here.sum(), v.mean(), dv @ dv, u.mean(), du @ du, dv @ du)
            for name, value in zip(of, found, strict=True):
                of[name][place] = value
    return Statistics(cells=tuple(f"c{i}" for i in range(shape[1])), arms=arms, of=Weighted(**of))
