"""Effects inside cells: regroup the finest cells, compare, correct for looking at many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.evaluation.domain.cells import DIMENSIONS, OF_ARM
from services.evaluation.domain.cluster import ClusterMoments, of_moments
from services.evaluation.domain.comparison import compared, compared_by_clusters, too_few
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.moments import Moments, merged
from services.evaluation.domain.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.evaluation.domain.cells import CellTable
    from services.evaluation.domain.comparison import MetricKind

HOLD_OUT = ""
SMALLEST_CELL = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a campaign. `arm` is empty for the hold-out, `tier` and `manager` where they are not known,
    and everything by which the cells were not asked for.
    """

    arm: str
    segment: str
    branch: str
    moments: Moments
    script: str = ""
    """Of the arm, as is the channel; the hold-out has neither."""
    channel: str = ""
    tier: str = ""
    manager: str = ""
    cluster: str = ""
    """The manager or branch that was drawn by lot; empty where customers were."""

    def value_of(self, dimension: str) -> str:
        if dimension not in DIMENSIONS:
            raise KeyError(dimension)
        return str(getattr(self, dimension))


def cells_of(table: CellTable, unit: str = "customer") -> list[Cell]:
    """The cells of a table as objects. For a few: ask the table `.by(...)` what is needed first.

    `unit` is what was drawn by lot: of managers and branches, the table needs the column.
    """
    given = {name: column.values() for name, column in table.columns.items()}
    nothing = [""] * len(table)
    columns = [given.get(name, nothing) for name in ("arm", "segment", "branch")]
    others = [given.get(name, nothing) for name in ("script", "channel", "tier", "manager", unit)]
    return [
        Cell(arm, segment, branch, moments, *rest)
        for arm, segment, branch, moments, *rest in zip(*columns, table.all_moments(), *others, strict=True)
    ]


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
    cells: Sequence[Cell], dimensions: Sequence[str], kind: MetricKind, alpha: float
) -> list[CellEffect]:
    """Effects per combination of `dimensions`, in the order of their values, without q-values.

    What follows from the arm the hold-out does not have: every script and every channel is compared with the
    whole hold-out of what the other dimensions name.
    """
    groups: dict[tuple[str, ...], list[Cell]] = {}
    held_out: dict[tuple[str, ...], list[Cell]] = {}
    own = [name for name in dimensions if name not in OF_ARM]
    for cell in cells:
        if cell.arm == HOLD_OUT and len(own) < len(dimensions):
            held_out.setdefault(tuple(cell.value_of(name) for name in own), []).append(cell)
        else:
            groups.setdefault(tuple(cell.value_of(name) for name in dimensions), []).append(cell)
    for values, group in groups.items():
        shared = (value for name, value in zip(dimensions, values, strict=True) if name not in OF_ARM)
        group.extend(held_out.get(tuple(shared), []))
    return [_of_group(tuple(dimensions), values, groups[values], kind, alpha) for values in sorted(groups)]


def _of_group(
    dimensions: tuple[str, ...],
    values: tuple[str, ...],
    cells: Sequence[Cell],
    kind: MetricKind,
    alpha: float,
) -> CellEffect:
    treated = [cell for cell in cells if cell.arm != HOLD_OUT]
    control = [cell for cell in cells if cell.arm == HOLD_OUT]
    effect = compare_cells(treated, control, kind, alpha, SMALLEST_CELL)
    n, n_control = (sum(cell.moments.n for cell in side) for side in (treated, control))
    return CellEffect(dimensions, values, n, n_control, effect)


def compare_cells(
    treated: Sequence[Cell], control: Sequence[Cell], kind: MetricKind, alpha: float, at_least: int = 2
) -> Effect | NoEffect:
    """The effect between two groups of cells: by customers, or by clusters where those were drawn by lot."""
    mine, theirs = (merged(cell.moments for cell in side) for side in (treated, control))
    if not any(cell.cluster for cell in (*treated, *control)):
        return compared(mine, theirs, kind, alpha, at_least)
    if min(mine.n, theirs.n) < at_least:
        return too_few(mine.n, theirs.n, at_least)
    return compared_by_clusters(_clusters(treated), _clusters(control), kind, alpha)


def _clusters(cells: Iterable[Cell]) -> ClusterMoments:
    parts: dict[str, list[Moments]] = {}
    for cell in cells:
        parts.setdefault(cell.cluster, []).append(cell.moments)
    return of_moments([merged(parts[name]) for name in sorted(parts)])


def with_q_values(effects: Sequence[CellEffect]) -> list[CellEffect]:
    """Benjamini–Hochberg over every cell that has a p-value; the others stay without."""
    tested = [cell.effect.p_value for cell in effects if isinstance(cell.effect, Effect)]
    if not tested:
        return list(effects)
    q_values = iter(benjamini_hochberg(tested))
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
