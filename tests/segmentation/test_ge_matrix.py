"""Weights by comparison against worked numbers, and the nine cells."""

import numpy as np
import pytest

from services.segmentation.domain.ahp import ComparisonError, hierarchy, paired_weights
from services.segmentation.domain.ge_matrix import BANDS, banded, class_of, place

THIRD = 1 / 3

# Saaty, How to make a decision (1990), table 2: buying a house. λmax 9.669, consistency ratio .169.
HOUSE = [
    [1, 5, 3, 7, 6, 6, 1 / 3, 1 / 4],
    [1 / 5, 1, 1 / 3, 5, 3, 3, 1 / 5, 1 / 7],
    [1 / 3, 3, 1, 6, 3, 4, 6, 1 / 5],
    [1 / 7, 1 / 5, 1 / 6, 1, 1 / 3, 1 / 4, 1 / 7, 1 / 8],
    [1 / 6, 1 / 3, 1 / 3, 3, 1, 1 / 2, 1 / 5, 1 / 6],
    [1 / 6, 1 / 3, 1 / 4, 4, 2, 1, 1 / 5, 1 / 6],
    [3, 5, 1 / 6, 7, 5, 5, 1, 1 / 2],
    [4, 7, 5, 8, 6, 6, 2, 1],
]


def test_saatys_house_has_his_weights_and_his_consistency() -> None:
    found = hierarchy(np.array(HOUSE))
    assert found.weights == pytest.approx([0.173, 0.054, 0.188, 0.018, 0.031, 0.036, 0.167, 0.333], abs=5e-4)
    assert found.eigenvalue == pytest.approx(9.669, abs=5e-4)
    assert found.ratio == pytest.approx(0.169, abs=5e-4)
    assert found.worst is not None
    # Size is worth 3 of the neighbourhood, the neighbourhood 6 of the condition, yet the condition beats size.
    assert found.worst.triple == (0, 2, 6)
    assert (found.worst.stated, found.worst.implied) == pytest.approx((1 / 3, 18))


def test_three_factors_by_hand() -> None:
    found = hierarchy(np.array([[1, 3, 5], [0.33, 1, 3], [0.2, 0.333, 1]]))
    assert found.weights == pytest.approx([0.637, 0.258, 0.105], abs=5e-4)
    assert found.eigenvalue == pytest.approx(3.0385, abs=5e-5)
    assert found.ratio == pytest.approx(0.0332, abs=5e-5)


def test_consistent_comparisons_give_back_their_weights() -> None:
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    found = hierarchy(weights[:, None] / weights)
    assert found.weights == pytest.approx(weights)
    assert found.ratio == pytest.approx(0, abs=1e-9)
    assert hierarchy(np.array([[1, 4], [0.25, 1]])).weights == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize(
    ("comparisons", "at"),
    [
        ([[1, 10], [0.1, 1]], (0, 1)),
        ([[1, 3], [3, 1]], (1, 0)),
        ([[1, 0], [0, 1]], (0, 1)),
    ],
)
def test_ahp_names_the_comparison_it_cannot_read(comparisons: list[list[float]], at: tuple[int, int]) -> None:
    with pytest.raises(ComparisonError) as error:
        hierarchy(np.array(comparisons))
    assert (error.value.row, error.value.column) == at


def test_paired_comparison_is_row_sum_over_total() -> None:
    """Four factors: sums 2.5, 2, 1.5, 0 of 6."""
    comparisons = np.array([[9, 0.5, 1, 1], [0.5, 9, 0.5, 1], [0, 0.5, 9, 1], [0, 0, 0, 9]])
    assert paired_weights(comparisons, 1) == pytest.approx([2.5 / 6, 2 / 6, 1.5 / 6, 0])
    graded = np.array([[0, 3, 4], [1, 0, 2], [0, 2, 0]])
    assert paired_weights(graded, 4) == pytest.approx([7 / 12, 3 / 12, 2 / 12])
    with pytest.raises(ComparisonError) as error:
        paired_weights(np.array([[0, 3], [2, 0]]), 4)
    assert (error.value.row, error.value.column) == (1, 0)


def test_positions_by_hand_and_on_the_cut_offs() -> None:
    attractive = np.array([[5, 4, 3], [1, 2, 1], [3, 3, 3], [2.33, 2.33, 2.33], [3.67, 3.67, 3.67]])
    competitive = np.array([[2, 4], [1, 1], [5, 5], [3.67, 3.67], [2.32, 2.32]])
    found = place(attractive, competitive, [0.5, 0.3, 0.2], [0.25, 0.75], 2.33, 3.67)
    assert found.attractiveness == pytest.approx([4.3, 1.3, 3, 2.33, 3.67])
    assert found.competitiveness == pytest.approx([3.5, 1, 5, 3.67, 2.32])
    cells = [
        (BANDS[a], BANDS[s])
        for a, s in zip(found.attractiveness_band, found.competitiveness_band, strict=True)
    ]
    assert cells == [
        ("high", "medium"),
        ("low", "low"),
        ("medium", "high"),
        ("medium", "high"),
        ("high", "low"),
    ]
    assert found.classes.tolist() == ["A", "C", "A", "A", "B"]


def test_each_class_has_three_cells() -> None:
    classes = {name: {(a, s) for a in BANDS for s in BANDS if class_of(a, s) == name} for name in "ABC"}
    assert classes["A"] == {("high", "high"), ("high", "medium"), ("medium", "high")}
    assert classes["C"] == {("low", "low"), ("low", "medium"), ("medium", "low")}
    assert len(classes["B"]) == 3


def test_bands_score_features() -> None:
    values = np.array([-1, 0, 9, 10, 30, 40, np.nan])
    assert banded(values, [0, 10, 20, 40])[:-1].tolist() == [1, 2, 2, 3, 4, 5]
    assert banded(values, [0, 10, 20, 40], lower_is_better=True)[:-1].tolist() == [5, 4, 4, 3, 2, 1]
    assert np.isnan(banded(values, [0, 10, 20, 40])[-1])
