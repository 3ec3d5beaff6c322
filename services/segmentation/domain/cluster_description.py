"""Groups in the rule language: a small surrogate tree read as one rule per group (methods.md §3)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from services.segmentation.domain.features import FeatureType
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import FeatureValue, Op, Rule, Test, all_of, any_of

Floats = NDArray[np.float64]
Matrix = Mapping[str, Floats]
_SAMPLE = 100_000
_LEAST_SHARE = 0.002
_TOLERANCE = 0.01
_DECIMALS = 6
_BEYOND_RULES = 1e15


@dataclass(frozen=True)
class GroupRule:
    """`sql`: takes `size` customers; `None` when the tree gives the group no leaf, or is one leaf.

    `precision`: share of them who are in the group; `recall`: share of the group it takes.
    """

    number: int
    sql: str | None
    size: int
    precision: float
    recall: float


@dataclass(frozen=True)
class Description:
    """`assigned` (N,): the group of the rule that takes each customer, exactly one of them does.

    `fidelity`: share of the customers with a group whom the rules put into it.
    """

    rules: tuple[GroupRule, ...]
    fidelity: float
    assigned: NDArray[np.int32]


@dataclass(frozen=True)
class _Node:
    """A leaf has a group; a fork sends values below `threshold` to `low`, unknown ones as told.

    A fork without threshold parts known (low) from unknown (high).
    """

    group: int = 0
    feature: str = ""
    threshold: float | None = None
    unknown_low: bool = True
    low: "_Node | None" = None
    high: "_Node | None" = None


def describe_by_tree(
    matrix: Matrix,
    labels: NDArray[np.integer],
    *,
    types: Mapping[str, FeatureType] | None = None,
    depth: int = 4,
    seed: int = 0,
) -> Description:
    """`matrix`: columns of length N in the units of the catalogue, NaN where unknown; `labels`:
    (N,) group numbers from 1, 0 is no group. `types`: of the features, for booleans are written
    otherwise than numbers. `depth`: conditions on the way to a leaf at most.

    Thresholds are rounded as far as hardly anybody (1 % at a fork) changes sides; the rules are
    those of the rounded tree. A customer with an unknown value goes where the tree sends it,
    which the rule says as `x is null`. Raises `ValueError` when nobody has a group.
    """
    grouped = np.flatnonzero(labels)
    if not grouped.size:
        raise ValueError("no customer has a group")
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(grouped, min(grouped.size, _SAMPLE), replace=False))
    usable = {name: values for name, values in matrix.items() if _usable(values)}
    tree = _rounded_tree(usable, labels, chosen, depth)
    assigned = np.zeros(len(labels), dtype=np.int32)
    _assign(tree, usable, np.arange(len(labels)), assigned)
    partial = {name for name, values in usable.items() if np.isnan(values).any()}
    writer = _Writer(types or {}, partial)
    alternatives = writer.alternatives(tree)
    rules = tuple(
        _rule(number, alternatives.get(number), labels, assigned)
        for number in np.unique(labels[grouped]).tolist()
    )
    return Description(rules, float((assigned == labels)[grouped].mean()), assigned)


def _usable(values: Floats) -> bool:
    """Has something to tell, in numbers the rule language can write."""
    known = values[np.isfinite(values)]
    if not known.size or np.abs(known).max() >= _BEYOND_RULES:
        return False
    return bool(known.min() < known.max()) or known.size < len(values)


def _rule(
    number: int, rule: Rule | None, labels: NDArray[np.integer], assigned: NDArray[np.int32]
) -> GroupRule:
    taken, inside = assigned == number, labels == number
    both, size = int((taken & inside).sum()), int(taken.sum())
    return GroupRule(
        number=number,
        sql=None if rule is None else to_sql(rule),
        size=size,
        precision=both / size if size else 0.0,
        recall=both / int(inside.sum()),
    )


# ── the tree ──


def _rounded_tree(matrix: Matrix, labels: NDArray[np.integer], chosen: NDArray[np.intp], depth: int) -> _Node:
    groups, counts = np.unique(labels[chosen], return_counts=True)
    if len(groups) == 1 or not matrix:
        return _Node(group=int(groups[counts.argmax()]))
    # Between equal customers and equal groups: small groups should get a leaf too.
    weights = np.sqrt(counts.max() / counts)[np.searchsorted(groups, labels[chosen])]
    sample = {name: values[chosen] for name, values in matrix.items()}
    fitted = DecisionTreeClassifier(
        max_depth=depth,
        max_leaf_nodes=max(4 * len(groups), 2),
        min_samples_leaf=max(1, int(_LEAST_SHARE * len(chosen))),
        random_state=0,
    ).fit(np.column_stack(list(sample.values())), labels[chosen], sample_weight=weights)
    return _Reader(sample, fitted).node(0, np.arange(len(chosen)))


class _Reader:
    """The fitted tree as nodes, with thresholds people can say."""

    def __init__(self, sample: Matrix, fitted: DecisionTreeClassifier) -> None:
        self._sample = sample
        self._names = list(sample)
        self._fitted = fitted
        self._tree = fitted.tree_
        self._whole = {
            name: bool((values[np.isfinite(values)] % 1 == 0).all()) for name, values in sample.items()
        }

    def node(self, index: int, rows: NDArray[np.intp]) -> _Node:
        """`rows`: those of the sample that come here."""
        tree = self._tree
        if tree.children_left[index] == tree.children_right[index]:
            return _Node(group=int(self._fitted.classes_[tree.value[index][0].argmax()]))
        name = self._names[tree.feature[index]]
        raw = float(tree.threshold[index])
        threshold = self._readable(name, raw, rows) if np.isfinite(raw) else None
        fork = _Node(feature=name, threshold=threshold, unknown_low=bool(tree.missing_go_to_left[index]))
        is_low = _is_low(fork, self._sample[name][rows])
        low = self.node(tree.children_left[index], rows[is_low])
        high = self.node(tree.children_right[index], rows[~is_low])
        if low == high and not low.feature:
            return low
        return _Node(0, name, threshold, fork.unknown_low, low, high)

    def _readable(self, name: str, raw: float, rows: NDArray[np.intp]) -> float:
        """`x <= raw` as `x < r` with the shortest r for which hardly anybody changes sides."""
        values = self._sample[name][rows]
        known = values[~np.isnan(values)]
        exact = float(np.ceil(raw)) if self._whole[name] else raw
        below = known <= raw
        for digits in range(1, 16):
            short = round(float(f"{exact:.{digits - 1}e}"), _DECIMALS)
            if np.count_nonzero((known < short) != below) <= _TOLERANCE * len(known):
                return short
        return round(exact, _DECIMALS)


def _is_low(fork: _Node, values: Floats) -> NDArray[np.bool_]:
    unknown = np.isnan(values)
    if fork.threshold is None:
        return ~unknown
    with np.errstate(invalid="ignore"):
        below = values < fork.threshold
    return np.where(unknown, fork.unknown_low, below)


def _assign(node: _Node, matrix: Matrix, rows: NDArray[np.intp], assigned: NDArray[np.int32]) -> None:
    if node.low is None or node.high is None:
        assigned[rows] = node.group
        return
    is_low = _is_low(node, matrix[node.feature][rows])
    _assign(node.low, matrix, rows[is_low], assigned)
    _assign(node.high, matrix, rows[~is_low], assigned)


# ── the rules ──


@dataclass(frozen=True)
class _Range:
    """What the way to a leaf allows of one feature: low <= x < high, and whether unknown or known at all."""

    low: float | None = None
    high: float | None = None
    unknown: bool = True
    known: bool = True


@dataclass
class _Writer:
    """`partial`: features with unknown values; of the others `is null` is not worth saying."""

    types: Mapping[str, FeatureType]
    partial: set[str]
    found: dict[int, list[Rule]] = field(default_factory=dict)

    def alternatives(self, tree: _Node) -> dict[int, Rule]:
        """The rule of each group that has a leaf."""
        if not tree.feature:
            return {}
        for group, way in _ways(tree, {}):
            tests = [self._tests(name, allowed) for name, allowed in way.items()]
            self.found.setdefault(group, []).append(all_of([test for test in tests if test is not None]))
        return {group: any_of(rules) for group, rules in self.found.items()}

    def _tests(self, name: str, allowed: _Range) -> Rule | None:
        operand = FeatureValue(name)
        if not allowed.known:
            return Test(operand, Op.is_null)
        bounds: list[Rule] = []
        if self.types.get(name) is FeatureType.boolean:
            if allowed.low is not None or allowed.high is not None:
                bounds.append(Test(operand, Op.eq, (allowed.low is not None,)))
        else:
            if allowed.low is not None:
                bounds.append(Test(operand, Op.gte, (_constant(allowed.low),)))
            if allowed.high is not None:
                bounds.append(Test(operand, Op.lt, (_constant(allowed.high),)))
        if not bounds:
            return None if allowed.unknown else Test(operand, Op.is_not_null)
        known = all_of(bounds)
        if allowed.unknown and name in self.partial:
            return any_of([known, Test(operand, Op.is_null)])
        return known


def _ways(node: _Node, way: dict[str, _Range]) -> Iterator[tuple[int, dict[str, _Range]]]:
    if node.low is None or node.high is None:
        yield node.group, way
        return
    before = way.get(node.feature, _Range())
    low, high = _narrowed(before, node)
    yield from _ways(node.low, {**way, node.feature: low})
    yield from _ways(node.high, {**way, node.feature: high})


def _narrowed(before: _Range, fork: _Node) -> tuple[_Range, _Range]:
    if fork.threshold is None:
        return (
            _Range(before.low, before.high, unknown=False, known=before.known),
            _Range(None, None, before.unknown, known=False),
        )
    return (
        _Range(before.low, fork.threshold, before.unknown and fork.unknown_low, before.known),
        _Range(fork.threshold, before.high, before.unknown and not fork.unknown_low, before.known),
    )


def _constant(value: float) -> int | Decimal:
    """As the rule language reads it back: whole numbers are integers."""
    exact = Decimal(repr(value))
    return int(exact) if exact == exact.to_integral_value() else exact.normalize()
