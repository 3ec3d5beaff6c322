"""How much sets of customers have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyroaring import BitMap


@dataclass(frozen=True)
class Overlap:
    """Square matrices in the order of the sets. Null where a ratio has nothing below it."""

    counts: list[list[int]]
    jaccard: list[list[float | None]]
    lift: list[list[float | None]]


def overlap(sets: Sequence[BitMap], of: int) -> Overlap:
    """Counts |A∩B|, Jaccard |A∩B| / |A∪B|, lift |A∩B|·N / (|A|·|B|) with N = `of` customers."""
    sizes = [len(members) for members in sets]
    counts = [[0] * len(sets) for _ in sets]
    for row, members in enumerate(sets):
        counts[row][row] = sizes[row]
        for column in range(row):
            both = members.intersection_cardinality(sets[column])
            counts[row][column] = counts[column][row] = both
    cells = [
        [(both, sizes[row], sizes[column]) for column, both in enumerate(line)]
        for row, line in enumerate(counts)
    ]
    return Overlap(
        counts,
        [[_ratio(both, one + other - both) for both, one, other in line] for line in cells],
        [[_ratio(both * of, one * other) for both, one, other in line] for line in cells],
    )


def _ratio(above: int, below: int) -> float | None:
    return above / below if below else None


def combined(operation: str, sets: Sequence[BitMap]) -> BitMap:
    """`union`, `intersection`, or `difference`: the first without all others."""
    first, *others = sets
    if operation == "union":
        return BitMap.union(first, *others)
    if operation == "intersection":
        return BitMap.intersection(first, *others)
    return first - BitMap.union(*others)
