"""Cluster ensemble: foreign label sets, exact degrees, planted groups, the same bits from the same seed."""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_info, threadpool_limits

from services.segmentation.domain import ensemble_consensus
from services.segmentation.domain.ensemble import (
    base_partitions,
    cohesion,
    consensus_partition,
    doubt,
    membership_degree,
    normalised,
)
from services.segmentation.domain.ensemble_consensus import cut, reliability
from services.segmentation.domain.ensemble_labels import label_set


def _blobs(size: int, seed: int = 0, groups: int = 4) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(groups, size)
    return rng.normal(0, 4, (groups, 5))[truth] + rng.standard_normal((size, 5)), truth


def _by_definition(labels: NDArray[Any], consensus: NDArray[Any], k: int) -> NDArray[np.float64]:
    """The N×N matrix of one partition after the other, and what it says of each group."""
    total = np.zeros((labels.shape[1], k))
    for row in labels:
        together = (row[:, None] == row[None, :]) & (row != -1)[:, None] & (row != -1)[None, :]
        for group in range(k):
            members = (consensus == group) & (row != -1)
            total[:, group] += together[:, members].sum(axis=1) / max(members.sum(), 1)
    mean: NDArray[np.float64] = total / (labels != -1).sum(axis=0)[:, None]
    return mean


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(2, 90),
    st.integers(1, 7),
    st.sampled_from([0.0, 0.3]),
)
def test_degrees_are_the_mean_of_the_matrix_nobody_builds(
    seed: int, m: int, size: int, k: int, gaps: float
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([-(10**12), -7, 0, 1, 2, 900, 70_000], 5, replace=False)
    labels = values[rng.integers(0, 5, (m, size))]
    if gaps:
        labels[rng.random((m, size)) < gaps] = -1
        labels[rng.integers(0, m, size), np.arange(size)] = 0
        labels[:, 0] = 0
    consensus = rng.integers(-1, k, size)
    degree = membership_degree(labels, consensus, k)
    assert np.abs(degree - _by_definition(labels, consensus, k)).max() < 1e-12
    if not gaps:
        plain = (labels[:, :, None] == labels[:, None, :]).mean(axis=0)
        for group in set(consensus.tolist()) - {-1}:
            assert np.allclose(degree[:, group], plain[:, consensus == group].mean(axis=1), atol=1e-12)


def test_degrees_across_chunks_are_those_of_the_matrix() -> None:
    """More customers than are taken at a time, compared on some of them."""
    x, _ = _blobs(40_000)
    labels = base_partitions(x, 8, (2, 9), 1, sample=2_000)
    consensus = consensus_partition(labels, 4, 1)
    degree = membership_degree(labels, consensus, 4)
    some = np.arange(0, 40_000, 997)
    expected = np.zeros((len(some), 4))
    for group in range(4):
        members = labels[:, consensus == group]
        expected[:, group] = [(members == labels[:, [each]]).mean() for each in some]
    assert np.abs(degree[some] - expected).max() < 1e-12


def test_planted_groups_are_found_and_doubted_where_they_meet() -> None:
    x, truth = _blobs(3_000)
    x[:5] = (x[truth == 0].mean(axis=0) + x[truth == 1].mean(axis=0)) / 2
    labels = base_partitions(x, 20, seed=3)
    found = consensus_partition(labels, 4, 3)
    assert adjusted_rand_score(truth, found) > 0.97
    sizes = np.bincount(found)
    assert sizes.tolist() == sorted(sizes, reverse=True)
    degree = membership_degree(labels, found, 4)
    split, doubts = normalised(degree), doubt(degree, found)
    assert split.sum(axis=1) == pytest.approx(1)
    assert (split.argmax(axis=1) == found).mean() > 0.98
    assert cohesion(degree, found)[:5].mean() < 0.7 * cohesion(degree, found).mean()
    assert (doubts.borderline | doubts.outlier)[:5].all()
    assert (doubts.borderline | doubts.outlier).mean() < 0.2


def test_doubt_by_hand() -> None:
    degree = np.array([[0.9, 0.1], [0.8, 0.2], [0.85, 0.1], [0.9, 0.2], [0.3, 0.0], [0.1, 0.11], [0.0, 0.9]])
    found = doubt(degree, np.array([0, 0, 0, 0, 0, 1, -1]))
    assert found.borderline.tolist() == [False] * 5 + [True, False]
    assert found.outlier.tolist() == [False] * 4 + [True, False, True]
    assert cohesion(degree, np.array([0, 0, 0, 0, 0, 1, -1])).tolist()[4:] == [0.3, 0.11, 0.0]
    assert normalised(np.zeros((1, 4))).tolist() == [[0.25] * 4]


def test_names_of_foreign_labels_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    x, _ = _blobs(800)
    labels = base_partitions(x, 6, (3, 8), 5).astype(np.int64)
    odd = np.stack([rng.permutation(20)[row] * 10**12 + 7 for row in labels])
    wide = odd.astype(np.uint64) + np.uint64(2**63)
    first, second, third = (consensus_partition(each, 4, 5) for each in (labels, odd, wide))
    assert adjusted_rand_score(first, second) == 1
    assert adjusted_rand_score(first, third) == 1
    assert np.allclose(membership_degree(labels, first, 4), membership_degree(odd, first, 4))


def test_customers_unknown_to_some_partitions_are_placed_by_the_others() -> None:
    x, truth = _blobs(2_000)
    labels = base_partitions(x, 12, (4, 12), 2).astype(np.int64)
    labels[np.random.default_rng(2).random(labels.shape) < 0.3] = -1
    labels[0, (labels == -1).all(axis=0)] = 0
    assert adjusted_rand_score(truth, consensus_partition(labels, 4, 2)) > 0.95


def test_the_cut_is_the_one_of_the_whole_graph() -> None:
    """Eigenvalues found on the side of the clusters are those of the graph on the customers."""
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 4, (5, 60))
    found = label_set(labels)
    weights = reliability(found)
    ties = np.zeros((60, found.width))
    for partition, row in enumerate(labels):
        slots = found.offsets[partition] + row
        ties[np.arange(60), slots] = weights[slots]
    ties = ties[:, found.real]
    normal = ties / np.sqrt(ties.sum(axis=1))[:, None] / np.sqrt(ties.sum(axis=0))[None, :]
    expected = np.sort(np.linalg.svd(normal, compute_uv=False) ** 2)[::-1][:6]
    assert np.allclose(cut(found, 6).eigenvalues, expected)
    assert expected[0] == pytest.approx(1)


