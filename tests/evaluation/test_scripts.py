"""Versions of scripts compared, in numbers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.breakdown import Cell, break_down
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.moments import of_values
from services.evaluation.domain.scripts import ScriptArm, against_each_other, of_scripts

ARMS = [
    ScriptArm("warm", "w@2", "manager_task", "fund"),
    ScriptArm("warm-too", "w@2", "manager_task", "fund"),
    ScriptArm("plain", "w@1", "manager_task", "fund"),
    ScriptArm("sms", "s@1", "sms", "bond"),
]
MEANS = {"warm": 30.0, "warm-too": 31.0, "plain": 10.0, "sms": 11.0, "": 0.0}


def outcomes(arm: str, branch: str) -> list[float]:
    """Forty customers; another branch is richer by 100, which is nobody's effect."""
    rng = np.random.default_rng(sum(map(ord, arm + branch)))
    return list(np.round(rng.normal(MEANS[arm] + (100 if branch == "b" else 0), 5, 40), 2))


def cells(arms: list[str], branches: str = "ab") -> list[Cell]:
    scripts = {arm.key: arm.script for arm in ARMS}
    return [
        Cell(arm, "s", branch, of_values(outcomes(arm, branch)), scripts.get(arm, ""))
        for arm in arms
        for branch in branches
    ]


def test_a_version_is_the_pool_of_its_arms_against_the_hold_out() -> None:
    found = {each.script: each for each in of_scripts(cells(list(MEANS), "a"), ARMS, "sum", 0.05)}
    assert {script: each.arms for script, each in found.items()} == {
        "s@1": ("sms",),
        "w@1": ("plain",),
        "w@2": ("warm", "warm-too"),
    }
    pooled, control = [*outcomes("warm", "a"), *outcomes("warm-too", "a")], outcomes("", "a")
    expected = stats.ttest_ind(pooled, control, equal_var=False)
    effect = found["w@2"].effect
    assert isinstance(effect, Effect)
    assert (effect.n, effect.n_control, effect.method) == (80, 40, "welch")
    assert effect.difference == pytest.approx(np.mean(pooled) - np.mean(control))
    assert effect.p_value == pytest.approx(expected.pvalue)
    assert effect.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_versions_are_compared_with_each_other_and_say_what_else_differs() -> None:
    found = {
        (each.script, each.other): each
        for each in against_each_other(cells(list(MEANS), "a"), ARMS, "sum", 0.05)
    }
    assert list(found) == [("s@1", "w@1"), ("s@1", "w@2"), ("w@1", "w@2")]
    assert [each.also_differ_in for each in found.values()] == [
        ("channel", "offer"),
        ("channel", "offer"),
        (),
    ]
    words = found["w@1", "w@2"]
    pooled = [*outcomes("warm", "a"), *outcomes("warm-too", "a")]
    expected = stats.ttest_ind(outcomes("plain", "a"), pooled, equal_var=False)
    assert isinstance(words.effect, Effect)
    assert (words.n, words.n_other) == (40, 80)
    assert words.effect.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    p_values = [each.effect.p_value for each in found.values() if isinstance(each.effect, Effect)]
    assert [each.q_value for each in found.values()] == pytest.approx(
        list(stats.false_discovery_control(p_values))
    )


def test_versions_compare_where_nobody_was_held_out() -> None:
    treated = cells(["warm", "plain"], "a")
    (plain, warm) = of_scripts(treated, [ARMS[0], ARMS[2]], "sum", 0.05)
    assert isinstance(plain.effect, NoEffect)
    assert isinstance(warm.effect, NoEffect)
    (versus,) = against_each_other(treated, [ARMS[0], ARMS[2]], "sum", 0.05)
    assert isinstance(versus.effect, Effect)
    assert against_each_other(treated, [ARMS[0]], "sum", 0.05) == []
    (nobody, other) = (each for each in against_each_other(treated, ARMS[:1] + ARMS[2:], "sum", 0.05)[:2])
    for each in (nobody, other):
        assert (each.q_value, isinstance(each.effect, NoEffect)) == (None, True)


def test_a_breakdown_by_script_takes_the_whole_hold_out_of_the_same_branch() -> None:
    every = cells(["warm", "plain", ""])
    found = {each.values: each for each in break_down(every, ["script", "branch"], "sum", 0.05)}
    assert list(found) == [("w@1", "a"), ("w@1", "b"), ("w@2", "a"), ("w@2", "b")]
    for (script, branch), each in found.items():
        arm = "plain" if script == "w@1" else "warm"
        assert (each.n, each.n_control) == (40, 40)
        assert isinstance(each.effect, Effect)
        expected = np.mean(outcomes(arm, branch)) - np.mean(outcomes("", branch))
        assert each.effect.difference == pytest.approx(expected)
    whole = break_down(every, ["script"], "sum", 0.05)
    assert [(each.values, each.n, each.n_control) for each in whole] == [
        (("w@1",), 80, 80),
        (("w@2",), 80, 80),
    ]
    # Without scripts nothing has changed: arms together against their own hold-out.
    assert [(each.n, each.n_control) for each in break_down(every, ["branch"], "sum", 0.05)] == [(80, 40)] * 2
