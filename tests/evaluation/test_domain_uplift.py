"""Response models on worlds whose effects are known."""

import numpy as np
import pytest

from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.uplift import LEAST, Scores, Trial, Uplift, judge, model

ALPHA = 0.05


def world(n: int, seed: int, effect: float) -> tuple[Trial, np.ndarray]:
    """Customers of segment 2 gain three times `effect`, all others lose half of it."""
    rng = np.random.default_rng(seed)
    segment, known = rng.integers(0, 4, n), rng.normal(size=(n, 3))
    treated = rng.random(n) < 0.7
    true = effect * np.where(segment == 2, 3.0, -0.5)
    outcome = 2 * known[:, 0] + rng.normal(size=n) * 2 + treated * true
    features = np.column_stack([segment.astype(float), known])
    return Trial(features, 1, treated, outcome, np.full(n, 0.7), proportion=False), true


def test_who_responds_is_found_and_choosing_them_is_worth_it() -> None:
    trial, true = world(4_000, 1, 1.0)
    found = model(trial, 1, ALPHA, 3)
    assert isinstance(found, Uplift)
    assert found.verdict == "differs"
    assert found.everybody.interval[0] < true.mean() < found.everybody.interval[1]
    best = np.where(true > 0, true, 0.0).mean()
    assert found.chosen.interval[0] < best < found.chosen.interval[1]
    assert found.gain.interval[0] > 0
    tops, ends = found.groups[0], found.groups[-1]
    assert tops.effect.interval[0] > 2
    assert ends.effect.value < 0
    assert found.curve[0] == (0.0, 0.0)
    assert found.curve[-1][1] == pytest.approx(found.everybody.value)
    assert found == model(trial, 1, ALPHA, 3), "the same again gives the same"


def test_nothing_is_found_where_all_respond_alike() -> None:
    found = [model(world(2_000, 100 + seed, 0.0)[0], 1, ALPHA, 3) for seed in range(4)]
    assert [each.verdict for each in found if isinstance(each, Uplift)] == ["no_evidence"] * 4


def test_less_may_be_wanted() -> None:
    trial, true = world(4_000, 2, -1.0)
    found = model(trial, -1, ALPHA, 3)
    assert isinstance(found, Uplift)
    assert found.verdict == "differs"
    assert found.groups[0].effect.value < 0 < found.groups[-1].effect.value
    assert found.gain.interval[0] > 0
    assert found.share == pytest.approx((true < 0).mean(), abs=0.15)


def test_a_curve_by_hand() -> None:
    """Four tens of customers, best first, of whom ψ is 4, 2, 0, −2: Q is 1 at a quarter, 1.5 at a half, and 1
    at the end; AUUC = Σ (n − i + ½)/n · ψ / n = (35 · 4 + 25 · 2 + 15 · 0 − 5 · 2)/40 / 4.
    """
    tens = np.repeat([1.0, 4.0, 3.0, 2.0], 10)
    treated = np.arange(40) % 2 == 0
    trial = Trial(np.zeros((40, 1)), 1, treated, np.zeros(40), np.full(40, 0.5), proportion=False)
    found = judge(trial, Scores(tens, np.repeat([-2.0, 4.0, 2.0, 0.0], 10)), 1, ALPHA)
    curve = {round(share, 2): value for share, value in found.curve}
    assert [curve[at] for at in (0.25, 0.5, 1.0)] == pytest.approx([1.0, 1.5, 1.0])
    assert found.auuc == pytest.approx((35 * 4 + 25 * 2 + 15 * 0 - 5 * 2) / 40 / 4)
    assert found.qini.value == pytest.approx(found.auuc - 1.0 / 2)
    assert found.band[0] == (0.0, 0.0)
    assert found.band[-1] == pytest.approx(found.everybody.interval)
    assert found.band[5] == pytest.approx((1 - 1.96 * 0.277, 1 + 1.96 * 0.277), abs=0.02)
    assert (found.share, found.over_lot.value) == (1.0, 0.0)


def test_choosing_is_compared_with_everybody_nobody_and_a_lot() -> None:
    """Chosen are the three tens of whom more is expected than nothing: ψ of theirs is 4, 2 and 0, of the rest
    −2. Per customer of everybody: chosen 1.5, all 1, as many by lot ¾ · 1.
    """
    expected, robust = np.repeat([-1.0, 4.0, 3.0, 2.0], 10), np.repeat([-2.0, 4.0, 2.0, 0.0], 10)
    treated = np.arange(40) % 2 == 0
    trial = Trial(np.zeros((40, 1)), 1, treated, np.zeros(40), np.full(40, 0.5), proportion=False)
    found = judge(trial, Scores(expected, robust), 1, ALPHA)
    told = (found.share, found.chosen.value, found.everybody.value, found.gain.value, found.over_lot.value)
    assert told == pytest.approx((0.75, 1.5, 1.0, 0.5, 0.75))
    assert judge(trial, Scores(-expected, -robust), -1, ALPHA).over_lot == found.over_lot


def test_too_few_is_no_model() -> None:
    trial, _ = world(LEAST, 1, 1.0)
    assert model(trial, 1, ALPHA, 3) == NoEffect("too-few", NO_MORE.format(*_sizes(trial)))
    flat, _ = world(4_000, 1, 1.0)
    same = Trial(flat.features, 1, flat.treated, np.ones(4_000), flat.propensity, proportion=False)
    found = model(same, 1, ALPHA, 3)
    assert isinstance(found, NoEffect)
    assert found.code == "no-variance"


NO_MORE = "{} treated and {} held out have lived through their window; 500 of each are needed"


def _sizes(trial: Trial) -> tuple[int, int]:
    return int(trial.treated.sum()), int((~trial.treated).sum())
