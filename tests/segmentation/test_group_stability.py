"""Kept numbers, who moved, population stability."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmentation.domain.stability import (
    match_labels,
    moves,
    population,
    population_stability,
    renumbered,
    stability_level,
)


def test_groups_keep_the_number_most_of_their_customers_had() -> None:
    old = np.repeat([1, 2, 3], [50, 30, 20])
    new = old.copy()
    new[:50], new[50:80], new[80:] = 3, 1, 2
    new[0] = 2
    numbers = match_labels(new, old)
    assert numbers == {1: 2, 2: 3, 3: 1}
    kept = renumbered(new, numbers)
    found = moves(kept, old)
    assert (found.customers, found.joined, found.left) == (100, 0, 0)
    assert found.moved == pytest.approx(0.01)
    assert found.stayed == {1: pytest.approx(0.98), 2: 1.0, 3: 1.0}


def test_the_best_pairing_is_not_the_greedy_one() -> None:
    """Greedily 1→1 (40) leaves 2→2 (0): 40 stay. Crossed, 39 + 39 do."""
    new = np.repeat([1, 1, 2], [40, 39, 39])
    old = np.repeat([1, 2, 1], [40, 39, 39])
    assert match_labels(new, old) == {1: 2, 2: 1}


def test_more_and_fewer_groups() -> None:
    old = np.array([1, 1, 1, 2, 2, 2, 0])
    assert match_labels(np.array([1, 1, 3, 2, 2, 2, 4]), old) == {1: 1, 2: 2, 3: 3, 4: 4}
    assert match_labels(np.array([0, 0, 0, 1, 1, 1, 1]), old) == {1: 2}
    assert match_labels(np.array([0, 0]), np.array([1, 2])) == {}
    assert match_labels(np.array([2, 1]), np.array([0, 0])) == {1: 1, 2: 2}
    assert renumbered(np.array([0, 0]), {}).tolist() == [0, 0]
    found = moves(np.array([1, 0, 2, 2]), np.array([0, 1, 2, 1]))
    assert (found.customers, found.moved, found.joined, found.left) == (2, 0.5, 1, 1)
    assert moves(np.array([0]), np.array([0])).moved == 0
    with pytest.raises(ValueError, match="same customers"):
        match_labels(np.array([1, 2]), np.array([1]))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=60))
def test_numbers_stay_one_to_one_and_near(pairs: list[tuple[int, int]]) -> None:
    new, old = (np.array(side) for side in zip(*pairs, strict=True))
    numbers = match_labels(new, old)
    assert set(numbers) == set(new.tolist()) - {0}
    assert len(set(numbers.values())) == len(numbers)
    highest = max(int(old.max()), len(numbers))
    assert all(1 <= number <= highest for number in numbers.values())
    assert 0 <= moves(renumbered(new, numbers), old).moved <= 1


def test_a_level_begins_below_a_tenth_and_ends_above_a_quarter() -> None:
    found = [stability_level(psi) for psi in (0.0, 0.0999, 0.1, 0.25, 0.2501)]
    assert found == ["stable", "stable", "moderate", "moderate", "shifted"]


def test_population_stability_by_hand() -> None:
    """Ten bins of ten; now twenty in the first, none in the last."""
    values = np.arange(100.0)
    before = population(values)
    assert before.counts == (*[10] * 10, 0)
    assert population_stability(before, values) == 0
    now = np.where(values >= 90, 0.0, values)
    low, none, same = 20.5 / 105, 0.5 / 105, 10.5 / 105
    expected = (low - same) * math.log(low / same) + (none - same) * math.log(none / same)
    assert population_stability(before, now) == pytest.approx(expected)


def test_repeated_and_unknown_values_have_bins() -> None:
    values = np.array([0.0] * 80 + [5.0] * 15 + [np.nan] * 5)
    before = population(values)
    assert before.edges == (0.0,)
    assert before.counts == (80, 15, 5)
    assert population_stability(before, values) == 0
    assert population_stability(before, np.where(np.isnan(values), 5.0, values)) > 0.1
    nothing = population(np.full(4, np.nan))
    assert (nothing.edges, nothing.counts) == ((), (0, 4))
    assert population_stability(nothing, np.full(9, np.nan)) == 0
    assert population_stability(population(np.empty(0)), np.empty(0)) == 0
    assert population(np.ones(7)).counts == (7, 0)
    with pytest.raises(ValueError, match="two bins"):
        population(values, 1)
