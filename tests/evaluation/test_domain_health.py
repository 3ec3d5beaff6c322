"""What withholds a verdict and what does not, and when an early verdict is allowed."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.assess import Design, Guardrail, Measured, assess
from services.evaluation.domain.breakdown import Cell
from services.evaluation.domain.effect import Effect, NoEffect, welch
from services.evaluation.domain.health import (
    Arrivals,
    Limits,
    Observed,
    Reserve,
    Told,
    health,
    store_lag,
    withheld,
)
from services.evaluation.domain.moments import Moments, of_values
from services.evaluation.domain.sequential import confidence_sequence, spending_bounds
from services.evaluation.domain.srm import check_branches
from services.evaluation.domain.stopping import Look, Moment, rule
from shared.contracts.stopping import AlwaysValidStop, FixedStop, GroupSequentialStop
from shared.verdict_words import why_none

SHARES = {"call": 0.6, "": 0.4}
SOUND = Observed(
    {"call": 600, "": 400}, 1000, by_branch={"a": {"call": 300, "": 200}, "b": {"call": 300, "": 200}}
)


def effect(z: float, n: int = 500) -> Effect:
    """Difference z with standard error 1."""
    found = welch(Moments(n, z, n * (n - 1) / 2), Moments(n, 0.0, n * (n - 1) / 2), 0.05)
    assert isinstance(found, Effect)
    assert found.standard_error == pytest.approx(1.0)
    return found


def failed(observed: Observed, shares: Mapping[str, float] = SHARES) -> list[str]:
    checks = health(shares, observed)
    wrong = [check.name for check in checks if not check.ok]
    assert withheld(checks) == bool(wrong)
    return list(wrong)


def test_a_sound_campaign_passes_every_check() -> None:
    assert failed(SOUND) == []
    assert len({check.name for check in health(SHARES, SOUND)}) == 10


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"assigned": {"call": 600}, "by_branch": {}}, "hold_out"),
        ({"assigned": {"call": 700, "": 300}, "by_branch": {}}, "srm"),
        ({"assigned": {"call": 600, "": 400, "sms": 1}, "by_branch": {}}, "srm"),
        ({"by_branch": {"a": {"call": 260, "": 240}, "b": {"call": 340, "": 160}}}, "srm_branches"),
        ({"crossed": 11}, "crossover"),
        ({"contacted": 5}, "contamination"),
        ({"reserve": Reserve(0.02, 4902, 2)}, "global_holdout_contaminated"),
        ({"reserve": Reserve(0.02, 3, 3)}, "global_holdout_contaminated"),
        ({"before": effect(6.0)}, "pre_period"),
        ({"arrivals": Arrivals(read=2000, known=1000, due=1030)}, "late_data"),
        ({"matured": 0}, "outcomes"),
    ],
)
def test_each_fault_withholds_by_its_own_check(changed: dict[str, object], check: str) -> None:
    assert check in failed(replace(SOUND, **changed))  # type: ignore[arg-type]
    if check not in {"hold_out", "srm"}:
        assert failed(replace(SOUND, **changed)) == [check]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "observed",
    [
        SOUND,
        replace(SOUND, assigned={"call": 600, "sms": 2}, by_branch={}),
        replace(SOUND, before=effect(3.0)),
        replace(SOUND, before=NoEffect("too-few", "nobody")),
        replace(SOUND, before=replace(effect(9.0), standard_error=0.0)),
        replace(SOUND, drawn={"call": 6, "": 4}),
        replace(SOUND, reserve=Reserve(0.02, 4902, 2, [(Told("甲", "A"), 2)])),
    ],
)
def test_every_check_is_told_in_either_language_alone(observed: Observed) -> None:
    for check in [*health(SHARES, observed), store_lag(3)]:
        assert re.search("[一-鿿]", check.detail.zh), check
        assert re.search("[a-z]{3}", check.detail.zh.replace("sms", "")) is None, check
        assert re.search("[一-鿿，。：]", check.detail.en) is None, check


def test_every_reason_for_no_effect_has_words() -> None:
    codes = [*get_args(get_type_hints(NoEffect)["code"]), "undefined"]
    words = {why_none(code, "in English", "zh") for code in codes}
    assert len(words) == len(codes)
    assert why_none("unheard-of", "in English", "zh") not in words
    assert {why_none(code, "in English", "en") for code in codes} == {"in English"}


@pytest.mark.parametrize(
    "changed",
    [
        {"crossed": 10},
        {"contacted": 4},
        {"reserve": Reserve(0.02, 4901, 1)},
        {"reserve": Reserve(0.0, 4901, 0)},
        {"reserve": Reserve(0.02, 0, 0)},
        {"before": effect(3.0)},
        {"before": NoEffect("too-few", "nobody")},
        {"before": replace(effect(9.0), standard_error=0.0)},
        {"arrivals": Arrivals(read=2000, known=1000, due=1020)},
        {"arrivals": Arrivals(read=900, known=1000, due=900)},
        {"elsewhere": {"call": 300, "": 10}},
    ],
)
def test_what_only_dilutes_or_informs_does_not_withhold(changed: dict[str, object]) -> None:
    assert failed(replace(SOUND, **changed)) == []  # type: ignore[arg-type]


def test_before_anybody_is_assigned_nobody_can_be_held_out() -> None:
    assert failed(Observed({}, 0)) == ["outcomes"]
    assert "hold_out" in failed(Observed({}, 0), {"call": 1.0})


def test_limits_are_those_that_are_set_and_are_told() -> None:
    faulty = replace(
        SOUND,
        crossed=14,
        contacted=5,
        arrivals=Arrivals(2000, 1000, 1030),
        reserve=Reserve(0.02, 4902, 2, [(Told("甲", "A"), 2)]),
    )
    assert [check.name for check in health(SHARES, faulty) if not check.ok] == [
        "crossover",
        "contamination",
        "global_holdout_contaminated",
        "late_data",
    ]
    found = {str(check.name): check for check in health(SHARES, faulty, Limits(0.0141, 0.025, 0.03))}
    assert not withheld(found.values())
    for name, limit in (("crossover", "1.41%"), ("global_holdout_contaminated", "2.5%"), ("late_data", "3%")):
        assert f"at most {limit} may" in found[name].detail.en
        assert f"上限为 {limit}" in found[name].detail.zh
    assert found["global_holdout_contaminated"].detail.en.endswith(
        "2.0% of the about 100 to be left out; at most 2.5% may be. Contacted by A: 2"
    )
    assert found["global_holdout_contaminated"].observed == {"contacted": 4902, "held_out": 2}


def test_where_managers_were_drawn_customers_are_not_counted_as_drawn() -> None:
    lumpy = replace(
        SOUND,
        assigned={"call": 700, "": 300},
        by_branch={"a": {"call": 700}, "b": {"": 300}},
        before=effect(9.0),
    )
    assert {"srm", "srm_branches", "pre_period"} <= set(failed(lumpy))
    assert failed(replace(lumpy, drawn={"call": 30, "": 20})) == []


def test_branches_are_judged_together_by_bonferroni() -> None:
    """Of forty branches one with p = .0002 is chance: corrected p = .01."""
    fair = {f"b{i}": {"call": 60, "": 40} for i in range(39)}
    odd = {"call": 78, "": 22}
    alone = float(stats.chisquare([78, 22], [60, 40]).pvalue)
    found = check_branches({**fair, "odd": odd}, SHARES)
    assert (found.worst, found.tested) == ("odd", 40)
    assert found.p_value == pytest.approx(40 * alone)
    assert found.passes
    assert not check_branches({"fair": {"call": 60, "": 40}, "odd": odd}, SHARES).passes


def test_branches_too_small_for_the_test_are_left_out() -> None:
    found = check_branches({"tiny": {"call": 11}, "b": {"call": 60, "": 40}}, SHARES)
    assert (found.branches, found.tested, found.worst) == (2, 1, "b")
    assert check_branches({"tiny": {"call": 1}}, SHARES).worst is None


def test_branches_that_all_miss_the_split_alike_are_one_fault_not_many() -> None:
    alike = {branch: {"call": 90, "": 10} for branch in "abc"}
    assert check_branches(alike, SHARES).passes
    assert not check_branches({**alike, "d": {"call": 60, "": 90}}, SHARES).passes


def test_a_sound_assignment_is_hardly_ever_withheld() -> None:
    """400 campaigns drawn as declared, 20 branches, an outcome before that says nothing of the arm."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(400):
        treated = rng.binomial(60, 0.6, 20)
        by_branch = {f"b{i}": {"call": int(n), "": 60 - int(n)} for i, n in enumerate(treated)}
        n = int(treated.sum())
        before = welch(of_values(rng.lognormal(5, 1, n)), of_values(rng.lognormal(5, 1, 1200 - n)), 0.05)
        observed = Observed({"call": n, "": 1200 - n}, 1200, by_branch=by_branch, before=before)
        alarms += withheld(health(SHARES, observed))
    assert alarms <= stats.binom.ppf(0.999, 400, 0.003)


