"""A campaign's finest cells in columns: regrouped by any dimensions without a Python object for each.

Every breakdown is a regrouping of the finest cells arm × segment × branch × tier × manager; channel and
script follow from the arm. Sufficient statistics are merged from centred sums (Chan, Golub and LeVeque 1983),
all groups in one pass. The order of the sums is that of the cells: the same cells give the same digits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from services.evaluation.domain.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Codes = NDArray[np.int64]

STORED = ("arm", "segment", "branch", "tier", "manager")
"""What a finest cell is the product of."""
OF_ARM = ("channel", "script")
"""Dimensions that follow from the arm, so that nobody who is held out has one."""
DIMENSIONS = ("segment", "tier", "channel", "script", "branch", "manager")
MOMENTS = tuple(field.name for field in fields(Moments))


@dataclass(frozen=True, slots=True)
class ArmTraits:
    """What the customers of an arm have in common."""

    channel: str
    script: str


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One value a cell: `names[codes[i]]`. Names are sorted and unique; '' where nothing is known."""

    names: tuple[str, ...]
    codes: Codes

    def taken(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Column:
        return Column(self.names, self.codes[rows])

    def values(self) -> list[str]:
        return [self.names[code] for code in self.codes.tolist()]


def column_of(values: Sequence[str]) -> Column:
    names, codes = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    return Column(tuple(names.tolist()), codes.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class CellTable:
    """k cells of one metric. `columns` are of length k each; `moments` is (6, k) in the order of `Moments`:
    n, ȳ, Σ(y − ȳ)², x̄, Σ(x − x̄)², Σ(x − x̄)(y − ȳ).
    """

    columns: Mapping[str, Column]
    moments: Numbers

    def __len__(self) -> int:
        return int(self.moments.shape[1])

    def of_arms(self, traits: Mapping[str, ArmTraits]) -> CellTable:
        """With the columns that follow from the arm."""
        arm = self.columns["arm"]
        found = {
            name: column_of([getattr(traits[key], name) if key in traits else "" for key in arm.names])
            for name in OF_ARM
        }
        more = (
            {name: Column(of.names, of.codes[arm.codes]) for name, of in found.items()}
            if arm.names
            else {name: Column((), arm.codes) for name in OF_ARM}
        )
        return CellTable({**self.columns, **more}, self.moments)

    def taken(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> CellTable:
        """Only these cells: positions, or a mask of length k."""
        return CellTable(
            {name: column.taken(rows) for name, column in self.columns.items()}, self.moments[:, rows]
        )

    def by(self, *dimensions: str) -> CellTable:
        """One cell for each combination of `dimensions` that occurs, in the order of their names."""
        group, first = self.groups(dimensions)
        columns = {name: self.columns[name].taken(first) for name in dimensions}
        return CellTable(columns, merge_groups(self.moments, group, first.size))

    def groups(self, dimensions: Sequence[str]) -> tuple[Codes, Codes]:
        """The number of each cell's combination (k,), and a cell that has it for every combination."""
        combined = np.zeros(len(self), dtype=np.int64)
        for name in dimensions:
            column = self.columns[name]
            combined = combined * max(len(column.names), 1) + column.codes
            # Dense again after each: the product of many names would not fit.
            combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)
        _, first, group = np.unique(combined, return_index=True, return_inverse=True)
        return group.astype(np.int64), first.astype(np.int64)

    def digest(self) -> str:
        """Changes when any cell does."""
        content = hashlib.sha256(self.moments.tobytes())
        for name in STORED:
            content.update("\0".join([name, *self.columns[name].values()]).encode())
        return content.hexdigest()

    def all_moments(self) -> list[Moments]:
        """One for each cell, in their order."""
        return [
            Moments(int(n), *(float(number) for number in rest))
            for n, *rest in zip(*self.moments.tolist(), strict=True)
        ]


def merge_groups(moments: Numbers, group: Codes, groups: int) -> Numbers:
    """(6, k) merged into (6, groups); `group` says where each of the k belongs. Empty groups are 0."""
    n, mean_y, m2_y, mean_x, m2_x, c_xy = moments

    def added(values: Numbers) -> Numbers:
        return _added(values, group, groups)

    total = added(n)
    some = np.maximum(total, 1)
    centre_y, step_y = _centre(n, mean_y, group, groups, some)
    centre_x, step_x = _centre(n, mean_x, group, groups, some)
    return np.stack(
        [
            total,
            centre_y,
            added(m2_y + n * step_y * step_y),
            centre_x,
            added(m2_x + n * step_x * step_x),
            added(c_xy + n * step_x * step_y),
        ]
    )


def _centre(n: Numbers, mean: Numbers, group: Codes, groups: int, some: Numbers) -> tuple[Numbers, Numbers]:
    """Mean of each group, and how far each cell's mean lies from it; what rounding left is taken out."""
    centre = _added(n * mean, group, groups) / some
    centre = centre + _added(n * (mean - centre[group]), group, groups) / some
    return centre, mean - centre[group]


def _added(values: Numbers, group: Codes, groups: int) -> Numbers:
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)
