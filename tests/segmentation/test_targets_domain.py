"""Shares, their intervals and what counts as drift; claims about groups; states of insights. By hand."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import stats

from services.segmentation.domain.drift import Period, Point, Sums, judge, months, wilson
from services.segmentation.domain.hypothesis import Arm, adjusted, verdict, welch
from services.segmentation.domain.insight_states import NEXT, check_move
from shared.contracts.segmentation.insights import InsightCreate, InsightState
from shared.errors import Conflict

SHANGHAI = ZoneInfo("Asia/Shanghai")


def _points(*shares: tuple[float, float], known: bool = True) -> list[Point]:
    """One per (inside, total) of equal weights, the last month still running."""
    periods = months(datetime(2026, 11, 22, tzinfo=UTC), SHANGHAI, len(shares) + 1)
    now = periods[-1].start
    return [
        Point(period, Sums(total, inside, total), period.complete(now), known)
        for period, (inside, total) in zip(periods, [*shares, (0.0, 500.0)], strict=True)
    ]


def test_wilson_as_published() -> None:
    low, high = wilson(15 / 148, 148)
    assert (round(low, 5), round(high, 5)) == (0.06239, 0.16049)
    assert wilson(0.5, 0) == (0.0, 1.0)
    assert wilson(0.0, 20)[0] == 0.0
    exact = stats.binomtest(7, 20).proportion_ci(0.95, method="wilson")
    assert wilson(7 / 20, 20) == pytest.approx((exact.low, exact.high))


def test_many_contacts_with_few_customers_are_few() -> None:
    one_each = Sums(total=100, inside=50, squares=100)
    fifty_each = Sums(total=100, inside=50, squares=2 * 50**2)
    assert (one_each.effective_n, fifty_each.effective_n) == (100, 2)
    assert one_each.interval is not None
    assert fifty_each.interval is not None
    assert fifty_each.interval[1] > 0.9 > one_each.interval[1]


def test_months_are_the_banks() -> None:
    # 16:30 UTC on the last of October is November in Shanghai.
    found = months(datetime(2026, 10, 31, 16, 30, tzinfo=UTC), SHANGHAI, 3)
    assert [period.first.isoformat() for period in found] == ["2026-09-01", "2026-10-01", "2026-11-01"]
    assert found[1] == Period(
        found[1].first, datetime(2026, 9, 30, 16, tzinfo=UTC), datetime(2026, 10, 31, 16, tzinfo=UTC)
    )
    assert [period.complete(datetime(2026, 10, 31, 16, 30, tzinfo=UTC)) for period in found] == [
        True,
        True,
        False,
    ]


def test_drift_needs_evidence() -> None:
    # 52 of 100 is below .6, but its interval reaches .615; two such months together do not.
    chance, twice = judge(_points((60, 100), (52, 100)), 0.6), judge(_points((52, 100), (52, 100)), 0.6)
    assert [point.evidence for point in chance] == [None, None, None]
    assert [point.evidence for point in twice] == [None, "two_periods", None]
    assert [point.evidence for point in judge(_points((30, 100)), 0.6)] == ["interval", None]
    assert not judge(_points((30, 100)), 0.6)[-1].judged, "the month is not over"
    assert judge(_points((0, 9)), 0.6)[0].evidence is None, "nine are not enough"
    assert judge(_points((30, 100), known=False), 0.6)[0].evidence is None
    assert judge(_points((30, 100)), None)[0].evidence is None


def test_false_alarms_are_rare_where_the_share_is_what_was_declared() -> None:
    rng = np.random.default_rng(7)
    inside = rng.binomial(200, 0.6, size=4_000)
    alarms = sum(judge(_points((float(each), 200)), 0.6)[0].evidence is not None for each in inside)
    assert 0.015 < alarms / 4_000 < 0.035


def test_welch_as_scipy() -> None:
    rng = np.random.default_rng(3)
    group, rest = rng.normal(110, 30, 80), rng.normal(100, 10, 400)
    found = welch(_arm(group), _arm(rest), "higher", 2.0)
    reference = stats.ttest_ind(group - 2.0, rest, equal_var=False, alternative="greater")
    interval = stats.ttest_ind(group, rest, equal_var=False).confidence_interval(0.95)
    assert found.p_value == pytest.approx(float(reference.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    # The same claim turned round.
    turned = welch(_arm(rest), _arm(group), "lower", 2.0)
    assert turned.p_value == pytest.approx(found.p_value)
    assert turned.effect_size == pytest.approx(-(found.effect_size or 0))


@pytest.mark.parametrize("unit", [1e-99, 1e99])
def test_welch_whatever_the_unit(unit: float) -> None:
    """Also where the square of a variance is no number any more."""
    rng = np.random.default_rng(3)
    group, rest = rng.normal(110, 30, 80), rng.normal(100, 10, 400)
    plain = welch(_arm(group), _arm(rest), "higher", 2.0)
    scaled = welch(_arm(group * unit), _arm(rest * unit), "higher", 2.0 * unit)
    assert scaled.p_value == pytest.approx(plain.p_value)
    assert scaled.effect_size == pytest.approx(plain.effect_size)


def _arm(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Arm:
    return Arm(len(values), len(values), float(values.mean()), float(values.var(ddof=1)))


def test_nothing_is_concluded_from_nothing() -> None:
    some = Arm(10, 10, 5.0, 1.0)
    assert welch(Arm(1, 1, 5.0, None), some, "higher", 0).reason == (
        "fewer than two customers with a known metric on one side"
    )
    flat = welch(Arm(5, 5, 1.0, 0.0), Arm(5, 5, 1.0, 0.0), "higher", 0)
    assert flat.reason == "the metric does not vary on either side"
    assert verdict(flat, None, "higher", 0) == "inconclusive"


def test_verdicts_and_correction() -> None:
    far, near = Arm(50, 50, 10.0, 4.0), Arm(50, 50, 9.9, 4.0)
    assert adjusted([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.04, 0.04])
    beyond = welch(far, Arm(50, 50, 5.0, 4.0), "higher", 1.0)
    assert verdict(beyond, beyond.p_value, "higher", 1.0) == "supported"
    assert verdict(beyond, 0.2, "higher", 1.0) == "inconclusive", "corrected away, but not contradicted"
    short = welch(far, near, "higher", 3.0)
    assert verdict(short, short.p_value, "higher", 3.0) == "contradicted"
    unclear = welch(far, near, "higher", 0.0)
    assert verdict(unclear, unclear.p_value, "higher", 0.0) == "inconclusive"
    wrong = welch(far, near, "lower", 3.0)
    assert verdict(wrong, wrong.p_value, "lower", 3.0) == "contradicted"


def test_states_move_only_as_they_may() -> None:
    for state, nexts in NEXT.items():
        for to in InsightState:
            newest = {InsightState.validated: "supported", InsightState.refuted: "contradicted"}.get(to)
            if to in nexts:
                check_move(state, to, newest)  # type: ignore[arg-type]
            else:
                with pytest.raises(Conflict, match="legal next states are"):
                    check_move(state, to, newest)  # type: ignore[arg-type]
    for to, newest in ((InsightState.validated, None), (InsightState.refuted, "inconclusive")):
        with pytest.raises(Conflict, match="newest test"):
            check_move(InsightState.testing, to, newest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "personal"),
    [
        ("AUM above 5000000 in 2026, code 20261122", False),
        ("余额 1,234,567.89 元的客户", False),
        ("call him: 13800138000", True),
        ("+86 138 0013 8000", True),
        ("021-58881234", True),
        ("证件 310101199001011234", True),
        ("card 6222 0212 3456 7890 123", True),
        ("li.lei@example.com", True),
    ],
)
def test_free_text_names_nobody(text: str, personal: bool) -> None:  # noqa: FBT001 - a parameter of cases
    if personal:
        with pytest.raises(ValueError, match="names a person"):
            InsightCreate(title="t", text=text)
    else:
        assert InsightCreate(title="t", text=text).text == text
