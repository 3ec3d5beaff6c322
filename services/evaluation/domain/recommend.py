"""One recommendation from one result, by rules that can be named.

The rules are tried in order and the first that holds decides. Nothing is called an effect
without a hold-out, a sound randomisation and a closed outcome window: looking earlier and
acting on what one sees inflates the share of false alarms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from services.evaluation.domain.effect import Effect, Interval, NoEffect
from services.evaluation.domain.policies import REACHABLE, best
from services.evaluation.domain.policy_value import Gain
from services.evaluation.domain.power import units_per_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.evaluation.domain.breakdown import CellEffect
    from services.evaluation.domain.money import Money
    from services.evaluation.domain.policies import Candidate

Action = Literal["continue", "stop", "re_target", "re_script", "re_channel", "re_allocate", "extend"]
Outcome = Literal["act", "test_next", "no_evidence"]
FollowUp = Literal["draft_campaign", "draft_segment", "stop_campaign", "none"]
Rule = Literal[
    "no-hold-out",
    "verdict-withheld",
    "window-open",
    "not-computable",
    "guardrail-harmed",
    "effect-negative",
    "effect-negative-but-cells-positive",
    "cost-exceeds-contribution",
    "targeting-better",
    "script-better",
    "channel-better",
    "allocation-better",
    "effect-mixed",
    "effect-positive",
    "cells-positive",
    "target-out-of-reach",
    "effect-absent",
    "too-small-to-tell",
]
_BY_POLICY: dict[str, Rule] = {
    "re_target": "targeting-better",
    "re_script": "script-better",
    "re_channel": "channel-better",
    "re_allocate": "allocation-better",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules look at. `better` is 1 when more is better, −1 when less is.

    `closed` says that nobody else will be assigned and every outcome window has passed;
    `target` is the total aimed at, in the metric's unit; `cells` carry q-values; `policies` are those that
    were looked at for the next round.
    """

    has_hold_out: bool
    sound: bool
    closed: bool
    effect: Effect | NoEffect
    better: int
    alpha: float
    harmed: Sequence[str] = ()
    cells: Sequence[CellEffect] = ()
    money: Money | None = None
    target: float | None = None
    policies: Sequence[Candidate] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """`cells` are where to aim next; `n_needed` is customers per group of the next test; `policy` is the one
    to follow, where its value on held-out customers is the reason.
    """

    action: Action
    outcome: Outcome
    rule: Rule
    cells: tuple[CellEffect, ...] = field(default=())
    n_needed: int | None = None
    policy: Candidate | None = None

    @property
    def makes_a_draft(self) -> bool:
        """Whether there is a next round to prepare: not after a stop, nor while there is only to wait."""
        return self.action != "stop" and self.outcome != "no_evidence"

    @property
    def follow_up(self) -> FollowUp:
        """What accepting it does: no campaign can name tiers, so that they take a segment."""
        if not self.makes_a_draft:
            return "stop_campaign" if self.action == "stop" else "none"
        by_tier = self.policy is not None and self.policy.dimension == "tier"
        return "draft_segment" if by_tier else "draft_campaign"


def advise(found: Findings) -> Advice:
    """The one recommendation that follows from the findings."""
    premature = _without_conclusion(found)
    if premature:
        return premature
    if found.harmed:
        return Advice("stop", "act", "guardrail-harmed")
    effect, good = found.effect, _cells(found, found.better)
    if isinstance(effect, NoEffect):
        return Advice("extend", "no_evidence", "not-computable")
    if effect.significantly(-found.better):
        return _by_policy(found) or _on_negative(good)
    if effect.significantly(found.better):
        return _on_positive(found, good)
    return _on_unclear(found, effect, good)


def expected(advice: Advice, found: Findings) -> tuple[float, Interval] | None:
    """What the next round should show per customer treated, against its hold-out, at level 1 − α.

    Of a policy its value on held-out customers; of the same again the effect that was measured. Cells chosen
    because they looked best promise too much: of them nothing is expected.
    """
    if advice.policy is not None:
        lift = advice.policy.lift
        return (lift.value, lift.interval(found.alpha)) if isinstance(lift, Gain) else None
    if advice.action in {"continue", "extend"} and advice.makes_a_draft and isinstance(found.effect, Effect):
        return (found.effect.difference, found.effect.interval) if found.sound else None
    return None


def _by_policy(found: Findings) -> Advice | None:
    """The policy that beats doing the same again beyond chance, however many were looked at."""
    better = best(found.policies, found.better, found.alpha)
    if better is None:
        return None
    kept = [
        cell
        for cell in found.cells
        if cell.dimensions == (better.dimension,) and cell.values[0] in better.cells
    ]
    return Advice(better.action, "act", _BY_POLICY[better.action], tuple(kept), policy=better)


def _without_conclusion(found: Findings) -> Advice | None:
    if not found.has_hold_out:
        return Advice("extend", "test_next", "no-hold-out")
    if not found.sound:
        return Advice("extend", "no_evidence", "verdict-withheld")
    if not found.closed:
        return Advice("extend", "no_evidence", "window-open")
    return None


def _cells(found: Findings, direction: int) -> tuple[CellEffect, ...]:
    """Cells whose effect points in `direction` beyond the false discovery rate, largest first."""
    clear = [
        (cell.effect.difference * direction, cell)
        for cell in found.cells
        if isinstance(cell.effect, Effect)
        and cell.q_value is not None
        and cell.q_value < found.alpha
        and cell.effect.difference * direction > 0
    ]
    return tuple(cell for _, cell in sorted(clear, key=lambda pair: -pair[0]))


def _on_negative(good: tuple[CellEffect, ...]) -> Advice:
    if good:
        return Advice("re_target", "test_next", "effect-negative-but-cells-positive", good)
    return Advice("stop", "act", "effect-negative")


def _on_positive(found: Findings, good: tuple[CellEffect, ...]) -> Advice:
    money = found.money
    if money and money.cost and money.contribution_interval and money.contribution_interval[1] < money.cost:
        return Advice("stop", "act", "cost-exceeds-contribution")
    improved = _by_policy(found)
    if improved:
        return improved
    if good and _cells(found, -found.better):
        return Advice("re_target", "test_next", "effect-mixed", good)
    return Advice("continue", "act", "effect-positive", good)


def _on_unclear(found: Findings, effect: Effect, good: tuple[CellEffect, ...]) -> Advice:
    improved = _by_policy(found)
    if improved:
        return improved
    if good:
        # Chosen because they looked best: their size is flattered, so test before acting.
        return Advice("re_target", "test_next", "cells-positive", good)
    if found.target and found.money and _best_case(found) < abs(found.target):
        return Advice("stop", "act", "target-out-of-reach")
    needed = _needed(effect, found.alpha)
    if effect.difference * found.better <= 0 or needed is None or needed > REACHABLE * effect.n:
        return Advice("stop", "no_evidence", "effect-absent")
    return Advice("extend", "test_next", "too-small-to-tell", n_needed=needed)


def _best_case(found: Findings) -> float:
    """The total at the better end of the interval, signed so that more is better."""
    if found.money is None:
        return 0.0
    return max(end * found.better for end in found.money.interval)


def _needed(effect: Effect, alpha: float) -> int | None:
    """Customers per group to find the difference seen; None when no campaign could."""
    deviation = effect.standard_error / (1 / effect.n + 1 / effect.n_control) ** 0.5
    if effect.difference == 0 or deviation == 0:
        return None
    units = units_per_group(effect.difference / deviation, alpha)
    return None if units == float("inf") else round(units + 0.5)
