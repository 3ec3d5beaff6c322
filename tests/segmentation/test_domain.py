"""Clusters, contrasts, bitmaps: pure computations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap
from sklearn.metrics import adjusted_rand_score

from services.segmentation.domain.contrast import contrasts
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.kmeans import cluster
from services.segmentation.domain.preparation import prepared
from services.segmentation.store.bitmaps import from_mask, to_array


def _planted(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three kinds of customers: log-normal assets, ages, mostly zero complaints, some unknown."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, 3_000, p=[0.5, 0.3, 0.2])
    aum = np.exp(rng.normal(np.array([7.0, 10.0, 14.0])[truth], 0.5))
    age = rng.normal(np.array([25.0, 45.0, 65.0])[truth], 3.0)
    age[rng.random(3_000) < 0.03] = np.nan
    complaints = rng.poisson(0.05, 3_000).astype(float)
    return {"aum": aum, "age": age, "complaints": complaints}, truth


def test_planted_clusters_are_found() -> None:
    scores = []
    for seed in range(5):
        features, truth = _planted(seed)
        found = cluster(prepared(features)[1], 3, seed, 1_000)
        scores.append(adjusted_rand_score(truth, found.labels))
        sizes = np.bincount(found.labels)[1:]
        assert list(sizes) == sorted(sizes, reverse=True)
        assert found.fitted_on == 1_000
        assert found.silhouette > 0.4
    assert min(scores) > 0.95, scores


def test_the_seed_decides() -> None:
    features, _ = _planted(0)
    first, second = (cluster(prepared(features)[1], 4, 3, 500) for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.centres, second.centres)


def test_constant_and_unknown_features_do_no_harm() -> None:
    features, truth = _planted(1)
    spoiled = {**features, "constant": np.ones(3_000), "unknown": np.full(3_000, np.nan)}
    found = cluster(prepared(spoiled)[1], 3, 0, 3_000)
    assert adjusted_rand_score(truth, found.labels) > 0.9


def test_too_few_customers_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 customers cannot form 3 clusters"):
        cluster(np.array([[1.0], [2.0]]), 3, 0, 100)


def test_contrast_is_the_standardised_difference() -> None:
    values = np.array([0.0, 0.0, 10.0, 10.0, np.nan])
    group = np.array([False, False, True, True, True])
    (found,) = contrasts({"x": values}, group)
    assert (found.mean, found.mean_all, found.deviation_all) == (10.0, 5.0, 5.0)
    assert found.difference == 1.0
    assert found.known == pytest.approx(2 / 3)
    (empty,) = contrasts({"x": values}, np.zeros(5, dtype=bool))
    assert (empty.mean, empty.difference, empty.known) == (None, None, 0.0)


@given(st.sets(st.integers(1, 200_000), max_size=300), st.integers(0, 2**32 - 1))
def test_bitmaps_hold_what_the_mask_says(chosen: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = set(range(70_000, 70_000 + int(rng.integers(0, 9_000))))
    ordinals = rng.permutation(np.arange(1, 200_001, dtype=np.uint32))
    mask = np.isin(ordinals, list(chosen | dense))
    found = from_mask(ordinals, mask, 200_001)
    assert found == BitMap(chosen | dense)
    assert set(to_array(found).tolist()) == chosen | dense


def test_the_catalogue_is_complete() -> None:
    keys = {feature.key for feature in BUILT_IN}
    assert len(keys) == len(BUILT_IN) >= 25
    for feature in BUILT_IN:
        assert feature.zh
        assert feature.en
        assert feature.lineage
        assert set(feature.uses) <= keys
