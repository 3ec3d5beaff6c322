"""How much a customer belongs to each group: exact mean co-association without an N×N matrix."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.segmentation.domain.ensemble_labels import (
    BLOCK,
    MISSING,
    LabelSet,
    chunks,
    label_set,
    within,
)
from services.segmentation.domain.ensemble_threads import side_by_side

Floats = NDArray[np.float64]


def membership_degree(labels: ArrayLike, consensus: ArrayLike, k: int) -> Floats:
    """(N, k) in [0, 1]: the mean co-association of a customer with the members of each group.

    The co-association of two customers is the share of partitions in which they are together;
    `labels` (m, N) and `consensus` (N,), 0..k−1, may be made anywhere. −1 in `labels`: the
    partition does not know the customer; the mean then goes over the partitions that know it,
    and over the members those know. −1 in `consensus`: in no group. An empty group has degree 0.

    Exactly (1/m) Σ_p T_p[label_p(i), C] / |C| with T_p the contingency of partition p with the
    consensus (methods.md §3): O(N·m·k) time, O(N·k) memory. Raises `ValueError` when shapes do
    not agree or labels are out of range.
    """
    found = label_set(labels)
    groups = _groups(consensus, k, found.customers)
    shares = _shares(found, groups, k)
    works = [partial(_degrees, found, shares, each) for each in chunks(found.customers, BLOCK)]
    return np.concatenate(side_by_side(works))


def _degrees(labels: LabelSet, shares: Floats, customers: slice) -> Floats:
    found = [labels.summed(shares, each) / _partitions_of(labels, each) for each in within(customers)]
    return np.concatenate(found)


def _partitions_of(labels: LabelSet, customers: slice) -> Floats:
    """How many partitions know each customer: one figure where all do, else (n, 1)."""
    if labels.complete:
        return np.full((1, 1), float(labels.partitions))
    return labels.summed(np.where(labels.real, 1.0, 0.0)[:, None], customers)


def _groups(consensus: ArrayLike, k: int, customers: int) -> NDArray[np.intp]:
    groups = np.asarray(consensus)
    if groups.shape != (customers,):
        raise ValueError(f"the consensus has the shape ({customers},), not {groups.shape}")
    if groups.dtype.kind not in "iu":
        raise ValueError(f"the consensus is integers, not {groups.dtype}")
    if groups.min() < MISSING or groups.max() >= k:
        raise ValueError(f"the consensus has labels from 0 to {k - 1}, and -1 for none")
    return groups.astype(np.intp)


def _shares(labels: LabelSet, groups: NDArray[np.intp], k: int) -> Floats:
    """(width, k): the share of a group's members, of those the partition knows, in each base cluster."""
    members = np.zeros((labels.width, k + 1))
    column = np.where(groups == MISSING, k, groups)
    for chosen in chunks(labels.customers, BLOCK):
        for partition, row in enumerate(labels.labels[:, chosen]):
            slots = labels.slots(partition)
            pairs = np.bincount(row * np.intp(k + 1) + column[chosen], minlength=members[slots].size)
            members[slots] += pairs.reshape(-1, k + 1)
    members[~labels.real] = 0
    shares = members[:, :k]
    for partition in range(labels.partitions):
        known = shares[labels.slots(partition)]
        known /= np.maximum(known.sum(axis=0), 1.0)
    return np.ascontiguousarray(shares)


def normalised(degree: Floats) -> Floats:
    """Rows that sum to 1: how a customer's belonging is split between the groups."""
    total = degree.sum(axis=1, keepdims=True)
    split = np.full_like(degree, 1 / degree.shape[1])
    np.divide(degree, total, out=split, where=total > 0)
    return split


def cohesion(degree: Floats, consensus: NDArray[np.integer]) -> Floats:
    """(N,) the raw degree in the customer's own group, 0 where it has none."""
    own = degree[np.arange(len(degree)), np.maximum(consensus, 0)]
    return np.where(consensus == MISSING, 0.0, own)


@dataclass(frozen=True)
class Doubt:
    """`borderline`: nearly as much in a second group. `outlier`: hardly in its own, against its fellows."""

    borderline: NDArray[np.bool_]
    outlier: NDArray[np.bool_]


def doubt(degree: Floats, consensus: NDArray[np.integer], margin: float = 0.1) -> Doubt:
    """Customers whose label should not be taken for granted.

    `borderline`: the two highest normalised degrees differ by less than `margin`. `outlier`: the
    cohesion is below the group's lower fence (first quartile − 1.5 interquartile ranges, Tukey).
    Customers without a group are outliers.
    """
    split = normalised(degree)
    if split.shape[1] > 1:
        highest = np.partition(split, -2, axis=1)[:, -2:]
        borderline = highest[:, 1] - highest[:, 0] < margin
    else:
        borderline = np.zeros(len(split), dtype=np.bool_)
    own = cohesion(degree, consensus)
    fence = np.full(degree.shape[1], 0.0)
    for group in np.unique(consensus[consensus != MISSING]):
        lower, upper = np.quantile(own[consensus == group], [0.25, 0.75])
        fence[group] = lower - 1.5 * (upper - lower)
    outlier = (consensus == MISSING) | (own < fence[np.maximum(consensus, 0)])
    return Doubt(borderline, outlier)