def test_reliability_by_hand() -> None:
    """One cluster kept whole by the other partition, one halved: entropy 0 and 1 bit."""
    labels = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 2, 2]])
    weights = reliability(label_set(labels))
    halved = np.exp(-1 / (0.4 * 2))
    assert np.allclose(weights[:2], [halved, 1])
    assert np.allclose(weights[3:6], 1)


def test_the_same_seed_gives_the_same_bits_whatever_the_threads() -> None:
    x, _ = _blobs(3_000)

    def made(threads: int, limit: int) -> tuple[NDArray[Any], ...]:
        with threadpool_limits(limit):
            labels = base_partitions(x, 6, seed=9, threads=threads)
            found = consensus_partition(labels, 4, 9)
            return labels, found, membership_degree(labels, found, 4)

    first, *others = made(1, 1), made(2, 2), made(5, 1)
    for other in others:
        assert all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    assert not np.array_equal(first[0], base_partitions(x, 6, seed=10))


def test_the_process_gets_its_threads_back() -> None:
    def limits() -> list[int]:
        return sorted(each["num_threads"] for each in threadpool_info())

    before = limits()
    base_partitions(_blobs(200)[0], 4)
    assert limits() == before


def test_progress_is_told_in_the_callers_thread_and_can_end_the_run() -> None:
    x, _ = _blobs(500)
    told: list[tuple[float, int]] = []
    base_partitions(x, 4, progress=lambda share: told.append((share, threading.get_ident())))
    assert told == [(share, threading.get_ident()) for share in (0.25, 0.5, 0.75, 1)]

    def stop(share: float) -> None:
        raise KeyboardInterrupt(share)

    with pytest.raises(KeyboardInterrupt):
        base_partitions(x, 200, progress=stop)
    assert not [each for each in threading.enumerate() if each.name.startswith("ensemble")]


