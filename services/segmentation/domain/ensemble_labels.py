"""Label sets: m partitions of the same N customers, wherever they were made."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.segmentation.domain.ensemble_threads import side_by_side

Labels = NDArray[np.integer]
MISSING = -1
CHUNK = 16_384
"""Customers taken at a time where tables are looked up: what fits into a core's own cache."""
BLOCK = 8 * CHUNK
"""Customers a thread takes at a time."""
_DENSE_RANGE = 65_536


@dataclass(frozen=True)
class LabelSet:
    """Partitions with their clusters numbered one after another.

    `labels` (m, N): 0..sizes[p]−1, and sizes[p] where the customer has no label. The slots of
    partition p in a table over all clusters are `slots(p)`; its last slot is “no label”, so that
    a table has `width` = Σ (sizes[p] + 1) rows.
    """

    labels: Labels
    sizes: tuple[int, ...]
    complete: bool = False
    """Every partition labels everybody. False says nothing."""

    @property
    def partitions(self) -> int:
        return len(self.sizes)

    @property
    def customers(self) -> int:
        return int(self.labels.shape[1])

    @property
    def offsets(self) -> list[int]:
        return [0, *np.cumsum([size + 1 for size in self.sizes]).tolist()]

    @property
    def width(self) -> int:
        return self.offsets[-1]

    @property
    def real(self) -> NDArray[np.bool_]:
        """Which slots are clusters."""
        mask = np.ones(self.width, dtype=np.bool_)
        mask[np.array(self.offsets[1:]) - 1] = False
        return mask

    def slots(self, partition: int) -> slice:
        return slice(self.offsets[partition], self.offsets[partition + 1])

    def counts(self) -> NDArray[np.int64]:
        """Customers of each slot."""
        found = [
            np.bincount(row, minlength=size + 1) for row, size in zip(self.labels, self.sizes, strict=True)
        ]
        return np.concatenate(found)

    def summed(self, table: NDArray[np.float64], customers: slice) -> NDArray[np.float64]:
        """For each customer the sum of the table's rows of its clusters: (n, columns)."""
        chosen = self.labels[:, customers]
        total = np.zeros((chosen.shape[1], table.shape[1]))
        row = np.empty_like(total)
        for partition, labels in enumerate(chosen):
            np.take(table[self.slots(partition)], labels, axis=0, out=row, mode="clip")
            total += row
        return total

    def take(self, customers: NDArray[np.integer]) -> "LabelSet":
        return LabelSet(np.ascontiguousarray(self.labels[:, customers]), self.sizes, self.complete)

    def choose(self, partitions: NDArray[np.integer]) -> "LabelSet":
        """These partitions only; one may be taken several times."""
        sizes = tuple(self.sizes[each] for each in partitions)
        return LabelSet(self.labels[partitions], sizes, self.complete)


def label_set(labels: ArrayLike) -> LabelSet:
    """Reads (m, N) integers: any values, gaps allowed, −1 where a customer has no label.

    Raises `ValueError` for another shape or type, for a partition without any label and for a
    customer whom no partition labels.
    """
    given = np.asarray(labels)
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"labels have the shape (partitions, customers), not {given.shape}")
    if given.dtype.kind not in "iu":
        raise ValueError(f"labels are integers, not {given.dtype}")
    complete = int(given.min()) > MISSING
    rows = side_by_side([partial(_dense, row, number) for number, row in enumerate(given)])
    sizes = tuple(size for _, size in rows)
    dense = np.empty(given.shape, dtype=np.min_scalar_type(max(sizes)))
    for number, (row, _) in enumerate(rows):
        dense[number] = row
    found = LabelSet(dense, sizes, complete)
    if not complete:
        _refuse_unlabelled(found)
    return found


def _dense(row: Labels, number: int) -> tuple[Labels, int]:
    """0..size−1 in the order of the labels' values, `size` where there is none."""
    low, high = int(row.min()), int(row.max())
    if high == MISSING and low == MISSING:
        raise ValueError(f"partition {number} labels nobody")
    if high - low >= _DENSE_RANGE or row.dtype == np.uint64:
        return _dense_by_sorting(row)
    used = np.zeros(high - low + 1, dtype=np.bool_)
    for chosen in chunks(len(row)):
        used[row[chosen].astype(np.intp) - low] = True
    if low <= MISSING <= high:
        used[MISSING - low] = False
    size = int(used.sum())
    rank = np.cumsum(used) - 1
    rank[~used] = size
    table = rank.astype(np.min_scalar_type(size))
    dense = np.empty(len(row), dtype=table.dtype)
    for chosen in chunks(len(row)):
        np.take(table, row[chosen].astype(np.intp) - low, out=dense[chosen], mode="clip")
    return dense, size


def _dense_by_sorting(row: Labels) -> tuple[Labels, int]:
    values, positions = np.unique(row, return_inverse=True)
    known = values != MISSING
    rank = np.where(known, np.cumsum(known) - 1, known.sum())
    return rank[positions], int(known.sum())


def _refuse_unlabelled(found: LabelSet) -> None:
    ends = np.array(found.sizes)[:, None]
    for chosen in chunks(found.customers):
        absent = (found.labels[:, chosen] == ends).all(axis=0)
        if absent.any():
            raise ValueError(f"customer {chosen.start + int(absent.argmax())} has no label in any partition")


def chunks(size: int, step: int = CHUNK) -> Iterator[slice]:
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


def within(block: slice) -> Iterator[slice]:
    """The chunks of a block."""
    for part in chunks(block.stop - block.start):
        yield slice(block.start + part.start, block.start + part.stop)
