"""What a prediction is learnt from: customers as they were, and what became of them."""

from collections.abc import Sequence
from datetime import timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.churn import ChurnRule, at_risk, has_left
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.past import past_matrix
from services.segmentation.queries.profile import Matrix, feature_matrix
from services.segmentation.store.parts import Table
from shared.contracts.segmentation.predictions import ChurnDefinition, PropensityParameters

ASSETS = "_assets"
OUTCOME = "_outcome"
_AUM = "aum"

_HAPPENED = """
SELECT ordinal, count(*) FROM event WHERE type IN (SELECT unnest($types::VARCHAR[]))
  AND time > $after AND time <= $until AND ($product IS NULL OR product = $product) GROUP BY ordinal
"""


def before(moment: Moment, days: int) -> Moment:
    return Moment(moment.at - timedelta(days=days), moment.zone)


def matrix_of(table: Table, keys: Sequence[str]) -> NDArray[np.float64]:
    """(N, d)."""
    return np.column_stack([table[key] for key in keys]).astype(np.float64)


def at_risk_now(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    definition: ChurnDefinition,
    now: Moment,
    catalogue: Catalogue = BUILT_IN,
) -> Table:
    """Today's customers who can be lost, with their features and assets."""
    ordinals, matrix = _present(cursor, _with_assets(keys), now, catalogue)
    return _table(ordinals, matrix, keys, at_risk(rule_of(definition), matrix[_AUM]))


def lost_after(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    definition: ChurnDefinition,
    start: Moment,
    catalogue: Catalogue = BUILT_IN,
) -> Table:
    """Those who could be lost at `start`, as they were then, and whether they were at the horizon's end."""
    rule, end = rule_of(definition), before(start, -definition.horizon_days)
    ordinals, matrix = past_matrix(cursor, _with_assets(keys), start, catalogue)
    asked = at_risk(rule, matrix[_AUM])
    table = _table(ordinals, matrix, keys, asked)
    later, balances = past_matrix(cursor, [_AUM], end)
    after = aligned(table["ordinal"], later, balances[_AUM])
    activity = happened(cursor, definition.activity, start, end, table["ordinal"])
    table[OUTCOME] = has_left(rule, table[ASSETS], after, activity).astype(np.int8)
    return table


def asked_now(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    wanted: PropensityParameters,
    now: Moment,
    catalogue: Catalogue = BUILT_IN,
) -> Table:
    ordinals, matrix = _present(cursor, _with_assets(keys), now, catalogue)
    return _table(ordinals, matrix, keys, _worth_asking(cursor, ordinals, wanted, now))


def did_after(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    wanted: PropensityParameters,
    start: Moment,
    catalogue: Catalogue = BUILT_IN,
) -> Table:
    """Customers as they were at `start`, and whether the event happened within the horizon."""
    ordinals, matrix = past_matrix(cursor, _with_assets(keys), start, catalogue)
    table = _table(ordinals, matrix, keys, _worth_asking(cursor, ordinals, wanted, start))
    end = before(start, -wanted.horizon_days)
    found = happened(cursor, [wanted.event], start, end, table["ordinal"], wanted.product)
    table[OUTCOME] = (found > 0).astype(np.int8)
    return table


def _worth_asking(
    cursor: duckdb.DuckDBPyConnection,
    ordinals: NDArray[np.uint32],
    wanted: PropensityParameters,
    moment: Moment,
) -> NDArray[np.bool_]:
    if not wanted.only_new:
        return np.ones(len(ordinals), dtype=np.bool_)
    earlier = before(moment, wanted.horizon_days)
    found = happened(cursor, [wanted.event], earlier, moment, ordinals, wanted.product)
    return np.asarray(found == 0)


def sampled(table: Table, size: int, seed: int) -> Table:
    """At most so many rows, drawn at random, in order."""
    count = len(table["ordinal"])
    if count <= size:
        return table
    chosen = np.sort(np.random.default_rng(seed).choice(count, size, replace=False))
    return {name: values[chosen] for name, values in table.items()}


def rule_of(definition: ChurnDefinition) -> ChurnRule:
    return ChurnRule(definition.fall, definition.most_activity, definition.least_assets)


def happened(
    cursor: duckdb.DuckDBPyConnection,
    types: Sequence[str],
    after: Moment,
    until: Moment,
    ordinals: NDArray[np.uint32],
    product: str | None = None,
) -> NDArray[np.float64]:
    """How many events of the types each customer had, (N,). `ordinals` ascend."""
    values = {"types": list(types), "after": after.utc, "until": until.utc, "product": product}
    rows = cursor.execute(_HAPPENED, values).fetchall()
    found = np.array(sorted(rows), dtype=np.int64).reshape(-1, 2)
    counted = aligned(ordinals, found[:, 0].astype(np.uint32), found[:, 1].astype(np.float64))
    return np.nan_to_num(counted)


def aligned(
    wanted: NDArray[np.uint32], ordinals: NDArray[np.uint32], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The values of the wanted ordinals, NaN where there is none. Both ascend."""
    found = np.full(len(wanted), np.nan)
    if len(ordinals):
        places = np.minimum(np.searchsorted(ordinals, wanted), len(ordinals) - 1)
        known = ordinals[places] == wanted
        found[known] = values[places[known]]
    return found


def _present(
    cursor: duckdb.DuckDBPyConnection, keys: Sequence[str], now: Moment, catalogue: Catalogue
) -> tuple[NDArray[np.uint32], Matrix]:
    ordinals, matrix = feature_matrix(cursor, keys, now, catalogue=catalogue)
    order = np.argsort(ordinals)
    return ordinals[order], {key: values[order] for key, values in matrix.items()}


def _with_assets(keys: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*keys, _AUM]))


def _table(
    ordinals: NDArray[np.uint32], matrix: Matrix, keys: Sequence[str], asked: NDArray[np.bool_]
) -> Table:
    return {
        "ordinal": ordinals[asked],
        **{key: matrix[key][asked] for key in keys},
        ASSETS: np.nan_to_num(matrix[_AUM][asked]),
    }