def test_few_distinct_values_make_few_clusters() -> None:
    x = np.zeros((300, 3))
    x[:100, 0], x[50:200, 1] = 1, 1
    labels = base_partitions(x, 10, (5, 9), 0)
    assert labels.shape == (10, 300)
    assert labels.max() <= 3
    assert len(np.unique(consensus_partition(labels, 4, 0))) == 4
    with pytest.raises(ValueError, match="only 4 groups of customers apart, not 5"):
        consensus_partition(labels, 5, 0)


@pytest.mark.parametrize(
    ("x", "arguments", "problem"),
    [
        (np.ones((5, 2)), {}, "no feature differs"),
        (np.array([[1.0], [np.nan]]), {}, "must be finite"),
        (np.ones(5), {}, "shape"),
        (np.empty((0, 3)), {}, "shape"),
        (np.eye(3), {"k_range": (5, 4)}, "k_range"),
        (np.eye(3), {"k_range": (0, 4)}, "k_range"),
        (np.eye(3), {"m": 0}, "m must be at least 1"),
        (np.eye(3), {"features": 0}, "features above 0"),
    ],
)
def test_what_cannot_be_partitioned_is_said(x: Any, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        base_partitions(x, **arguments)


@pytest.mark.parametrize(
    ("labels", "k", "problem"),
    [
        ([0, 1, 1], 2, "shape"),
        ([[0.5, 1.0]], 1, "integers"),
        ([[-1, -1], [0, 1]], 2, "partition 0 labels nobody"),
        ([[0, -1, 1]], 2, "customer 1 has no label"),
        ([[0, 1, 1]], 0, "cannot form 0"),
        ([[0, 1, 1]], 4, "3 customers cannot form 4"),
        ([[0, 1, 1]], 3, "2 base clusters cannot tell 3"),
        (np.arange(6_001)[None, :], 3, "too many"),
    ],
)
def test_what_is_no_label_set_is_said(labels: Any, k: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        consensus_partition(labels, k)


@pytest.mark.parametrize(
    ("consensus", "problem"),
    [
        ([0, 1], "shape"),
        ([0, 1, 2], "labels from 0 to 1"),
        ([0, -2, 1], "-1 for none"),
        ([0.0, 1.0, 1.0], "integers"),
    ],
)
def test_what_is_no_consensus_is_said(consensus: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        membership_degree([[0, 1, 1]], consensus, 2)


def test_one_group_is_everybody() -> None:
    labels = [[0, 1, 1], [2, 2, 0]]
    assert consensus_partition(labels, 1).tolist() == [0, 0, 0]
    assert np.allclose(membership_degree(labels, [0, 0, 0], 1)[:, 0], [1 / 2, 2 / 3, 1 / 2])
    assert not doubt(np.ones((3, 1)), np.zeros(3, dtype=int)).borderline.any()


def test_a_graph_of_some_customers_carries_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    x, truth = _blobs(4_000)
    labels = base_partitions(x, 20, seed=3)
    whole = consensus_partition(labels, 4, 3)
    monkeypatch.setattr(ensemble_consensus, "_GRAPH_SAMPLE", 500)
    drawn = consensus_partition(labels, 4, 3)
    assert adjusted_rand_score(whole, drawn) > 0.98
    assert adjusted_rand_score(truth, drawn) > 0.97
