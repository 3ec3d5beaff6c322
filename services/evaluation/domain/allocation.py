"""Shares between arms for the next round: top-two Thompson sampling with a floor.

Russo, "Simple Bayesian Algorithms for Best-Arm Identification", Operations Research 2020. Half of the
customers go where the arm is likely to be best, the other half where it is likely to be the best of the
rest, so that the runner-up keeps being compared. The floor keeps every arm measurable: an arm with
probability zero could never be estimated again. The hold-out is none of the arms and stays what it was. The
shares are the propensities under which the next round assigns, and which its contacts log.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DRAWS = 20_000
LARGEST_FLOOR = 0.1
_LEADER = 0.5
_PLACES = 4


@dataclass(frozen=True, slots=True)
class ArmMoments:
    """Outcomes of one arm: `n` customers, their mean, and Σ(y − ȳ)²."""

    arm: str
    n: int
    mean: float
    m2: float


@dataclass(frozen=True, slots=True)
class ArmShare:
    """One arm of the next round.

    `share` is of all customers, hold-out included; `best` the probability that no arm is better;
    `expected_loss` what giving the arm to everybody is expected to lose against the best, in the outcome's
    unit per customer.
    """

    arm: str
    share: float
    best: float
    expected_loss: float


def default_floor(arms: int) -> float:
    """A tenth of the treated, or less where so many arms leave no room to learn."""
    return min(LARGEST_FLOOR, 1 / (2 * arms))


def allocate(
    arms: Sequence[ArmMoments],
    kind: Literal["mean", "proportion"],
    better: int,
    *,
    hold_out: float,
    floor: float | None = None,
    draws: int = DRAWS,
) -> list[ArmShare]:
    """Shares p = (1 − hold-out)·(f + (1 − k·f)·w) of k arms, in the order given.

    `better` is 1 when more is better, −1 when less is; `floor` a share of the treated. Posteriors are normal
    around means and beta on proportions, under flat priors. The same input always gives the same shares: the
    seed of the Monte Carlo is its hash. ValueError without arms, with a floor that k arms cannot have
    (k·f > 1), and with an arm of fewer than two customers, of whom nothing is known.
    """
    if not arms or any(arm.n < 2 for arm in arms):
        raise ValueError("every arm needs two customers or more whose outcome is known")
    least = default_floor(len(arms)) if floor is None else floor
    if not 0 <= least * len(arms) <= 1:
        raise ValueError(f"{len(arms)} arms cannot have {least:g} of the treated each")
    drawn = better * _posterior(arms, kind, draws, np.random.default_rng(_seed(arms, kind, better)))
    best = _probabilities(drawn.argmax(axis=0), len(arms))
    shares = least + (1 - len(arms) * least) * top_two(best)
    loss = (drawn.max(axis=0) - drawn).mean(axis=1)
    return [
        ArmShare(arm.arm, share, float(chance), float(lost))
        for arm, share, chance, lost in zip(arms, _rounded(shares, 1 - hold_out), best, loss, strict=True)
    ]


def top_two(best: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance of each arm to be drawn, w, from its probability of being best: as the leader, or as the first
    other one that comes up when the leader is set aside.

    Of two arms the other one is always the runner-up, so that they would share evenly whatever is known:
    there w is the probability of being best itself, and the floor alone keeps the comparison going.
    """
    if best.size <= 2:
        return best
    odds = best / (1 - best)
    return np.asarray(best * (_LEADER + (1 - _LEADER) * (odds.sum() - odds)), dtype=np.float64)


def _posterior(
    arms: Sequence[ArmMoments], kind: str, draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(arms, draws) values of the arms' means."""
    n = np.array([arm.n for arm in arms], dtype=np.float64)[:, None]
    mean = np.array([arm.mean for arm in arms])[:, None]
    if kind == "proportion":
        hits = np.clip(np.rint(mean * n), 0, n)
        return rng.beta(1 + hits, 1 + n - hits, size=(len(arms), draws))
    error = np.sqrt(np.array([arm.m2 for arm in arms])[:, None] / (n - 1) / n)
    return rng.normal(mean, error, size=(len(arms), draws))


def _probabilities(winners: NDArray[np.intp], arms: int) -> NDArray[np.float64]:
    """Shares of the draws an arm won; one draw is added to each, for none is impossible."""
    counts = np.bincount(winners, minlength=arms) + 1.0
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _rounded(shares: NDArray[np.float64], treated: float) -> list[float]:
    """Shares of all customers to four places that add up to `treated`: the largest takes what is left."""
    rounded = [round(float(share) * treated, _PLACES) for share in shares]
    largest = int(np.argmax(shares))
    others = sum(share for index, share in enumerate(rounded) if index != largest)
    rounded[largest] = round(treated - others, 12)
    return rounded


def _seed(arms: Sequence[ArmMoments], kind: str, better: int) -> int:
    content = repr((kind, better, [astuple(arm) for arm in arms]))
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big")
