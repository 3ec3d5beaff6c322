"""Questions about sizes, through the API: answered alike in both directions, or refused by field."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.evaluation.domain.sample_size import Unanswerable, question_errors, sample_size
from shared.auth import Role
from shared.contracts.evaluation.sample_size import SampleSize, SampleSizeRequest
from tests.support import Running


@pytest.fixture
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist) as client:
        yield client


def answer(**asked: Any) -> SampleSize:
    request = SampleSizeRequest.model_validate(asked)
    assert question_errors(request) == []
    found = sample_size(request)
    assert isinstance(found, SampleSize), found
    return found


@pytest.mark.parametrize(("size", "each"), [(0.2, 394), (0.5, 64), (0.8, 26)])
def test_means_equal_cohen_rounded_up(size: float, each: int) -> None:
    """Cohen (1988), table 2.4.1: 393.41, 63.77, 25.52."""
    found = answer(kind="mean", effect=size * 30, deviation=30)
    assert (found.treated, found.hold_out, found.units) == (each, each, 2 * each)


def test_proportions_equal_r() -> None:
    """R's example(power.prop.test): .50 against .75 at power .90 needs 76.7 per group."""
    found = answer(kind="proportion", base=0.5, effect=0.25, power=0.9)
    assert (found.treated, found.hold_out) == (77, 77)


RATIO = {
    "kind": "ratio",
    "base": 2.0,
    "deviation": 6.0,
    "denominator": {"mean": 10, "deviation": 3, "correlation": 0.4},
}


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "mean", "deviation": 900.0},
        {"kind": "mean", "deviation": 900.0, "explained": 0.4, "hold_out": 0.1},
        {"kind": "mean", "deviation": 900.0, "goal": "non_inferiority"},
        {"kind": "mean", "deviation": 900.0, "clusters": {"size": 40, "icc": 0.05, "size_variation": 0.3}},
        {"kind": "proportion", "base": 0.04, "hold_out": 0.2},
        {"kind": "proportion", "base": 0.04, "goal": "non_inferiority"},
        {"kind": "proportion", "base": 0.3, "clusters": {"size": 25, "icc": 0.02}},
        {**RATIO, "hold_out": 0.3},
    ],
)
def test_the_smallest_effect_of_so_many_needs_so_many(asked: dict[str, Any]) -> None:
    smallest = answer(**asked, units=8000)
    back = answer(**asked, effect=smallest.effect)
    assert back.units == pytest.approx(8000, rel=0.01)
    assert smallest.units == 8000
    assert back.treated / back.units == pytest.approx(1 - asked.get("hold_out", 0.5), abs=0.01)
    assert answer(**asked, effect=smallest.effect / 2).units > 3.5 * back.units


def test_clusters_inflate_and_count() -> None:
    alone = answer(kind="mean", deviation=1, effect=0.2)
    drawn = answer(kind="mean", deviation=1, effect=0.2, clusters={"size": 200, "icc": 0.05})
    assert drawn.design_effect == pytest.approx(10.95)
    assert drawn.units > 10.95 * alone.units
    assert drawn.clusters is not None
    assert drawn.clusters * 200 >= drawn.units


LOOKS = {"kind": "group_sequential", "looks": [0.2, 0.4, 0.6, 0.8, 1.0]}
ALWAYS = {"kind": "always_valid", "tuned_for": 12_000}