def test_a_fixed_rule_is_read_at_the_end_only() -> None:
    early, late = (rule(FixedStop(), effect(9.0), Moment(share, share == 1), 0.05) for share in (0.6, 1.0))
    assert (early.readable, late.readable, early.crossed) == (False, True, False)
    assert early.effect == effect(9.0)


def test_an_always_valid_rule_reads_early_what_its_interval_leaves_zero_out_of() -> None:
    stop = AlwaysValidStop(kind="always_valid", tuned_for=1000)
    clear, unclear = (rule(stop, effect(z), Moment(0.3, final=False), 0.05) for z in (3.2, 2.5))
    assert (clear.readable, clear.crossed, unclear.readable) == (True, True, False)
    assert isinstance(clear.effect, Effect)
    assert clear.effect.interval == pytest.approx(confidence_sequence(3.2, 1.0, 1000, 0.05, 1000))
    assert clear.bound == pytest.approx(3.035, abs=0.001)
    # At the end it is still this interval that decides: having looked earlier has its price.
    final = rule(stop, effect(2.5), Moment(1.0, final=True), 0.05)
    assert isinstance(final.effect, Effect)
    assert final.readable
    assert final.effect.interval[0] < 0 < final.effect.p_value


PLANNED = GroupSequentialStop(kind="group_sequential", looks=[0.25, 0.5, 1.0])


