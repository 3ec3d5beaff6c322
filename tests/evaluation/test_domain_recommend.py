"""One recommendation follows from the findings, by a rule that has a name."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from services.evaluation.domain.assess import Design, Measured, assess
from services.evaluation.domain.breakdown import Cell, break_down, control_of, group_of, with_q_values
from services.evaluation.domain.effect import Effect, NoEffect, compare
from services.evaluation.domain.moments import Moments, of_values
from services.evaluation.domain.money import Valued, total
from services.evaluation.domain.recommend import Findings, advise
from services.evaluation.domain.worth import UnitValue


def group(mean: float, n: int = 1000, spread: float = 10.0) -> Moments:
    return Moments(n, mean, spread**2 * (n - 1))


def worth(effect: Effect, unit: str) -> list[Valued]:
    return [Valued("net_inflow_30d", effect, UnitValue({"contribution": Decimal(unit)}))]


def findings(treated: float, control: float, **changes: object) -> Findings:
    effect = compare(group(treated), group(control), "sum", 0.05)
    assert isinstance(effect, Effect)
    base = Findings(
        has_hold_out=True,
        sound=True,
        closed=True,
        effect=effect,
        better=1,
        alpha=0.05,
        money=total(effect, [], None),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def cells(**effects: float) -> list[Cell]:
    return [
        Cell(arm, segment, "hq", group(lift if arm else 0.0, 500))
        for segment, lift in effects.items()
        for arm in ("call", "")
    ]


def in_cells(**effects: float) -> list:
    return with_q_values(break_down(cells(**effects), ["segment"], "sum", 0.05))


@pytest.mark.parametrize(
    ("found", "rule", "action", "outcome"),
    [
        (findings(5, 0, has_hold_out=False), "no-hold-out", "extend", "test_next"),
        (findings(5, 0, sound=False), "verdict-withheld", "extend", "no_evidence"),
        (findings(5, 0, closed=False), "window-open", "extend", "no_evidence"),
        (findings(5, 0, effect=NoEffect("too-few", "…")), "not-computable", "extend", "no_evidence"),
        (findings(5, 0, harmed=["complaints_30d"]), "guardrail-harmed", "stop", "act"),
        (findings(5, 0), "effect-positive", "continue", "act"),
        (findings(-5, 0), "effect-negative", "stop", "act"),
        (findings(-5, 0, better=-1), "effect-positive", "continue", "act"),
        (
            findings(-5, 0, cells=in_cells(a=9, b=-12)),
            "effect-negative-but-cells-positive",
            "re_target",
            "test_next",
        ),
        (findings(5, 0, cells=in_cells(a=9, b=-9)), "effect-mixed", "re_target", "test_next"),
        (findings(0.1, 0, cells=in_cells(a=9, b=0)), "cells-positive", "re_target", "test_next"),
        (findings(0.5, 0), "too-small-to-tell", "extend", "test_next"),
        (findings(-0.1, 0), "effect-absent", "stop", "no_evidence"),
        (findings(0.1, 0, target=1e6), "target-out-of-reach", "stop", "act"),
    ],
)
def test_the_first_rule_that_holds_decides(found: Findings, rule: str, action: str, outcome: str) -> None:
    advice = advise(found)
    assert (advice.rule, advice.action, advice.outcome) == (rule, action, outcome)


def test_a_gain_that_costs_more_than_it_can_be_worth_is_stopped() -> None:
    found = findings(5, 0)
    assert isinstance(found.effect, Effect)
    dear = total(found.effect, worth(found.effect, "0.01"), Decimal(1000))
    assert advise(replace(found, money=dear)).rule == "cost-exceeds-contribution"
    cheap = total(found.effect, worth(found.effect, "0.01"), Decimal(1))
    assert advise(replace(found, money=cheap)).rule == "effect-positive"


def test_the_next_test_is_sized_for_the_effect_seen() -> None:
    advice = advise(findings(0.5, 0))
    assert advice.n_needed == pytest.approx(2 * (2.802 / 0.05) ** 2, rel=0.02)


def test_re_targeting_names_the_best_cells_first() -> None:
    advice = advise(findings(0.1, 0, cells=in_cells(a=6, b=9, c=0)))
    assert [cell.values for cell in advice.cells] == [("b",), ("a",)]


def test_money_is_the_effect_times_the_treated_with_its_interval() -> None:
    effect = compare(group(5), group(0, 250), "sum", 0.05)
    assert isinstance(effect, Effect)
    money = total(effect, worth(effect, "0.02"), Decimal("50.00"))
    assert money.incremental == pytest.approx(5000)
    assert money.interval == pytest.approx((effect.interval[0] * 1000, effect.interval[1] * 1000))
    assert money.contribution == Decimal("100.00")
    assert money.roi == pytest.approx(1.0)


def test_regrouping_the_finest_cells_gives_the_whole() -> None:
    rng = np.random.default_rng(2)
    finest = [
        Cell(arm, f"s{s}", f"hq.b{b}", of_values(rng.lognormal(3, 1, 30), rng.normal(size=30)))
        for arm in ("call", "sms", "")
        for s in range(3)
        for b in range(4)
    ]
    by_segment = break_down(finest, ["segment"], "sum", 0.05)
    assert sum(cell.n for cell in by_segment) == group_of(finest).n == 720
    assert sum(cell.n_control for cell in by_segment) == control_of(finest).n == 360
    assert len(break_down(finest, ["segment", "branch"], "sum", 0.05)) == 12


def test_a_cell_too_small_has_no_effect_and_no_q_value() -> None:
    small = [Cell(arm, "tiny", "hq", group(1.0, 5)) for arm in ("call", "")]
    found = with_q_values(break_down([*cells(a=3), *small], ["segment"], "sum", 0.05))
    by_value = {cell.values[0]: cell for cell in found}
    assert isinstance(by_value["tiny"].effect, NoEffect)
    assert by_value["tiny"].q_value is None
    assert by_value["a"].q_value is not None


def test_no_action_is_advised_on_noise_more_often_than_alpha() -> None:
    acted = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        effect = compare(of_values(rng.normal(0, 1, 900)), of_values(rng.normal(0, 1, 100)), "sum", 0.05)
        assert isinstance(effect, Effect)
        found = Findings(True, True, True, effect, 1, 0.05, money=total(effect, [], None))
        acted += advise(found).outcome == "act"
    assert acted <= 18  # 99.5 % binomial bound of 5 % over 200


def test_nobody_assigned_is_not_mistaken_for_a_missing_hold_out() -> None:
    design = Design(shares={"call": 0.9, "": 0.1}, dimensions=["segment"], alpha=0.05, target=None)
    nothing = Measured("net_inflow_30d", "sum", 1, [])
    assessment = assess(design, nothing, [], {}, matured=0, closed=True, cost=None)
    assert not assessment.sound
    assert assessment.effects == {}
    assert assessment.advice.rule == "not-computable"
    without = replace(design, shares={"call": 1.0})
    assert assess(without, nothing, [], {}, matured=0, closed=True, cost=None).advice.rule == "no-hold-out"
