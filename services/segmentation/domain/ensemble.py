"""Cluster ensemble at the scale of a bank's customers (methods.md §3).

    labels = base_partitions(x, 20, seed=seed)
    groups = consensus_partition(labels, 8, seed)
    degree = membership_degree(labels, groups, 8)

Memory is O(N·m) small integers and O(N·k) floats; time is linear in N. The same seed gives the
same bits whatever the number of cores.
"""

from services.segmentation.domain.ensemble_base import base_partitions
from services.segmentation.domain.ensemble_consensus import consensus_partition
from services.segmentation.domain.ensemble_membership import (
    Doubt,
    cohesion,
    doubt,
    membership_degree,
    normalised,
)

__all__ = [
    "Doubt",
    "base_partitions",
    "cohesion",
    "consensus_partition",
    "doubt",
    "membership_degree",
    "normalised",
]
