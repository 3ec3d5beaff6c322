"""The whole assessment of one campaign: health first, then effects, money, cells and advice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from services.evaluation.domain import money as totals
from services.evaluation.domain.breakdown import (
    HOLD_OUT,
    Cell,
    CellEffect,
    break_down,
    compare_cells,
    with_q_values,
)
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.health import USUAL, Check, Limits, Observed, health, withheld
from services.evaluation.domain.poststratify import by_segment_and_branch
from services.evaluation.domain.recommend import Advice, Findings, advise
from services.evaluation.domain.samples import Quantiles
from services.evaluation.domain.stopping import Moment, Ruling, rule
from shared.contracts.stopping import FixedStop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from services.evaluation.domain.comparison import MetricKind
    from services.evaluation.domain.policies import Candidate
    from services.evaluation.domain.stopping import Stop
    from services.evaluation.domain.worth import UnitValue

OVERALL = "all"
_ADDED = ("sum", "count", "proportion", "balance")
"""Kinds of which the effect per customer times the customers is a total."""
_TOLD_OTHERWISE = ("hold_out", "outcomes")
"""Checks whose failing has an advice of its own."""


@dataclass(frozen=True, slots=True)
class Design:
    """What was registered. `shares` by arm, hold-out under ''; `target` in the primary metric's unit;
    `margins` by guardrail, each in that metric's unit.
    """

    shares: Mapping[str, float]
    dimensions: Sequence[str]
    alpha: float
    target: float | None
    stop: Stop = field(default_factory=FixedStop)
    margins: Mapping[str, float] = field(default_factory=dict)

    @property
    def arms(self) -> list[str]:
        return [arm for arm in self.shares if arm != HOLD_OUT]


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric's cells. `better` is 1 when more is better, −1 when less is."""

    metric: str
    kind: MetricKind | Literal["quantile"]
    better: int
    cells: Sequence[Cell]
    value: UnitValue | None = None
    sample: Quantiles | None = None
    """In place of cells, of a metric that has none."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """With a `margin`, non-inferiority decides: anything worse than it has to be ruled out. Without, harm has
    to be shown.
    """

    metric: str
    better: int
    effect: Effect | NoEffect
    margin: float | None = None

    @property
    def shown_worse(self) -> bool:
        return isinstance(self.effect, Effect) and self.effect.significantly(-self.better)

    @property
    def harmed(self) -> bool:
        if self.margin is None or isinstance(self.effect, NoEffect):
            return self.shown_worse
        return min(end * self.better for end in self.effect.interval) <= -self.margin


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
    ruling: Ruling | None = None
    stratified: Effect | NoEffect | None = None
    """Within segments and branches; of what adds up, where customers were drawn."""

    @property
    def sound(self) -> bool:
        return not withheld(self.checks)

    @property
    def comparable(self) -> bool:
        """Whether arms may be compared with each other, be there a hold-out or not."""
        return not withheld([check for check in self.checks if check.name != "hold_out"])


def assess(
    design: Design,
    primary: Measured,
    guardrails: Sequence[Measured],
    assigned: Mapping[str, int],
    *,
    matured: int,
    closed: bool,
    cost: Decimal | None,
    policies: Sequence[Candidate] = (),
    observed: Observed | None = None,
    moment: Moment | None = None,
    eaten: Sequence[Measured] = (),
    limits: Limits = USUAL,
) -> Assessment:
    """Everything that can be said now.

    `cost` is what the contacts cost in CNY, None when not recorded; `policies` are those looked at for the
    next round; `eaten` are metrics that the primary one may take from. `observed` is what health is judged
    by, beyond who was assigned, within `limits`; `moment` where the campaign stands, for a rule that allows
    an early verdict.
    """
    checks = health(design.shares, observed or Observed(assigned, matured), limits)
    sound = not withheld(checks)
    overall = _against_control(primary, None, design.alpha)
    stands = moment or Moment(1.0 if closed else 0.0, closed)
    ruling = rule(design.stop, overall, stands, design.alpha)
    watched = [_guardrail(design, measured) for measured in guardrails] if sound else []
    cells = _cells(design, primary) if sound else []
    lost = [
        (each, rule(design.stop, against_hold_out(each, design.alpha), stands, design.alpha).effect)
        for each in eaten
    ]
    money = _money([(primary, ruling.effect), *lost], cost) if sound else None
    found = Findings(
        has_hold_out=design.shares.get(HOLD_OUT, 0.0) > 0,
        sound=not withheld([check for check in checks if check.name not in _TOLD_OTHERWISE]),
        closed=ruling.readable,
        effect=ruling.effect,
        better=primary.better,
        alpha=design.alpha,
        # An interval is wide while there are few: only the last look holds that against a guardrail.
        harmed=[each.metric for each in watched if (each.harmed if closed else each.shown_worse)],
        # Cells are read once, at the end: no rule corrects them for looking earlier.
        cells=cells if closed else [],
        money=money,
        target=design.target,
        policies=policies if sound and closed else (),
    )
    effects: dict[str, Effect | NoEffect] = {}
    if sound:
        effects = {arm: _against_control(primary, arm, design.alpha) for arm in design.arms}
        effects[OVERALL] = overall
    ruled, stratified = (ruling, _stratified(primary, design.alpha)) if sound else (None, None)
    return Assessment(checks, effects, watched, cells, money, found, advise(found), ruled, stratified)


def against_hold_out(measured: Measured, alpha: float) -> Effect | NoEffect:
    """All treated arms pooled."""
    return _against_control(measured, None, alpha)


def _against_control(measured: Measured, arm: str | None, alpha: float) -> Effect | NoEffect:
    if measured.kind == "quantile":
        return (measured.sample or Quantiles(0.5, {})).effect(arm, alpha)
    treated = [cell for cell in measured.cells if (cell.arm == arm if arm else cell.arm != HOLD_OUT)]
    control = [cell for cell in measured.cells if cell.arm == HOLD_OUT]
    return compare_cells(treated, control, measured.kind, alpha)


def _stratified(primary: Measured, alpha: float) -> Effect | NoEffect | None:
    if primary.kind not in _ADDED or any(cell.cluster for cell in primary.cells):
        return None
    return by_segment_and_branch(primary.cells, alpha)


def _guardrail(design: Design, measured: Measured) -> Guardrail:
    effect = _against_control(measured, None, design.alpha)
    return Guardrail(measured.metric, measured.better, effect, design.margins.get(measured.metric))


def _cells(design: Design, primary: Measured) -> list[CellEffect]:
    """One-dimensional cells of every registered dimension, corrected together."""
    if primary.kind == "quantile":
        return []
    found = [
        cell
        for dimension in design.dimensions
        for cell in break_down(primary.cells, [dimension], primary.kind, design.alpha)
    ]
    return with_q_values(found)


def _money(found: Sequence[tuple[Measured, Effect | NoEffect]], cost: Decimal | None) -> totals.Money | None:
    """Of the primary metric and those it may take from. What did not change in anybody was not taken from."""
    primary, overall = found[0]
    if isinstance(overall, NoEffect) or primary.kind not in _ADDED:
        return None
    valued = [
        totals.Valued(measured.metric, effect, measured.value)
        for measured, effect in found
        if measured.value and isinstance(effect, Effect)
    ]
    return totals.total(overall, valued if primary.value else [], cost)
