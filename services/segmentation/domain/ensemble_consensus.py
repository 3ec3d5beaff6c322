"""One partition from many: reliability-weighted transfer cut (methods.md §3).

Customers and base clusters form a bipartite graph; a customer is tied to each of its clusters by
the cluster's reliability. The normalised cut of this graph is found on the side of the clusters,
which are hundreds, and carried over to the customers, who are millions.

Sources: Huang, Wang, Lai, “Locally Weighted Ensemble Clustering”, IEEE Trans. Cybernetics 2018
(reliability); Li, Wu, Chang, “Segmentation Using Superpixels”, CVPR 2012 (transfer cut).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.cluster import KMeans

from services.segmentation.domain.ensemble_base import distinct
from services.segmentation.domain.ensemble_labels import BLOCK, LabelSet, chunks, label_set, within
from services.segmentation.domain.ensemble_threads import side_by_side, single_threaded

Floats = NDArray[np.float64]
THETA = 0.4
_MOST_SLOTS = 6_000
_SAMPLE = 20_000
_GRAPH_SAMPLE = 100_000
_STARTS = 10


@dataclass(frozen=True)
class Cut:
    """The normalised cut of a label set.

    `eigenvalues`: of the normalised graph on the base clusters, falling, the first is 1.
    `vectors` (width, K): what each base cluster adds to a customer's place, by slot of the set.
    """

    labels: LabelSet
    eigenvalues: Floats
    vectors: Floats

    def partition(self, k: int, seed: int) -> NDArray[np.int32]:
        """Labels 0..k−1 by falling size. Raises `ValueError` when fewer groups can be told apart."""
        size = self.labels.customers
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(size, min(size, _SAMPLE), replace=False))
        sample = self.labels.take(chosen)
        places = np.concatenate([self._places(sample, each, k) for each in chunks(len(chosen))])
        found = distinct(places.round(9), k)
        if found < k:
            raise ValueError(f"the partitions tell only {found} groups of customers apart, not {k}")
        with single_threaded():
            model = KMeans(k, n_init=_STARTS, random_state=seed).fit(places)
        works = [partial(self._nearest, model, each, k) for each in chunks(size, BLOCK)]
        return _by_size(np.concatenate(side_by_side(works)), k)

    def _nearest(self, model: KMeans, customers: slice, k: int) -> NDArray[np.int32]:
        found = [model.predict(self._places(self.labels, each, k)) for each in within(customers)]
        return np.concatenate(found)

    def _places(self, labels: LabelSet, customers: slice, k: int) -> Floats:
        """Customers on the unit sphere of the first k eigenvectors."""
        # The division by a customer's own degree would cancel in the normalisation.
        places = labels.summed(np.ascontiguousarray(self.vectors[:, :k]), customers)
        length = np.sqrt((places * places).sum(axis=1, keepdims=True))
        unit: Floats = places / np.maximum(length, np.finfo(np.float64).tiny)
        return unit


def consensus_partition(
    labels: ArrayLike,
    k: int,
    seed: int = 0,
    weighted: bool = True,  # noqa: FBT001, FBT002 - the published signature
) -> NDArray[np.int32]:
    """(N,) labels 0..k−1 by falling size.

    `labels`: (m, N) integers made anywhere: any values, −1 where a customer has no label.
    `weighted`: base clusters count by their reliability; otherwise all alike. Raises `ValueError`
    when `labels` are no label set or k groups cannot be told apart.
    """
    found = label_set(labels)
    check_k(k, found)
    return cut(found, k, weighted=weighted).partition(k, seed)


def check_k(k: int, labels: LabelSet) -> None:
    if not 1 <= k <= labels.customers:
        raise ValueError(f"{labels.customers} customers cannot form {k} groups")
    if k > max(labels.real.sum(), 1):
        raise ValueError(f"{labels.real.sum()} base clusters cannot tell {k} groups apart")


def cut(labels: LabelSet, k: int, *, weighted: bool = True) -> Cut:
    """The first k (or as many as there are base clusters) eigenvectors of the graph.

    Of more than 100,000 customers the graph is made of so many, drawn at random: base clusters are
    hundreds, and every customer is carried over from its own. Raises `ValueError` for more than
    6,000 base clusters.
    """
    if labels.width > _MOST_SLOTS:
        raise ValueError(f"{labels.width} base clusters are too many: at most {_MOST_SLOTS}")
    sample = _drawn(labels, _GRAPH_SAMPLE)
    weights = np.where(labels.real, reliability(sample) if weighted else 1.0, 0.0)
    degrees = np.concatenate(
        [sample.summed(weights[:, None], each)[:, 0] for each in chunks(sample.customers)]
    )
    graph = contingency(sample, 1.0 / degrees) * np.outer(weights, weights)
    root = np.sqrt(weights * sample.counts())
    used = root > 0
    normalised = graph[np.ix_(used, used)] / np.outer(root[used], root[used])
    count = len(normalised)
    with single_threaded():
        values, vectors = eigh(normalised, subset_by_index=[max(count - k, 0), count - 1])
    lifted = np.zeros((labels.width, values.size))
    lifted[used] = vectors[:, ::-1] / root[used, None]
    return Cut(labels, values[::-1], lifted * weights[:, None])


def _drawn(labels: LabelSet, most: int) -> LabelSet:
    if labels.customers <= most:
        return labels
    drawn = np.random.default_rng(0).choice(labels.customers, most, replace=False, shuffle=False)
    return labels.take(np.sort(drawn))


def contingency(labels: LabelSet, each: Floats | None = None) -> Floats:
    """(width, width): how many customers two clusters share, or the sum of what `each` weighs."""
    table = np.zeros((labels.width, labels.width))
    for chosen in chunks(labels.customers, 4 * 16_384):
        rows = labels.labels[:, chosen].astype(np.intp)
        weights = None if each is None else each[chosen]
        for p in range(labels.partitions):
            for q in range(p, labels.partitions):
                columns = labels.sizes[q] + 1
                pairs = np.bincount(
                    rows[p] * columns + rows[q], weights, minlength=(labels.sizes[p] + 1) * columns
                )
                table[labels.slots(p), labels.slots(q)] += pairs.reshape(-1, columns)
    return np.triu(table) + np.triu(table, 1).T


def reliability(labels: LabelSet, theta: float = THETA) -> Floats:
    """Ensemble-driven index of each base cluster, exp(−H/(θ·m)) in (0, 1], by slot.

    H is the entropy, in bits, of how the other partitions scatter the cluster's members.
    """
    shared = contingency(labels)[:, labels.real]
    owner = np.repeat(np.arange(labels.partitions), labels.sizes)
    entropy = np.zeros(labels.width)
    for partition in range(labels.partitions):
        inside = shared[:, owner == partition]
        total = np.maximum(inside.sum(axis=1, keepdims=True), 1.0)
        share = inside / total
        entropy -= (share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1)
    return np.exp(-entropy / (theta * labels.partitions))


def _by_size(raw: NDArray[np.integer], k: int) -> NDArray[np.int32]:
    order = np.argsort(-np.bincount(raw, minlength=k), kind="stable")
    rank = np.empty(k, dtype=np.int32)
    rank[order] = np.arange(k, dtype=np.int32)
    labels: NDArray[np.int32] = rank[raw]
    return labels
