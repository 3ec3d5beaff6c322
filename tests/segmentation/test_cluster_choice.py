"""The table of K: evidence, recommendation, runner-up."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from services.segmentation.domain.cluster_choice import _ranked, k_table, k_table_of_kmeans
from services.segmentation.domain.ensemble import base_partitions, consensus_partition


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    x = centres[rng.integers(0, 4, 900)] + rng.standard_normal((900, 3))
    return x, base_partitions(x, 12, (2, 12), 1)


def test_the_planted_number_is_recommended(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, labels = blobs
    told: list[float] = []
    table = k_table(x, labels, 7, 1, bootstraps=4, progress=told.append)
    assert [row.k for row in table.rows] == [2, 3, 4, 5, 6, 7]
    assert (table.recommended, table.runner_up) == (
        4,
        sorted(table.rows, key=lambda row: (row.mean_rank, row.k))[1].k,
    )
    assert told[-1] == 1
    four = table.rows[2]
    own = consensus_partition(labels, 4, 1)
    assert four.silhouette == pytest.approx(silhouette_score(x, own))
    assert four.calinski_harabasz == pytest.approx(calinski_harabasz_score(x, own))
    assert four.davies_bouldin == pytest.approx(davies_bouldin_score(x, own))
    assert four.stability > 0.95
    assert four.eigengap == max(row.eigengap or 0 for row in table.rows)
    assert k_table(x, labels, 7, 1, bootstraps=4) == table


def test_ranks_by_hand() -> None:
    """Davies–Bouldin is better when low; on a tie the smaller K comes first."""
    table = _ranked(
        np.array([[2, 0.5, 100, 0.4, 0.1, 0.9], [3, 0.6, 90, 0.9, 0.2, 0.9], [4, 0.1, 10, 1.0, 0.0, 0.1]])
    )
    assert [row.mean_rank for row in table.rows] == [1.5, 1.5, 3.0]
    assert (table.recommended, table.runner_up) == (2, 3)


def test_kmeans_alone_has_the_same_evidence_without_a_graph(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, _ = blobs
    told: list[float] = []
    table = k_table_of_kmeans(x, 7, 1, bootstraps=3, progress=told.append)
    assert [row.k for row in table.rows] == [2, 3, 4, 5, 6, 7]
    assert table.recommended == 4
    assert told[-1] == 1
    two, _, four, *_, seven = table.rows
    own = KMeans(4, n_init=4, random_state=1).fit_predict(x)
    assert four.silhouette == pytest.approx(silhouette_score(x, own))
    assert four.calinski_harabasz == pytest.approx(calinski_harabasz_score(x, own))
    assert four.davies_bouldin == pytest.approx(davies_bouldin_score(x, own))
    assert four.stability > 0.95 > seven.stability
    assert {row.eigengap for row in table.rows} == {None}
    assert two.mean_rank > four.mean_rank == 1
    assert k_table_of_kmeans(x, 7, 1, bootstraps=3) == table


def test_kmeans_of_few_and_of_like_customers() -> None:
    x = np.repeat([[0.0], [1.0], [5.0]], 30, axis=0)
    assert [row.k for row in k_table_of_kmeans(x, 6).rows] == [2, 3]
    assert [row.k for row in k_table_of_kmeans(np.array([[0.0], [1.0], [5.0]]), 6).rows] == [2]
    for few in (x[:0], x[:1], x[:30]):
        with pytest.raises(ValueError, match="no two groups"):
            k_table_of_kmeans(few, 6)
    with pytest.raises(ValueError, match="at least 2"):
        k_table_of_kmeans(x, 1)


def test_numbers_that_cannot_be_formed_are_left_out() -> None:
    x = np.repeat([[0.0], [1.0], [5.0]], 30, axis=0)
    labels = np.stack([np.repeat([0, 1, 2], 30), np.repeat([0, 1, 1], 30)])
    table = k_table(x, labels, 6)
    assert [row.k for row in table.rows] == [2, 3]
    only = k_table(x, labels, 2)
    assert (only.recommended, only.runner_up) == (2, None)


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ValueError, match="features of 3 customers"):
        k_table(np.ones((4, 2)), [[0, 1, 1]], 2)
    with pytest.raises(ValueError, match="at least 2"):
        k_table(np.ones((3, 2)), [[0, 1, 1]], 1)
    with pytest.raises(ValueError, match="1 base clusters cannot tell 2"):
        k_table(np.ones((3, 2)), [[0, 0, 0]], 2)
