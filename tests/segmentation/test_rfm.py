"""Bands, cut-offs that can be used again, named segments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmentation.domain.rfm import SEGMENTS, Scale, fixed_scale, quantile_scale, rfm, score

UNKNOWN = np.nan


def test_quintiles_and_segments_by_hand() -> None:
    days = np.array([1.0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
    counts = np.arange(10.0, 0, -1)
    amounts = np.array([900.0, 1000, 700, 800, 500, 600, 300, 400, 100, 200])
    scales, found = rfm(days, counts, amounts)
    assert found.recency.tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert np.array_equal(found.frequency, found.recency)
    assert np.array_equal(found.monetary, found.recency)
    assert found.code.tolist() == [555, 555, 444, 444, 333, 333, 222, 222, 111, 111]
    names = [SEGMENTS[index].key for index in found.segment]
    assert names[::2] == ["champions", "loyal", "need_attention", "hibernating", "lost"]
    assert scales.monetary.cuts == (200, 400, 600, 800)
    assert scales.recency.cuts == (80, 60, 40, 20)


def test_ties_are_in_the_lower_band() -> None:
    assert Scale((10.0, 20.0)).score(np.array([9.0, 10, 11, 20, 21])).tolist() == [1, 1, 2, 2, 3]
    assert Scale((20.0, 10.0), rising=False).score(np.array([21.0, 20, 19, 10, 9])).tolist() == [
        1,
        1,
        2,
        2,
        3,
    ]
    mostly_none = np.array([0.0] * 70 + list(range(1, 31)))
    bands = quantile_scale(mostly_none, 5, rising=True).score(mostly_none)
    assert set(bands[:70].tolist()) == {1}
    assert bands[70:].min() == 4


def test_tomorrows_customer_has_todays_cut_offs() -> None:
    rng = np.random.default_rng(0)
    columns = rng.gamma(2, 10, (3, 500))
    scales, found = rfm(*columns, weights=(2, 1, 1))
    again = score(scales, *columns[:, :1])
    assert (again.code[0], again.total[0]) == (found.code[0], found.total[0])
    assert found.total[0] == pytest.approx(
        (2 * found.recency[0] + found.frequency[0] + found.monetary[0]) / 4
    )


def test_a_banks_variant_begins_with_assets() -> None:
    cuts = ((90, 30), (1, 5), (50_000, 300_000))
    values = (np.array([10.0, 400]), np.array([0.0, 9]), np.array([100_000.0, UNKNOWN]))
    scales, found = rfm(*values, cuts=cuts, variant="afr")
    assert found.code.tolist() == [213, 131]
    assert scales.monetary.cuts == (50_000, 300_000)
    assert rfm(*values, cuts=cuts)[1].code.tolist() == [312, 131]


def test_every_pair_of_bands_has_one_segment() -> None:
    for recency in range(1, 6):
        for value in range(1, 6):
            found = [
                each.key
                for each in SEGMENTS
                if each.recency[0] <= recency <= each.recency[1] and each.value[0] <= value <= each.value[1]
            ]
            assert len(found) == 1, (recency, value, found)
    assert len({each.key for each in SEGMENTS}) == len(SEGMENTS)
    assert all(each.zh and each.en for each in SEGMENTS)


@given(
    st.lists(st.one_of(st.just(UNKNOWN), st.integers(0, 30).map(float)), min_size=2, max_size=40).filter(
        lambda values: not np.isnan(values).all()
    ),
    st.integers(2, 9),
    st.booleans(),
)
def test_better_values_never_have_lower_bands(values: list[float], bands: int, rising: bool) -> None:  # noqa: FBT001
    column = np.array(values)
    scale = quantile_scale(column, bands, rising=rising)
    found = scale.score(column)
    assert found.min() >= 1
    assert found.max() <= bands
    assert (found[np.isnan(column)] == 1).all()
    known = ~np.isnan(column)
    order = np.argsort(column[known] if rising else -column[known], kind="stable")
    assert (np.diff(found[known][order]) >= 0).all()


def test_what_cannot_be_scored_is_said() -> None:
    one = np.ones(3)
    with pytest.raises(ValueError, match="same customers"):
        rfm(one, one, np.ones(2))
    with pytest.raises(ValueError, match="same customers"):
        rfm(np.empty(0), np.empty(0), np.empty(0))
    with pytest.raises(ValueError, match="weights"):
        rfm(one, one, one, weights=(0, 0, 0))
    with pytest.raises(ValueError, match="nobody's value is known"):
        rfm(one * UNKNOWN, one, one)
    with pytest.raises(ValueError, match="2 to 9 bands"):
        rfm(one, one, one, bands=1)
    for cuts in ([], [2.0, 1.0], [1.0, 1.0], [1.0, np.inf]):
        with pytest.raises(ValueError, match="worst first"):
            fixed_scale(cuts, rising=True)
    with pytest.raises(ValueError, match="falling"):
        fixed_scale([1.0, 2.0], rising=False)
