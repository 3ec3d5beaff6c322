"""Effects inside cells: regroup the finest cells, compare, correct for looking at many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import stats

from services.evaluation.domain.effect import Effect, Kind, NoEffect, compare
from services.evaluation.domain.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOLD_OUT = ""
SMALLEST_CELL = 20
SCRIPT = "script"
"""Follows from the arm, so that nobody who is held out has one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The finest cell of a campaign. `arm` is empty for the hold-out."""

    arm: str
    segment: str
    branch: str
    moments: Moments
    script: str = ""
    """Of the arm; the hold-out has none."""

    def value_of(self, dimension: str) -> str:
        if dimension == "segment":
            return self.segment
        if dimension == "branch":
            return self.branch
        if dimension == SCRIPT:
            return self.script
        raise KeyError(dimension)


@dataclass(frozen=True, slots=True)
class CellEffect:
    """Treated arms pooled against the hold-out of the same cell; `q_value` over all cells asked for."""

    dimensions: tuple[str, ...]
    values: tuple[str, ...]
    n: int
    n_control: int
    effect: Effect | NoEffect
    q_value: float | None = None


def group_of(cells: Iterable[Cell], arm: str | None = None) -> Moments:
    """Moments of one arm, or of all treated arms together."""
    total = Moments()
    for cell in cells:
        if cell.arm == arm if arm is not None else cell.arm != HOLD_OUT:
            total = total.merge(cell.moments)
    return total


def control_of(cells: Iterable[Cell]) -> Moments:
    return group_of(cells, HOLD_OUT)


def break_down(
    cells: Sequence[Cell], dimensions: Sequence[str], kind: Kind, alpha: float
) -> list[CellEffect]:
    """Effects per combination of `dimensions`, in the order of their values, without q-values.

    Every script is compared with the whole hold-out of what the other dimensions name.
    """
    groups: dict[tuple[str, ...], list[Cell]] = {}
    held_out: dict[tuple[str, ...], list[Cell]] = {}
    own = [name for name in dimensions if name != SCRIPT]
    for cell in cells:
        if cell.arm == HOLD_OUT and SCRIPT in dimensions:
            held_out.setdefault(tuple(cell.value_of(name) for name in own), []).append(cell)
        else:
            groups.setdefault(tuple(cell.value_of(name) for name in dimensions), []).append(cell)
    for values, group in groups.items():
        shared = (value for name, value in zip(dimensions, values, strict=True) if name != SCRIPT)
        group.extend(held_out.get(tuple(shared), []))
    return [_of_group(tuple(dimensions), values, groups[values], kind, alpha) for values in sorted(groups)]


def _of_group(
    dimensions: tuple[str, ...], values: tuple[str, ...], cells: Sequence[Cell], kind: Kind, alpha: float
) -> CellEffect:
    treated, control = group_of(cells), control_of(cells)
    effect = compare(treated, control, kind, alpha, SMALLEST_CELL)
    return CellEffect(dimensions, values, treated.n, control.n, effect)


def with_q_values(effects: Sequence[CellEffect]) -> list[CellEffect]:
    """Benjamini–Hochberg over every cell that has a p-value; the others stay without."""
    tested = [cell.effect.p_value for cell in effects if isinstance(cell.effect, Effect)]
    if not tested:
        return list(effects)
    q_values = iter(stats.false_discovery_control(tested))
    return [
        CellEffect(
            cell.dimensions,
            cell.values,
            cell.n,
            cell.n_control,
            cell.effect,
            float(next(q_values)) if isinstance(cell.effect, Effect) else None,
        )
        for cell in effects
    ]
