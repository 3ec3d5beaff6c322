"""Strategic groups split again for one campaign (row S9): a customer may be in several tactical ones."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.ensemble_base import base_partitions
from services.segmentation.domain.ensemble_consensus import consensus_partition
from services.segmentation.domain.ensemble_membership import membership_degree, normalised
from services.segmentation.domain.ensemble_threads import Progress
from services.segmentation.domain.preparation import Preparation, prepared

Features = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Split:
    """One way to look at the members: `features` (columns of length N, NaN where unknown) in `k` parts."""

    name: str
    features: Features
    k: int


@dataclass(frozen=True)
class TacticalGroup:
    """Part `part` (1..k, by falling size) of a strategic group in one split.

    `members` (N,) mask: all whose normalised degree reaches the threshold, and those of whom it
    is the best part. `degree` (N,): 0 outside the strategic group.
    """

    strategic: int
    split: str
    part: int
    members: NDArray[np.bool_]
    degree: NDArray[np.float32]


@dataclass(frozen=True)
class Tactical:
    """`preparation`: of each (strategic group, split), to look at tomorrow's members the same way."""

    groups: tuple[TacticalGroup, ...]
    preparation: dict[tuple[int, str], dict[str, Preparation]]


def tactical(
    strategic: NDArray[np.integer],
    chosen: Collection[int],
    splits: Sequence[Split],
    *,
    threshold: float = 0.3,
    seed: int = 0,
    m: int = 20,
    progress: Progress | None = None,
) -> Tactical:
    """Each `chosen` group of `strategic` (N,) is split by each of `splits`, on its members only.

    A member is in every part to which it belongs by at least `threshold` (normalised degree,
    above 0 to 1) and always in its best one; 1 makes the parts of a split disjoint. Raises
    `ValueError` for groups nobody is in, repeated names and parts that cannot be told apart.
    """
    if not chosen or not splits:
        raise ValueError("a strategic group and a split are needed")
    if not 0 < threshold <= 1:
        raise ValueError("the threshold is above 0 and at most 1")
    if len({split.name for split in splits}) < len(splits):
        raise ValueError("each split needs its own name")
    groups: list[TacticalGroup] = []
    preparation = {}
    pairs = [(number, split) for number in chosen for split in splits]
    for done, (number, split) in enumerate(pairs):
        parts, how = _parts(strategic, number, split, threshold, seed, m)
        groups += parts
        preparation[number, split.name] = how
        if progress is not None:
            progress((done + 1) / len(pairs))
    return Tactical(tuple(groups), preparation)


def _parts(
    strategic: NDArray[np.integer], number: int, split: Split, threshold: float, seed: int, m: int
) -> tuple[list[TacticalGroup], dict[str, Preparation]]:
    members = np.flatnonzero(strategic == number)
    if members.size < split.k:
        raise ValueError(f"group {number} has {members.size} customers, too few for {split.k} parts")
    how, x = prepared({name: values[members] for name, values in split.features.items()})
    labels = base_partitions(x, m, (split.k, 3 * split.k), seed)
    best = consensus_partition(labels, split.k, seed)
    degree = normalised(membership_degree(labels, best, split.k))
    inside = degree >= threshold
    inside[np.arange(len(best)), best] = True
    parts = []
    for part in range(split.k):
        mask = np.zeros(len(strategic), dtype=np.bool_)
        mask[members[inside[:, part]]] = True
        spread = np.zeros(len(strategic), dtype=np.float32)
        spread[members] = degree[:, part]
        parts.append(TacticalGroup(number, split.name, part + 1, mask, spread))
    return parts, how
