"""The whole assessment of one campaign: health first, then effects, money, cells and advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.evaluation.domain import money as totals
from services.evaluation.domain.breakdown import (
    HOLD_OUT,
    Cell,
    CellEffect,
    break_down,
    control_of,
    group_of,
    with_q_values,
)
from services.evaluation.domain.effect import Effect, Kind, NoEffect, compare
from services.evaluation.domain.recommend import Advice, Findings, advise
from services.evaluation.domain.srm import ALARM, SplitCheck, check_split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from services.evaluation.domain.worth import UnitValue

OVERALL = "all"


@dataclass(frozen=True, slots=True)
class Design:
    """What was registered. `shares` by arm, hold-out under ''; `target` in the primary metric's unit."""

    shares: Mapping[str, float]
    dimensions: Sequence[str]
    alpha: float
    target: float | None

    @property
    def arms(self) -> list[str]:
        return [arm for arm in self.shares if arm != HOLD_OUT]


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric's cells. `better` is 1 when more is better, −1 when less is."""

    metric: str
    kind: Kind
    better: int
    cells: Sequence[Cell]
    value: UnitValue | None = None


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Guardrail:
    metric: str
    better: int
    effect: Effect | NoEffect

    @property
    def harmed(self) -> bool:
        return isinstance(self.effect, Effect) and self.effect.significantly(-self.better)


@dataclass(frozen=True, slots=True)
class Assessment:
    """`effects` by arm and under `all`; empty while the verdict is withheld, as are the others."""

    checks: Sequence[Check]
    effects: Mapping[str, Effect | NoEffect]
    guardrails: Sequence[Guardrail]
    cells: Sequence[CellEffect]
    money: totals.Money | None
    found: Findings
    advice: Advice

    @property
    def sound(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def comparable(self) -> bool:
        """Whether arms may be compared with each other, be there a hold-out or not."""
        return all(check.ok for check in self.checks if check.name != "hold_out")


def health(design: Design, assigned: Mapping[str, int], matured: int) -> list[Check]:
    """Whether the comparison may be read at all. `assigned` counts customers by arm, hold-out under ''."""
    split = check_split(assigned, design.shares)
    return [
        _hold_out_check(design, assigned),
        Check("srm", split.passes, _srm_detail(split), split.p_value),
        Check(
            "outcomes",
            matured > 0,
            f"{matured} of {sum(assigned.values())} exposures have lived through their outcome window",
        ),
    ]


def _hold_out_check(design: Design, assigned: Mapping[str, int]) -> Check:
    declared, found = design.shares.get(HOLD_OUT, 0.0), assigned.get(HOLD_OUT, 0)
    ok = declared > 0 and found > 0
    detail = f"{found} held out at a declared share of {declared:g}"
    return Check("hold_out", ok, detail if ok else f"{detail}: without a hold-out no effect can be claimed")


def _srm_detail(split: SplitCheck) -> str:
    if split.strangers:
        names = ", ".join(sorted(name or "hold-out" for name in split.strangers))
        return f"customers were assigned to {names}, which was declared with share 0 or not at all"
    return f"χ² = {split.chi2:.2f} on {split.freedom} degrees of freedom; alarm below p = {ALARM}"


def assess(
    design: Design,
    primary: Measured,
    guardrails: Sequence[Measured],
    assigned: Mapping[str, int],
    *,
    matured: int,
    closed: bool,
    cost: Decimal | None,
) -> Assessment:
    """Everything that can be said now. `cost` is what the contacts cost in CNY, None when not recorded."""
    checks = health(design, assigned, matured)
    passed = {check.name: check.ok for check in checks}
    sound = all(passed.values())
    overall = _against_control(primary, None, design.alpha)
    watched = [_guardrail(measured, design.alpha) for measured in guardrails] if sound else []
    cells = _cells(design, primary) if sound else []
    money = _money(overall, primary, cost) if sound else None
    found = Findings(
        has_hold_out=design.shares.get(HOLD_OUT, 0.0) > 0,
        sound=passed["srm"],
        closed=closed,
        effect=overall,
        better=primary.better,
        alpha=design.alpha,
        harmed=[guardrail.metric for guardrail in watched if guardrail.harmed],
        cells=cells,
        money=money,
        target=design.target,
    )
    effects: dict[str, Effect | NoEffect] = {}
    if sound:
        effects = {arm: _against_control(primary, arm, design.alpha) for arm in design.arms}
        effects[OVERALL] = overall
    return Assessment(checks, effects, watched, cells, money, found, advise(found))


def _against_control(measured: Measured, arm: str | None, alpha: float) -> Effect | NoEffect:
    return compare(group_of(measured.cells, arm), control_of(measured.cells), measured.kind, alpha)


def _guardrail(measured: Measured, alpha: float) -> Guardrail:
    return Guardrail(measured.metric, measured.better, _against_control(measured, None, alpha))


def _cells(design: Design, primary: Measured) -> list[CellEffect]:
    """One-dimensional cells of every registered dimension, corrected together."""
    found = [
        cell
        for dimension in design.dimensions
        for cell in break_down(primary.cells, [dimension], primary.kind, design.alpha)
    ]
    return with_q_values(found)


def _money(overall: Effect | NoEffect, primary: Measured, cost: Decimal | None) -> totals.Money | None:
    if isinstance(overall, NoEffect):
        return None
    valued = [totals.Valued(primary.metric, overall, primary.value)] if primary.value else []
    return totals.total(overall, valued, cost)