def looked(z: float, share: float, *earlier: Look, final: bool = False) -> tuple[int | None, bool]:
    found = rule(PLANNED, effect(z), Moment(share, final, earlier=earlier), 0.05)
    return found.look, found.crossed


def test_planned_looks_are_taken_once_each_when_their_share_is_there() -> None:
    first = Look(1, 0.3, crossed=False)
    assert looked(9.0, 0.2) == (None, False)
    assert looked(9.0, 0.3) == (1, True)
    assert looked(9.0, 0.4, first) == (None, False)
    assert looked(9.0, 0.6, first) == (2, True)
    assert looked(1.0, 0.6) == (2, False)
    assert looked(0.0, 1.0, first, Look(2, 0.6, crossed=True), final=True) == (3, True)


def test_bounds_are_those_of_the_shares_at_which_looks_came() -> None:
    found = rule(PLANNED, effect(2.0), Moment(0.6, final=False, earlier=[Look(1, 0.3, crossed=False)]), 0.05)
    bound = spending_bounds([0.3, 0.6], 0.05, "obrien_fleming")[-1]
    assert found.bound == pytest.approx(bound)
    assert isinstance(found.effect, Effect)
    assert found.effect.interval == pytest.approx((2 - bound, 2 + bound))
    # The last look spends what is left, also when fewer came than were planned for.
    last = rule(PLANNED, effect(2.0), Moment(0.9, final=True), 0.05)
    assert (last.look, last.share) == (3, 1.0)
    assert last.bound == pytest.approx(1.959964)


def test_before_the_number_of_customers_is_known_there_is_no_planned_look() -> None:
    found = rule(PLANNED, effect(9.0), Moment(0.9, final=False, known=False), 0.05)
    assert (found.look, found.readable) == (None, False)


@pytest.mark.parametrize("looks", [[0.5], [0.5, 0.9], [0.5, 0.5, 1.0], [0.5, 0.505, 1.0], [0.0, 1.0]])
def test_looks_that_mean_nothing_cannot_be_registered(looks: list[float]) -> None:
    with pytest.raises(ValueError, match="looks"):
        GroupSequentialStop(kind="group_sequential", looks=looks)


def guardrail(difference: float, margin: float | None, better: int = -1) -> Guardrail:
    return Guardrail("complaints_30d", better, effect(difference), margin)


def test_with_a_margin_non_inferiority_decides() -> None:
    # The interval of 0.5 ± 1.96 rules out 2.6 more complaints, not 2.4; no harm is shown either way.
    assert not guardrail(0.5, 2.6).harmed
    assert guardrail(0.5, 2.4).harmed
    assert not guardrail(0.5, None).harmed
    # Harm that is shown and smaller than the margin was agreed to be borne.
    assert guardrail(2.1, None).harmed
    assert not guardrail(2.1, 4.2).harmed
    assert guardrail(-0.5, 2.4, better=1).harmed
    assert not guardrail(-0.5, 2.6, better=1).harmed


def test_an_early_verdict_speaks_of_the_whole_and_leaves_cells_for_later() -> None:
    rng = np.random.default_rng(1)
    cells = [
        Cell(arm, "s", f"hq.b{i}", of_values(rng.normal(200 if arm else 0, 300, 40)))
        for i in range(5)
        for arm in ("call", "")
    ]
    design = Design({"call": 0.5, "": 0.5}, ["branch"], 0.05, None)
    measured = Measured("net_inflow_30d", "sum", 1, cells)

    def told(stop: FixedStop | AlwaysValidStop, *, final: bool) -> tuple[str, int]:
        found = assess(
            replace(design, stop=stop),
            measured,
            [],
            {"call": 400, "": 400},
            matured=400,
            closed=final,
            cost=None,
            moment=Moment(0.5, final),
        )
        return found.advice.rule, len(found.found.cells)

    always = AlwaysValidStop(kind="always_valid", tuned_for=800)
    assert told(FixedStop(), final=False) == ("window-open", 0)
    assert told(always, final=False) == ("effect-positive", 0)
    assert told(always, final=True) == ("effect-positive", 5)
