"""Rules of groups: read by the product's own parser and run by its own compiler, they say what the tree says."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from services.segmentation.domain.cluster_description import Description, describe_by_tree
from services.segmentation.domain.features import Catalogue, Feature, FeatureType, Source
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.sql_form import parse_sql

MOMENT = Moment(datetime(2026, 11, 20, 12, tzinfo=UTC), UTC)
TYPES = {
    "aum": FeatureType.money,
    "age": FeatureType.integer,
    "share": FeatureType.number,
    "salary": FeatureType.boolean,
    "late": FeatureType.integer,
}
COLUMNS = {
    "aum": "DECIMAL(20, 2)",
    "age": "INTEGER",
    "share": "DOUBLE",
    "salary": "BOOLEAN",
    "late": "INTEGER",
}
CATALOGUE = Catalogue(Feature(key, key, key, type_, Source.customer, key) for key, type_ in TYPES.items())


def _customers(seed: int, size: int = 2_000) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Three groups by assets, age and whether `late` is known at all; a fifth of the values unknown."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, size, p=[0.6, 0.3, 0.1])
    matrix: dict[str, NDArray[np.float64]] = {
        "aum": np.round(np.exp(rng.normal(np.array([8.0, 12.0, 12.0])[truth], 0.7)), 2),
        "age": np.round(rng.normal(np.array([30.0, 60.0, 35.0])[truth], 6)),
        "share": rng.random(size),
        "salary": (rng.random(size) < np.array([0.9, 0.2, 0.5])[truth]).astype(np.float64),
        "late": np.where(truth == 2, rng.integers(1, 90, size), np.nan),
    }
    for name in ("aum", "age", "salary"):
        matrix[name][rng.random(size) < 0.2] = np.nan
    return matrix, truth + 1


def _taken(found: Description, matrix: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:
    """(rules, N): whom the engine lets into the segment of each rule's text."""
    compiler = Compiler(CATALOGUE, MOMENT)
    for rule in found.rules:
        assert rule.sql is not None
        compiler.add_rule(f"g{rule.number}", parse_sql(rule.sql, CATALOGUE))
    query = compiler.query()
    with duckdb.connect() as cursor:
        columns = ", ".join(
            f"CAST(nullif({name}, 'NaN'::DOUBLE) AS {type_}) AS {name}" for name, type_ in COLUMNS.items()
        )
        wide = {**matrix, "ordinal": np.arange(len(matrix["aum"]))}
        cursor.register("wide", wide)
        cursor.execute(
            f"CREATE TABLE customer AS SELECT ordinal, 'active' AS status, NULL::INTEGER AS merged_into, {columns} FROM wide"
        )
        outputs = ", ".join(f"coalesce(g{rule.number}, false)::INTEGER" for rule in found.rules)
        rows = cursor.execute(
            f"SELECT {outputs} FROM ({query.sql}) ORDER BY ordinal", query.parameters
        ).fetchall()
    return np.array(rows).T


@pytest.mark.parametrize("seed", range(4))
def test_the_text_says_what_the_tree_says(seed: int) -> None:
    matrix, labels = _customers(seed)
    found = describe_by_tree(matrix, labels, types=TYPES, depth=3 + seed % 3)
    taken = _taken(found, matrix)
    assert (taken.sum(axis=0) == 1).all()
    numbers = np.array([rule.number for rule in found.rules])
    assert (numbers[taken.argmax(axis=0)] == found.assigned).all()
    for rule, mask in zip(found.rules, taken.astype(bool), strict=True):
        inside = labels == rule.number
        assert rule.size == mask.sum()
        assert rule.precision == pytest.approx((mask & inside).sum() / mask.sum())
        assert rule.recall == pytest.approx((mask & inside).sum() / inside.sum())
    assert found.fidelity == pytest.approx((found.assigned == labels).mean())
    assert found.fidelity > 0.9


def test_rules_read_well() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(1, 3, 4_000)
    aum = np.where(labels == 1, rng.uniform(0, 203_417, 4_000), rng.uniform(203_877, 900_000, 4_000))
    found = describe_by_tree({"aum": aum}, labels)
    assert [rule.sql for rule in found.rules] == ["aum < 200000", "aum >= 200000"]
    assert found.fidelity > 0.98
    visits = labels.astype(np.float64) + 2
    found = describe_by_tree({"visits": visits}, labels)
    assert [rule.sql for rule in found.rules] == ["visits < 4", "visits >= 4"]
    assert found.fidelity == 1
    found = describe_by_tree({"flag": visits - 3}, labels, types={"flag": FeatureType.boolean})
    assert [rule.sql for rule in found.rules] == ["flag = false", "flag = true"]


def test_unknown_values_are_said() -> None:
    labels = np.repeat([1, 2], 50)
    late = np.where(labels == 1, 7.0, np.nan)
    found = describe_by_tree({"late": late}, labels)
    assert [rule.sql for rule in found.rules] == ["late is not null", "late is null"]
    aum = np.where(labels == 1, 10.0, 90.0)
    aum[::7] = np.nan
    found = describe_by_tree({"aum": aum}, np.where(np.isnan(aum), 2, labels))
    assert [rule.sql for rule in found.rules] == ["aum < 50", "aum >= 50 or aum is null"]
    assert found.fidelity == 1


def test_customers_without_a_group_are_not_described() -> None:
    labels = np.repeat([0, 1, 2], 40)
    values = np.repeat([5.0, 1.0, 9.0], 40)
    found = describe_by_tree({"x": values}, labels)
    assert [(rule.number, rule.recall) for rule in found.rules] == [(1, 1.0), (2, 1.0)]
    assert found.fidelity == 1
    assert found.assigned[0] in {1, 2}
    with pytest.raises(ValueError, match="no customer has a group"):
        describe_by_tree({"x": values}, np.zeros(120, dtype=int))


def test_what_cannot_be_told_has_no_rule() -> None:
    labels = np.array([1] * 90 + [2] * 10)
    (first, second) = describe_by_tree({"same": np.ones(100), "huge": np.arange(100) * 1e14}, labels).rules
    assert (first.sql, first.size, first.recall) == (None, 100, 1.0)
    assert (second.sql, second.size, second.precision, second.recall) == (None, 0, 0.0, 0.0)
