"""Shares of the next round: the best arm is found, nobody falls below the floor, estimates stay unbiased."""

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.allocation import ArmMoments, allocate, default_floor, top_two
from services.evaluation.domain.moments import Moments, of_values

MEANS = (0.0, 1.0, 2.0, 3.0)
SPREAD, ROUND, ROUNDS, HOLD_OUT = 12.0, 1_500, 5, 0.1


def arm(key: str, mean: float, n: int = 400, spread: float = 10.0) -> ArmMoments:
    return ArmMoments(key, n, mean, spread**2 * (n - 1))


def test_shares_follow_the_formula_and_add_up_with_the_hold_out() -> None:
    arms = [arm("a", 0.0), arm("b", 0.5), arm("c", 1.5)]
    found = allocate(arms, "mean", 1, hold_out=0.2, floor=0.05)
    w = top_two(np.array([each.best for each in found]))
    assert w.sum() == pytest.approx(1)
    expected = 0.8 * (0.05 + (1 - 3 * 0.05) * w)
    assert [each.share for each in found] == pytest.approx(expected, abs=1e-4)
    assert sum(each.share for each in found) + 0.2 == pytest.approx(1, abs=1e-12)
    assert max(found, key=lambda each: each.share).arm == "c"
    assert found[2].expected_loss < found[1].expected_loss < found[0].expected_loss
    assert allocate(arms, "mean", 1, hold_out=0.2, floor=0.05) == found


def test_the_chance_of_being_best_is_that_of_the_posterior() -> None:
    two = allocate([arm("a", 0.0), arm("b", 1.0)], "mean", 1, hold_out=0.0)
    error = 10 * (2 / 400) ** 0.5
    assert two[1].best == pytest.approx(stats.norm.cdf(1.0 / error), abs=0.01)
    floor = default_floor(2)
    assert two[1].share == pytest.approx(floor + (1 - 2 * floor) * two[1].best, abs=1e-4)
    lost = error * stats.norm.pdf(1 / error) - stats.norm.sf(1 / error)
    assert two[1].expected_loss == pytest.approx(lost, abs=0.01)


def test_proportions_and_outcomes_of_which_less_is_better() -> None:
    rates = [ArmMoments("a", 1_000, 0.10, 90.0), ArmMoments("b", 1_000, 0.13, 113.1)]
    draws = np.random.default_rng(1).beta([[101], [131]], [[901], [871]], size=(2, 200_000))
    best = float((draws[1] > draws[0]).mean())
    assert allocate(rates, "proportion", 1, hold_out=0.0)[1].best == pytest.approx(best, abs=0.01)
    assert allocate(rates, "proportion", -1, hold_out=0.0)[0].best == pytest.approx(best, abs=0.01)
    never = [ArmMoments("a", 50, 0.0, 0.0), ArmMoments("b", 50, 0.0, 0.0)]
    assert allocate(never, "proportion", 1, hold_out=0.0)[0].best == pytest.approx(0.5, abs=0.02)


def test_one_arm_takes_all_that_is_not_held_out_and_the_floor_holds_for_a_hopeless_one() -> None:
    (only,) = allocate([arm("a", 1.0)], "mean", 1, hold_out=0.1)
    assert only.share == pytest.approx(0.9)
    assert (only.best, only.expected_loss) == (1.0, 0.0)
    hopeless = allocate([arm("a", -100.0), arm("b", 5.0), arm("c", 5.0)], "mean", 1, hold_out=0.0)
    assert hopeless[0].share == pytest.approx(default_floor(3), abs=1e-3)


@pytest.mark.parametrize(
    ("arms", "floor"), [([], None), ([arm("a", 0), arm("b", 0)], 0.6), ([ArmMoments("a", 1, 0, 0)], None)]
)
def test_what_cannot_be_shared_is_an_error(arms: list[ArmMoments], floor: float | None) -> None:
    with pytest.raises(ValueError, match="arm"):
        allocate(arms, "mean", 1, hold_out=0.1, floor=floor)


def rounds(seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Five rounds, each by what those before have shown: IPW means of the arms, and the shares."""
    rng = np.random.default_rng(seed)
    seen = [Moments()] * len(MEANS)
    weighted = np.zeros(len(MEANS))
    shares = np.full(len(MEANS), (1 - HOLD_OUT) / len(MEANS))
    drawn = []
    for _ in range(ROUNDS):
        drawn.append(shares)
        n = rng.multinomial(ROUND, [*shares, HOLD_OUT])[: len(MEANS)]
        outcomes = [rng.normal(mean, SPREAD, size) for mean, size in zip(MEANS, n, strict=True)]
        weighted += [y.sum() / p / ROUND / ROUNDS for y, p in zip(outcomes, shares, strict=True)]
        seen = [one.merge(of_values(y)) for one, y in zip(seen, outcomes, strict=True)]
        known = [ArmMoments(str(i), each.n, each.mean_y, each.m2_y) for i, each in enumerate(seen)]
        told = allocate(known, "mean", 1, hold_out=HOLD_OUT, draws=4_000)
        shares = np.array([each.share for each in told])
    return weighted, [*drawn, shares]


def judged(seeds: range) -> tuple[int, np.ndarray, float]:
    """How often the best arm has most in the end; z of the IPW errors; the least share ever."""
    found = [rounds(seed) for seed in seeds]
    right = sum(int(shares[-1].argmax()) == len(MEANS) - 1 for _, shares in found)
    errors = np.array([weighted for weighted, _ in found]) - np.array(MEANS)
    z = errors.mean(axis=0) / (errors.std(axis=0, ddof=1) / len(found) ** 0.5)
    return right, z, min(float(shares.min()) for _, drawn in found for shares in drawn)


def test_the_best_arm_is_found_the_floor_holds_and_the_final_estimate_is_unbiased() -> None:
    right, z, least = judged(range(40))
    assert right >= 36
    assert np.abs(z).max() < 4
    assert least >= (1 - HOLD_OUT) * default_floor(len(MEANS)) - 1e-3


@pytest.mark.slow
def test_the_same_over_a_thousand_programmes(capsys: pytest.CaptureFixture[str]) -> None:
    right, z, least = judged(range(1_000))
    with capsys.disabled():
        print(
            f"\nbest arm ahead in {right} of 1,000; IPW errors {z.round(2)} standard errors; least {least:.4f}"
        )
    assert right >= 900
    assert np.abs(z).max() < 4
    assert least >= (1 - HOLD_OUT) * default_floor(len(MEANS)) - 1e-3
