"""Policies are valued on customers they were not learned on, and acted on only beyond chance."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.comparison import compare
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.moments import Moments
from services.evaluation.domain.policies import Candidate, best, candidates
from services.evaluation.domain.policy_value import FOLDS, Gain, Statistics, gain
from services.evaluation.domain.recommend import Advice, Findings, advise, expected
from services.evaluation.domain.scripts import ScriptArm
from tests.evaluation.policy_world import World, of_customers

ARMS = (ScriptArm("call", "w@1", "manager_task", "wealth"), ScriptArm("sms", "s@1", "sms", "wealth"))
SAME_CHANNEL = (ScriptArm("call", "w@1", "sms", "wealth"), ScriptArm("sms", "w@2", "sms", "wealth"))
SHARES = {"call": 0.4, "sms": 0.4, "": 0.2}


def customers(
    seed: int = 3, n: int = 3_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fold, cell, arm, outcome (heavy tailed, far from zero) and propensity, which differs between people."""
    rng = np.random.default_rng(seed)
    fold, cell = rng.integers(0, FOLDS, n), rng.integers(0, 3, n)
    tilt = rng.uniform(0.2, 0.6, n)
    p = np.column_stack([tilt, 0.8 - tilt, np.full(n, 0.2)])
    arm = (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    y = 1e6 + rng.lognormal(3, 1, n) + 10 * (arm == 0) * (cell == 1)
    return fold, cell, arm, y - y.mean(), p[np.arange(n), arm]


def test_statistics_value_a_policy_as_its_customers_one_by_one_would() -> None:
    fold, cell, arm, y, p = customers()
    of = of_customers(fold, cell, arm, y, p, ("call", "sms", ""))
    rng = np.random.default_rng(5)
    policies = rng.dirichlet(np.ones(3), size=(FOLDS, 3))
    today = np.array([0.5, 0.5, 0.0])
    found = gain(of, policies, today)
    assert isinstance(found, Gain)
    scores, weighted = np.zeros(y.size), np.zeros(y.size)
    for k in range(FOLDS):
        mu = np.array(
            [[np.average(y[s], weights=1 / p[s]) for a in range(3) if (s := _seen(fold, cell, arm, k, c, a)).any()]
             for c in range(3)]
        )  # fmt: skip
        here = fold == k
        d = policies[k] - today
        own, model = d[cell[here], arm[here]], mu[cell[here], arm[here]]
        scores[here] = (d * mu).sum(axis=1)[cell[here]] + own * (y[here] - model) / p[here]
        weighted[here] = own * y[here] / p[here]
    assert found.n == y.size
    assert found.value == pytest.approx(scores.mean(), rel=1e-9)
    assert found.standard_error == pytest.approx(scores.std(ddof=1) / y.size**0.5, rel=1e-9)
    assert found.ipw == pytest.approx(weighted.mean(), rel=1e-9)
    assert found.ipw_error == pytest.approx(weighted.std(ddof=1) / y.size**0.5, rel=1e-9)


def _seen(fold: np.ndarray, cell: np.ndarray, arm: np.ndarray, left_out: int, c: int, a: int) -> np.ndarray:
    return np.asarray((fold != left_out) & (cell == c) & (arm == a))


def test_what_all_folds_learn_is_what_everybody_shows() -> None:
    fold, cell, arm, y, p = customers()
    seen = of_customers(fold, cell, arm, y, np.full_like(p, 0.5), ("call", "sms", "")).without(None)
    here = (cell == 1) & (arm == 0)
    assert seen.n[1, 0] == here.sum()
    assert seen.mean[1, 0] == pytest.approx(y[here].mean(), rel=1e-9)
    assert seen.m2[1, 0] == pytest.approx(((y[here] - y[here].mean()) ** 2).sum(), rel=1e-9)
    arms = seen.over_first()
    assert (arms.n[0], arms.mean[0]) == ((arm == 0).sum(), pytest.approx(y[arm == 0].mean()))
    assert arms.m2[0] == pytest.approx(((y[arm == 0] - y[arm == 0].mean()) ** 2).sum())


def test_doing_the_same_again_gains_nothing_and_says_so() -> None:
    fold, cell, arm, y, p = customers()
    of = of_customers(fold, cell, arm, y, p, ("call", "sms", ""))
    today = np.array([0.5, 0.5, 0.0])
    found = gain(of, np.broadcast_to(today, of.of.n.shape), today)
    assert isinstance(found, NoEffect)
    assert found.code == "no-variance"


def world(means: list[list[float]], customers: int = 6_000) -> World:
    return World(np.array(means), SHARES, np.full(len(means), 1 / len(means)), customers)


def of_action(found: list[Candidate], action: str) -> Candidate:
    return next(candidate for candidate in found if candidate.action == action)


def test_cells_that_gain_are_aimed_at_and_the_value_is_that_of_leaving_the_others_alone() -> None:
    helped_and_hurt = world([[6.0, 6.0, 0.0], [6.0, 6.0, 0.0], [-6.0, -6.0, 0.0]])
    of = helped_and_hurt.statistics(np.random.default_rng(1))
    found = candidates(helped_and_hurt.trial({"segment": of}, ARMS))
    aimed = of_action(found, "re_target")
    assert (aimed.dimension, aimed.cells, aimed.outcome) == ("segment", ("c0", "c1"), "act")
    low, high = aimed.interval
    assert low <= 2.0 <= high  # a third of the customers are spared a loss of 6
    assert isinstance(aimed.lift, Gain)
    assert aimed.lift.interval(0.05)[0] <= 6.0 <= aimed.lift.interval(0.05)[1]
    assert best(found, 1, 0.05) is aimed


def in_tiers(of: Statistics, *codes: str) -> Statistics:
    return replace(of, cells=codes)


def test_tiers_are_aimed_at_under_their_scheme_and_whoever_has_none_goes_on_as_he_was() -> None:
    hurt = world([[-6.0, -6.0, 0.0], [6.0, 6.0, 0.0], [6.0, 6.0, 0.0], [-6.0, -6.0, 0.0]])
    of = in_tiers(hurt.statistics(np.random.default_rng(1)), "", "gold", "platinum", "standard")
    found = candidates(replace(hurt.trial({"tier": of}, ARMS[:1]), scheme="value-tiers"))
    aimed = of_action(found, "re_target")
    assert (aimed.dimension, aimed.scheme, aimed.outcome) == ("tier", "value-tiers", "act")
    assert aimed.cells == ("gold", "platinum")
    low, high = aimed.interval
    # A quarter of the customers are spared a loss of 6; the quarter without a tier is not.
    assert low <= 1.5 <= high < 3.0
    only = in_tiers(world([[-6.0, -6.0, 0.0], [6.0, 6.0, 0.0]]).statistics(np.random.default_rng(1)), "", "x")
    assert candidates(hurt.trial({"tier": only}, ARMS[:1])) == []


@pytest.mark.parametrize(
    ("dimension", "makes"),
    [("segment", "draft_campaign"), ("branch", "draft_campaign"), ("tier", "draft_segment")],
)
def test_what_accepting_does_follows_from_the_action_and_from_whom_it_aims_at(
    dimension: str, makes: str
) -> None:
    aimed = world([[6.0, 6.0, 0.0], [-6.0, -6.0, 0.0]])
    of = aimed.statistics(np.random.default_rng(1))
    policy = of_action(candidates(aimed.trial({dimension: of}, ARMS)), "re_target")
    assert Advice("re_target", "act", "targeting-better", policy=policy).follow_up == makes
    assert Advice("continue", "act", "effect-positive").follow_up == "draft_campaign"
    assert Advice("stop", "no_evidence", "effect-absent").follow_up == "stop_campaign"
    assert Advice("extend", "no_evidence", "window-open").follow_up == "none"


def test_the_better_channel_is_used_alone_and_the_better_script_likewise() -> None:
    one_works = world([[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    of = one_works.statistics(np.random.default_rng(2))
    found = candidates(one_works.trial({"segment": of}, ARMS))
    assert {candidate.action for candidate in found} == {"re_channel", "re_allocate"}
    channel = of_action(found, "re_channel")
    assert channel.shares == {"call": pytest.approx(0.8)}
    assert channel.outcome == "act"
    low, high = channel.interval
    assert low <= 2.0 <= high
    shares = of_action(found, "re_allocate").shares
    assert sum(shares.values()) == pytest.approx(0.8)
    assert shares["call"] > 0.5 > shares["sms"] >= 0.8 * 0.1 - 1e-3
    assert best(found, 1, 0.05) is channel
    words = candidates(one_works.trial({"segment": of}, SAME_CHANNEL))
    assert of_action(words, "re_script").shares == channel.shares


def test_less_is_better_for_some_outcomes() -> None:
    complaints = World(np.array([[0.0, 4.0, 3.0], [0.0, 4.0, 3.0]]), SHARES, np.full(2, 0.5), better=-1)
    of = complaints.statistics(np.random.default_rng(2))
    found = candidates(complaints.trial({"segment": of}, ARMS))
    channel = of_action(found, "re_channel")
    assert channel.outcome == "act"
    assert channel.shares == {"call": pytest.approx(0.8)}
    assert channel.gain.value < 0


def test_without_a_hold_out_arms_are_compared_and_nobody_is_left_alone() -> None:
    of = World(np.array([[4.0, 0.0], [4.0, 0.0]]), {"call": 0.5, "sms": 0.5}, np.full(2, 0.5))
    found = candidates(of.trial({"segment": of.statistics(np.random.default_rng(2))}, ARMS))
    assert {candidate.action for candidate in found} == {"re_channel", "re_allocate"}
    assert all(isinstance(candidate.lift, NoEffect) for candidate in found)


def test_a_gain_too_small_to_see_is_tested_with_as_many_as_it_takes() -> None:
    slight = world([[0.7, 0.4, 0.0], [0.7, 0.4, 0.0]])
    found = candidates(slight.trial({"segment": slight.statistics(np.random.default_rng(4))}, ARMS))
    channel = of_action(found, "re_channel")
    assert (channel.outcome, channel.gain.value > 0) == ("test_next", True)
    # Three policies were looked at: aiming at fewer cells, one channel, other shares.
    reach = stats.norm.ppf(1 - 0.05 / 3 / 2) + stats.norm.ppf(0.8)
    expected = channel.gain.n * (reach * channel.gain.standard_error / channel.gain.value) ** 2
    assert channel.needed == pytest.approx(expected, abs=1)


def findings(true: World, seed: int) -> Findings:
    """Of the world's first arm and hold-out, with every policy looked at."""
    of = true.statistics(np.random.default_rng(seed))
    arms = of.without(None).over_first()
    treated, control = (
        Moments(int(arms.n[at]), float(arms.mean[at]), float(arms.m2[at])) for at in (0, len(of.arms) - 1)
    )
    effect = compare(treated, control, "sum", 0.05)
    return Findings(True, True, True, effect, 1, 0.05, policies=candidates(true.trial({"segment": of}, ARMS)))


def test_the_best_policy_becomes_the_advice_and_says_what_to_expect() -> None:
    found = findings(world([[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]]), 2)
    advice = advise(found)
    assert (advice.rule, advice.action, advice.outcome) == ("channel-better", "re_channel", "act")
    assert advice.makes_a_draft
    told = expected(advice, found)
    assert told is not None
    value, (low, high) = told
    assert low <= 4.0 <= high
    assert advice.policy is not None
    assert isinstance(advice.policy.lift, Gain)
    assert value == advice.policy.lift.value


def test_the_lesser_harm_is_no_advice() -> None:
    found = findings(world([[-2.0, -9.0, 0.0], [-2.0, -9.0, 0.0]]), 2)
    assert of_action(list(found.policies), "re_channel").outcome == "act"
    advice = advise(found)
    assert (advice.rule, advice.action, advice.makes_a_draft) == ("effect-negative", "stop", False)
    assert expected(advice, found) is None


def test_the_same_again_is_expected_to_do_the_same_again() -> None:
    found = findings(world([[4.0, 4.0, 0.0], [4.0, 4.0, 0.0]]), 2)
    advice = advise(found)
    assert (advice.rule, advice.policy) == ("effect-positive", None)
    assert isinstance(found.effect, Effect)
    assert expected(advice, found) == (found.effect.difference, found.effect.interval)


def noise(seed: int) -> list[Candidate]:
    """Nothing differs, in any dimension, between any arms."""
    rng = np.random.default_rng(seed)
    nothing = World(np.zeros((4, 3)), SHARES, np.array([0.4, 0.3, 0.2, 0.1]))
    branches = World(np.zeros((12, 3)), SHARES, np.full(12, 1 / 12))
    tiers = World(np.zeros((5, 3)), SHARES, np.array([0.4, 0.25, 0.2, 0.1, 0.05]))
    worlds = {"segment": nothing, "branch": branches, "tier": tiers}
    by = {name: each.statistics(rng) for name, each in worlds.items()}
    return candidates(nothing.trial(by, ARMS))


def acted_on_noise(seeds: range) -> int:
    return sum(any(each.outcome == "act" for each in noise(seed)) for seed in seeds)


def test_noise_is_acted_on_no_more_often_than_promised() -> None:
    assert acted_on_noise(range(60)) <= stats.binom.ppf(0.999, 60, 0.05)


@pytest.mark.slow
def test_noise_is_acted_on_no_more_often_than_promised_over_two_thousand_campaigns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acted = acted_on_noise(range(2_000))
    with capsys.disabled():
        print(f"\nacted on noise in {acted} of 2,000 campaigns")
    assert acted <= stats.binom.ppf(0.999, 2_000, 0.05)


def gained(seed: int) -> tuple[float, bool]:
    """A campaign whose cells and arms truly differ: true gain over the same again of what was advised."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(1.0, 3.0, (5, 1)) + rng.normal(0.0, 1.5, (1, 2))
    true = World(np.column_stack([effects, np.zeros(5)]), SHARES, rng.dirichlet(np.full(5, 4.0)))
    of = true.statistics(rng)
    advised = best(candidates(true.trial({"segment": of}, ARMS)), 1, 0.05)
    if advised is None:
        return 0.0, False
    policy = true.today()
    if advised.action == "re_target":
        policy[[cell not in advised.cells for cell in of.cells]] = [0.0, 0.0, 1.0]
    else:
        shares = np.array([advised.shares.get(arm, 0.0) for arm in of.arms])
        policy = np.tile(shares / shares.sum(), (5, 1))
    return true.worth(policy) - true.worth(true.today()), True


def test_advice_beats_doing_the_same_again_in_truth_over_fifty_campaigns() -> None:
    found = [gained(seed) for seed in range(50)]
    gains = np.array([gain for gain, acted in found if acted])
    assert gains.size >= 25  # where campaigns differ so much, many can be improved
    assert gains.mean() > 0.5
    assert (gains >= 0).mean() >= 0.95
    assert float(stats.ttest_1samp([gain for gain, _ in found], 0.0, alternative="greater").pvalue) < 1e-4
