"""Kinds of customers hidden in the synthetic bank are found again without being told."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from services.segmentation.domain.cluster_choice import k_table
from services.segmentation.domain.ensemble import base_partitions, consensus_partition
from services.segmentation.domain.preparation import prepared
from tests.segmentation.synthetic_customers import archetypes

Found = tuple[NDArray[np.float64], NDArray[np.str_]]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Found:
    matrix, truth = archetypes(6_000, 7, tmp_path_factory.mktemp("bank"))
    return prepared(matrix)[1], truth


def _agreement(x: NDArray[np.float64], truth: NDArray[np.str_], seeds: int) -> dict[str, list[float]]:
    return {
        "ensemble": [
            adjusted_rand_score(truth, consensus_partition(base_partitions(x, 20, seed=seed), 6, seed))
            for seed in range(seeds)
        ],
        "k-means": [
            adjusted_rand_score(truth, KMeans(6, n_init=10, random_state=seed).fit_predict(x))
            for seed in range(seeds)
        ],
    }


@pytest.mark.parametrize("seeds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_archetypes_are_recovered(
    bank: Found, seeds: int, record_property: Callable[[str, object], None]
) -> None:
    found = _agreement(*bank, seeds)
    for name, scores in found.items():
        shown = f"ARI mean {np.mean(scores):.3f}, least {min(scores):.3f}"
        record_property(f"archetypes by {name}, {seeds} seeds", shown)
    # Groups that are round: the ensemble can be no better than k-means from ten starts, and is no worse.
    assert np.mean(found["ensemble"]) > np.mean(found["k-means"]) - 0.01
    assert min(found["k-means"]) > 0.9
    assert min(found["ensemble"]) > 0.85


@pytest.mark.slow
def test_the_table_of_k_knows_how_many(bank: Found, record_property: Callable[[str, object], None]) -> None:
    x, _ = bank
    table = k_table(x, base_partitions(x, 20, seed=1), 10, 1)
    record_property(
        "archetypes, table of K", f"recommended {table.recommended}, then {table.runner_up}, of 6"
    )
    assert 5 <= table.recommended <= 7 or 5 <= (table.runner_up or 0) <= 7