@pytest.mark.parametrize(
    ("stop", "bound"),
    [
        ({"kind": "fixed"}, 1.95996),
        # Lan and DeMets with five looks: the bounds of the last ones.
        (LOOKS, 2.0310),
        ({**LOOKS, "spending": "pocock"}, 2.3860),
        # √((w + 1) / w · (ln(w + 1) − 2 ln .05)) with w = −2 ln .05 + ln(1 − 2 ln .05) = 7.936.
        (ALWAYS, 3.0352),
    ],
)
def test_what_can_be_found_is_by_the_bound_that_the_rule_has_in_the_end(
    stop: dict[str, Any], bound: float
) -> None:
    found = answer(kind="mean", deviation=1, units=12_000, hold_out=0.1, stop=stop)
    # (bound + z.2) √(1/10800 + 1/1200), by the normal.
    assert found.effect == pytest.approx((bound + 0.841621) * (1 / 10_800 + 1 / 1_200) ** 0.5, rel=2e-4)
    assert found.alpha == 0.05
    if stop != ALWAYS:
        again = answer(kind="mean", deviation=1, effect=found.effect, hold_out=0.1, stop=stop)
        assert again.units == pytest.approx(12_000, abs=2)


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"deviation": 1}, "/effect"),
        ({"deviation": 1, "effect": 1, "units": 10}, "/effect"),
        ({"deviation": 1, "effect": 0}, "/effect"),
        ({"effect": 1}, "/deviation"),
        ({"deviation": 1, "effect": 1, "base": 2}, "/base"),
        ({"deviation": 1, "effect": 1e-12}, "/effect"),
        ({"kind": "proportion", "effect": 0.1}, "/base"),
        ({"kind": "proportion", "base": 1.2, "effect": 0.1}, "/base"),
        ({"kind": "proportion", "base": 0.95, "effect": 0.1}, "/effect"),
        ({"kind": "proportion", "base": 0.5, "effect": 0.1, "deviation": 1}, "/deviation"),
        ({"kind": "proportion", "base": 0.5, "effect": 0.1, "explained": 0.5}, "/explained"),
        ({"kind": "proportion", "base": 0.0, "effect": 0.1, "goal": "non_inferiority"}, "/base"),
        ({"kind": "proportion", "base": 0.97, "units": 8}, "/units"),
        ({"kind": "ratio", "base": 1, "deviation": 1, "effect": 1}, "/denominator"),
        ({"deviation": 1, "effect": -1, "goal": "non_inferiority"}, "/effect"),
        ({"deviation": 1, "units": 100, "clusters": {"size": 50, "icc": 0.1}}, "/units"),
        ({"deviation": 1, "effect": 1, "goal": "non_inferiority", "stop": LOOKS}, "/stop"),
        ({"deviation": 1, "effect": 1, "stop": ALWAYS}, "/units"),
        ({"deviation": 1, "units": 9000, "stop": ALWAYS, "clusters": {"size": 9, "icc": 0.1}}, "/clusters"),
        (
            {
                **RATIO,
                "deviation": 6,
                "effect": 1,
                "base": 2,
                "denominator": {"mean": 1, "deviation": 3, "correlation": 1},
            },
            "/denominator",
        ),
    ],
)
def test_a_question_without_an_answer_says_which_field(asked: dict[str, Any], pointer: str) -> None:
    request = SampleSizeRequest.model_validate(asked)
    errors: list[SampleSize | Unanswerable] = [*question_errors(request)]
    told = errors or [sample_size(request)]
    assert pointer in [error.pointer for error in told if isinstance(error, Unanswerable)]


@pytest.mark.parametrize(
    "asked",
    [
        {"deviation": 1e15, "effect": 1e-9, "hold_out": 0.001},
        {"deviation": 1e-9, "effect": 1e15},
        {"kind": "proportion", "base": 0.0, "effect": 1.0},
        {"kind": "proportion", "base": 0.0, "units": 4},
        {"kind": "proportion", "base": 1.0, "effect": -1.0},
        {"deviation": 1, "units": 4, "power": 0.9999, "alpha": 1e-6},
        {"deviation": 1, "effect": 1e-15, "clusters": {"size": 1e9, "icc": 1, "size_variation": 100}},
        {"deviation": 1, "units": 1_000_000_000},
    ],
)
def test_extremes_are_answered_or_refused(asked: dict[str, Any]) -> None:
    request = SampleSizeRequest.model_validate(asked)
    errors = question_errors(request)
    found = errors[0] if errors else sample_size(request)
    if isinstance(found, SampleSize):
        SampleSize.model_validate_json(found.model_dump_json())


async def test_the_api_answers_and_refuses(strategist: httpx.AsyncClient) -> None:
    asked = {"kind": "mean", "effect": 200, "deviation": 1000, "hold_out": 0.1}
    found = await strategist.post("/v1/sample-size", json=asked)
    assert found.status_code == 200, found.text
    # σ² (z.025 + z.2)² / (δ² h (1 − h)) = 2180.1 by the normal.
    assert 2180 < found.json()["units"] < 2190
    for wrong, pointer in (({"effect": 1}, "/deviation"), ({"effect": "NaN", "deviation": 1}, "/effect")):
        refused = await strategist.post("/v1/sample-size", json=wrong)
        assert refused.status_code == 422
        assert pointer in [error["pointer"] for error in refused.json()["errors"]]
