"""Strategic groups split again by what a campaign is about."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from services.segmentation.domain.tactical import Split, tactical


def _members() -> tuple[np.ndarray, np.ndarray, Split, Split]:
    """Group 1 has two needs, crossed with three habits; group 2 is not asked for."""
    rng = np.random.default_rng(6)
    need, habit = rng.integers(0, 2, 600), rng.integers(0, 3, 600)
    strategic = np.repeat([1, 2], [500, 100])
    needs = Split("need", {name: need * 8.0 + rng.standard_normal(600) for name in "ab"}, 2)
    habits = Split("habit", {name: habit * 9.0 + rng.standard_normal(600) for name in "cd"}, 3)
    return strategic, np.stack([need, habit]), needs, habits


def test_a_member_is_in_one_part_of_each_split_when_parts_are_disjoint() -> None:
    strategic, truth, *splits = _members()
    told: list[float] = []
    found = tactical(strategic, [1], splits, threshold=1.0, seed=2, progress=told.append)
    assert [(each.strategic, each.split, each.part) for each in found.groups] == [
        (1, "need", 1), (1, "need", 2), (1, "habit", 1), (1, "habit", 2), (1, "habit", 3),
    ]  # fmt: skip
    masks = np.stack([each.members for each in found.groups])
    assert not masks[:, strategic == 2].any()
    assert (masks[:2, :500].sum(axis=0) == 1).all()
    assert (masks[2:, :500].sum(axis=0) == 1).all()
    assert adjusted_rand_score(truth[0, :500], masks[:2, :500].argmax(axis=0)) > 0.95
    assert adjusted_rand_score(truth[1, :500], masks[2:, :500].argmax(axis=0)) > 0.95
    assert told == [0.5, 1.0]
    assert set(found.preparation) == {(1, "need"), (1, "habit")}


def test_members_between_parts_are_in_several() -> None:
    strategic, _, needs, _ = _members()
    needs.features["a"][:20] = needs.features["b"][:20] = 4.0
    found = tactical(strategic, [1], [needs], threshold=0.2, seed=2)
    inside = np.stack([each.members for each in found.groups]).sum(axis=0)
    degree = np.stack([each.degree for each in found.groups])
    assert inside[:500].min() == 1
    assert inside[:20].mean() > inside[20:500].mean()
    assert ((degree >= 0.2).sum(axis=0)[:500] <= inside[:500]).all()
    assert np.allclose(degree[:, :500].sum(axis=0), 1, atol=1e-6)
    assert (degree[:, 500:] == 0).all()


def test_what_cannot_be_split_is_said() -> None:
    strategic, _, needs, _ = _members()
    with pytest.raises(ValueError, match="group 9 has 0 customers"):
        tactical(strategic, [9], [needs])
    with pytest.raises(ValueError, match="a strategic group and a split"):
        tactical(strategic, [], [needs])
    with pytest.raises(ValueError, match="own name"):
        tactical(strategic, [1], [needs, needs])
    with pytest.raises(ValueError, match="threshold"):
        tactical(strategic, [1], [needs], threshold=0)
