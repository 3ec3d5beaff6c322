"""What policies are learned and valued from: moments per fold, cell and arm, reduced inside DuckDB.

One pass over a campaign's exposures for all dimensions, a part of them at a time. A customer's fold is the
hash of his id, salted with the campaign: the same in every store and every run.
"""

import math
from collections.abc import Sequence
from typing import get_args

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.evaluation.domain.definitions import RATIOS
from services.evaluation.domain.policies import Dimension
from services.evaluation.domain.policy_value import FOLDS, Statistics, Weighted
from services.evaluation.store.cells import unit_parameters, units_sql
from services.evaluation.store.outcomes import Question, named
from services.evaluation.store.parts import WHOLE, parts_of
from services.evaluation.store.quantities import HUNDREDTHS, Measure, Quantity
from shared.contracts.metrics import MetricCreate, MetricKind

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
_NO_MEAN = RATIOS | {MetricKind.QUANTILE}


def policy_statistics(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate
) -> dict[Dimension, Statistics]:
    """By dimension, over exposures whose window has passed; nothing for metrics that are no mean.

    Outcomes are centred on the campaign's mean, and freed of what the covariate foretells where there is one:
    it was there before the lot, so that no policy can have moved it.
    """
    if metric.kind in _NO_MEAN:
        return {}
    quantities = [Quantity(Measure(metric, metric.window_days), 0)]
    parameters = unit_parameters(question, quantities)
    # Whose outcomes are extreme is known only of all together.
    parts = [WHOLE] if metric.winsorise else parts_of(cursor, question)
    sums = []
    for part in parts:
        sql = units_sql(quantities, part) + _SUMS
        sums.append(cursor.sql(sql, params=named(sql, parameters)).to_arrow_table())
    found = _added(cursor, pa.concat_tables(sums))
    return {
        dimension: _statistics(found.filter(pc.equal(found["dimension"], dimension)))
        for dimension in DIMENSIONS
        if found.num_rows
    }


# Sums of doubles depend on the order of rows, which a parallel engine does not keep: outcomes are whole
# hundredths, added in 128 bits, apart for each propensity. Weights come in afterwards, in a fixed order.
_SUMS = f""",
    lived AS (
        SELECT (md5_number_lower(customer_id::VARCHAR || $campaign::VARCHAR) % {FOLDS})::INTEGER AS fold,
               arm, segment, branch, tier, propensity AS p, y0 AS y, x0 AS x
        FROM unit WHERE known0
    )
    SELECT CASE WHEN grouping(segment) = 0 THEN 'segment' WHEN grouping(branch) = 0 THEN 'branch'
                ELSE 'tier' END AS dimension,
           coalesce(segment, branch, tier) AS cell, arm, fold, p, count(*) AS n, sum(y) AS sy, sum(x) AS sx,
           sum(y * y) AS syy, sum(x * x) AS sxx, sum(x * y) AS sxy
    FROM lived
    GROUP BY GROUPING SETS ((fold, arm, p, segment), (fold, arm, p, branch), (fold, arm, p, tier))
"""  # noqa: S608 - constants


def _centred(one: str, other: str, product: str) -> str:
    """Σ(a − ā)(b − b̄) of whole numbers, exact; in floats only where n·Σab is beyond 128 bits."""
    exact = f"TRY(n * {product} - {one} * {other})::DOUBLE"
    return f"coalesce({exact}, n * {product}::DOUBLE - {one}::DOUBLE * {other}::DOUBLE) / n"


def _off(one: str, all_of_it: str) -> str:
    """The mean of a group less everybody's, as exact."""
    exact = f"TRY(everybody * {one} - n * {all_of_it})::DOUBLE"
    rough = f"everybody * {one}::DOUBLE - n * {all_of_it}::DOUBLE"
    return f"coalesce({exact}, {rough}) / n / everybody"


_ADDED = f"""
    WITH grouped AS (
        SELECT dimension, cell, arm, fold, p, sum(n) AS n, sum(sy::HUGEINT) AS sy, sum(sx::HUGEINT) AS sx,
               sum(syy::HUGEINT) AS syy, sum(sxx::HUGEINT) AS sxx, sum(sxy::HUGEINT) AS sxy
        FROM told GROUP BY ALL
    ),
    total AS (
        SELECT sum(n) AS n, sum(sy) AS sy, sum(sx) AS sx, sum(sxx) AS sxx, sum(sxy) AS sxy
        FROM grouped WHERE dimension = 'segment'
    ),
    centre AS (
        SELECT n AS everybody, sy AS all_y, sx AS all_x, {_centred("sx", "sy", "sxy")} AS c_xy,
               {_centred("sx", "sx", "sxx")} AS m2_x, CASE WHEN m2_x > 0 THEN c_xy / m2_x ELSE 0 END AS theta
        FROM total
    )
    SELECT dimension, cell, arm, fold, p, n::DOUBLE AS n,
           ({_off("sy", "all_y")} - theta * {_off("sx", "all_x")}) / {HUNDREDTHS} AS mean,
           ({_centred("sy", "sy", "syy")} - 2 * theta * {_centred("sx", "sy", "sxy")}
            + theta * theta * {_centred("sx", "sx", "sxx")}) / {HUNDREDTHS**2} AS m2
    FROM grouped, centre ORDER BY ALL
"""  # noqa: S608 - constants


def _added(cursor: duckdb.DuckDBPyConnection, told: pa.Table) -> pa.Table:
    """Of each cell, arm, fold and propensity: how many, the mean outcome and Σ(y − ȳ)²."""
    beside = cursor.cursor()
    try:
        beside.register("told", told)
        return beside.sql(_ADDED).to_arrow_table()
    finally:
        beside.close()


def _statistics(rows: pa.Table) -> Statistics:
    cells, cell = _coded(rows["cell"].to_pylist())
    arms, arm = _coded(rows["arm"].to_pylist())
    shape = (FOLDS, len(cells), len(arms))
    place = np.ravel_multi_index((rows["fold"].to_numpy(), cell, arm), shape)
    n, p, mean, m2 = (rows[name].to_numpy() for name in ("n", "p", "mean", "m2"))

    def added(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(place, values, math.prod(shape)).astype(np.float64).reshape(shape)

    total = added(n)
    mean_v, mean_u = (added(n * each) / np.maximum(total, 1) for each in (mean / p, 1 / p))
    dv, du = mean / p - mean_v.flat[place], 1 / p - mean_u.flat[place]
    m2_v = added(np.maximum(m2, 0) / p**2 + n * dv * dv)
    return Statistics(
        cells, arms, Weighted(total, mean_v, m2_v, mean_u, added(n * du * du), added(n * dv * du))
    )


def _coded(values: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    names, codes = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    return tuple(names.tolist()), codes
