"""Which tier a customer belongs to: thresholds with hysteresis and a minimum stay (methods.md §5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""No tier yet."""

_PARKED = -2
"""-2 and below: merged into another customer; the tier it comes back with is -2 minus this."""


@dataclass(frozen=True)
class Ladder:
    """Tiers 0..K-1. `upgrade` and `downgrade` (K-1,) are the thresholds of tiers 1..K-1, ascending, each
    downgrade at most its upgrade. `stay` in days.
    """

    upgrade: Sequence[float]
    downgrade: Sequence[float]
    stay: int = 0


@dataclass
class Standing:
    """Customers' tiers, columns of one length. `since`: business date in days since 1970-01-01;
    `direction`: 1 entered or last moved up, -1 last moved down.
    """

    tier: NDArray[np.int8]
    since: NDArray[np.int32]
    direction: NDArray[np.int8]

    @classmethod
    def empty(cls, size: int) -> "Standing":
        return cls(
            np.full(size, NONE, dtype=np.int8), np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.int8)
        )

    def at(self, places: NDArray[np.integer]) -> "Standing":
        return Standing(self.tier[places], self.since[places], self.direction[places])

    def put(self, places: NDArray[np.integer], tier: NDArray[np.int8], today: int) -> None:
        """These customers move to `tier` today."""
        before = np.maximum(self.tier[places], NONE)
        self.direction[places] = np.where(tier >= before, 1, -1)
        self.tier[places] = tier
        self.since[places] = today


@dataclass(frozen=True)
class Moves:
    """Who moves from which tier to which, by ascending ordinal. `values` decided; NaN where none did."""

    ordinals: NDArray[np.uint32]
    before: NDArray[np.int8]
    after: NDArray[np.int8]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ordinals)

    def where(self, mask: NDArray[np.bool_]) -> "Moves":
        return Moves(self.ordinals[mask], self.before[mask], self.after[mask], self.values[mask])

    def counts(self) -> dict[str, int]:
        """By direction: entered, up, down, left; only those that there are."""
        before, after = self.before, self.after
        masks = {
            "entered": before == NONE,
            "up": (before != NONE) & (after > before),
            "down": (after != NONE) & (after < before),
            "left": after == NONE,
        }
        return {name: int(mask.sum()) for name, mask in masks.items() if mask.any()}


def decide(
    ladder: Ladder, standing: Standing, values: NDArray[np.float64], today: int
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """The tier of each customer (N,) by `values` (N,), and who would move but for the minimum stay.

    Up to the highest tier whose upgrade threshold is reached; down to the highest whose downgrade threshold
    is still reached. A tier is kept `stay` days before it is lost, and who was downgraded waits as long
    before going up. Who has no tier enters by the upgrade thresholds, at once. An unknown value (NaN) moves
    nobody, and enters at the bottom.
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, -np.inf)
    reached = np.searchsorted(np.asarray(ladder.upgrade, dtype=np.float64), filled, side="right")
    kept = np.searchsorted(np.asarray(ladder.downgrade, dtype=np.float64), filled, side="right")
    present = standing.tier
    wanted = np.where(reached > present, reached, np.minimum(kept, present)).astype(np.int8)
    entering = present < 0
    wanted = np.where(entering | known, wanted, present)
    wanted = np.where(entering, reached, wanted).astype(np.int8)
    settled = today - standing.since >= ladder.stay
    turning = (wanted < present) | ((wanted > present) & (standing.direction < 0))
    held = turning & ~entering & ~settled
    return np.where(held, present, wanted).astype(np.int8), held


def crossed(ladder: Ladder, before: int, after: int) -> float | None:
    """The threshold behind a move; entering the lowest tier crosses none."""
    if after > max(before, 0):
        return float(ladder.upgrade[after - 1])
    if 0 <= after < before:
        return float(ladder.downgrade[after])
    return None


def parked(tier: NDArray[np.int8]) -> NDArray[np.int8]:
    """The tier put away while its customer is merged into another; again it comes out as it was."""
    return np.where(tier == NONE, NONE, _PARKED - tier).astype(np.int8)


def is_parked(tier: NDArray[np.int8]) -> NDArray[np.bool_]:
    return tier <= _PARKED
