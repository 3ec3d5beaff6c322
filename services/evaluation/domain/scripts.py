"""Versions of scripts as arms of an experiment: each against the hold-out, and against each other.

Customers are assigned to arms by lot, so that versions of different arms met customers who differ by chance
alone. What the comparison is of are the arms as they are: where they have another channel or offer too, the
difference is not that of the words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from services.evaluation.domain.breakdown import HOLD_OUT, compare_cells
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.evaluation.domain.breakdown import Cell
    from services.evaluation.domain.comparison import MetricKind

Trait = Literal["channel", "offer"]


@dataclass(frozen=True, slots=True)
class ScriptArm:
    """An arm as it was registered."""

    key: str
    script: str
    channel: str
    offer: str


@dataclass(frozen=True, slots=True)
class OfScript:
    """The arms of one version, pooled, against the hold-out."""

    script: str
    arms: tuple[str, ...]
    effect: Effect | NoEffect


@dataclass(frozen=True, slots=True)
class Versus:
    """Version against version; of the effect, `control` is the other."""

    script: str
    other: str
    n: int
    n_other: int
    effect: Effect | NoEffect
    also_differ_in: tuple[Trait, ...]
    q_value: float | None = None


def of_scripts(
    cells: Sequence[Cell], arms: Sequence[ScriptArm], kind: MetricKind, alpha: float
) -> list[OfScript]:
    """In the order of their names."""
    control = _of_arms(cells, [HOLD_OUT])
    return [
        OfScript(
            script,
            tuple(arm.key for arm in those),
            compare_cells(_of_arms(cells, [arm.key for arm in those]), control, kind, alpha),
        )
        for script, those in by_script(arms).items()
    ]


def against_each_other(
    cells: Sequence[Cell], arms: Sequence[ScriptArm], kind: MetricKind, alpha: float
) -> list[Versus]:
    """Every two versions once, with q-values over all that could be computed."""
    found = [
        _versus(cells, one, other, kind, alpha) for one, other in combinations(by_script(arms).items(), 2)
    ]
    tested = [each.effect.p_value for each in found if isinstance(each.effect, Effect)]
    if not tested:
        return found
    q_values = iter(benjamini_hochberg(tested))
    return [
        replace(each, q_value=float(next(q_values))) if isinstance(each.effect, Effect) else each
        for each in found
    ]


def by_script(arms: Sequence[ScriptArm]) -> dict[str, list[ScriptArm]]:
    found: dict[str, list[ScriptArm]] = {}
    for arm in sorted(arms, key=lambda arm: (arm.script, arm.key)):
        found.setdefault(arm.script, []).append(arm)
    return found


def _versus(
    cells: Sequence[Cell],
    one: tuple[str, list[ScriptArm]],
    other: tuple[str, list[ScriptArm]],
    kind: MetricKind,
    alpha: float,
) -> Versus:
    mine, theirs = (_of_arms(cells, [arm.key for arm in side]) for side in (one[1], other[1]))
    n, n_other = (sum(cell.moments.n for cell in side) for side in (mine, theirs))
    every = [*one[1], *other[1]]
    differ: list[Trait] = []
    if len({arm.channel for arm in every}) > 1:
        differ.append("channel")
    if len({arm.offer for arm in every}) > 1:
        differ.append("offer")
    effect = compare_cells(mine, theirs, kind, alpha)
    if isinstance(effect, NoEffect) and effect.code == "too-few":
        effect = replace(effect, detail=f"{n} customers against {n_other}; 2 of each are needed")
    return Versus(one[0], other[0], n, n_other, effect, tuple(differ))


def _of_arms(cells: Sequence[Cell], arms: Sequence[str]) -> list[Cell]:
    return [cell for cell in cells if cell.arm in arms]
