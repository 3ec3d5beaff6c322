"""What policies are learned and valued from: moments per fold, cell and arm, reduced inside DuckDB.

One pass over a campaign's exposures for all dimensions. A customer's fold is the hash of his id, salted with
the campaign: the same in every store and every run.
"""

from collections.abc import Sequence
from typing import get_args

import duckdb
import numpy as np
import pyarrow as pa

from services.evaluation.domain.definitions import RATIOS
from services.evaluation.domain.policies import Dimension
from services.evaluation.domain.policy_value import FOLDS, Statistics, Weighted
from services.evaluation.store.cells import unit_parameters, units_sql
from services.evaluation.store.outcomes import Question, named
from services.evaluation.store.quantities import HUNDREDTHS, Measure, Quantity
from shared.contracts.metrics import MetricCreate, MetricKind

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
_NO_MEAN = RATIOS | {MetricKind.QUANTILE}
_MOMENTS = ("n", "mean_v", "m2_v", "mean_u", "m2_u", "c_vu")


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
    sql = units_sql(quantities) + _SQL
    parameters = unit_parameters(question, quantities)
    found: pa.Table = cursor.sql(sql, params=named(sql, parameters)).to_arrow_table()
    return {
        dimension: _statistics(found.filter(pa.compute.equal(found["dimension"], dimension)))
        for dimension in DIMENSIONS
        if found.num_rows
    }


_SQL = f""",
    lived AS (
        SELECT (md5_number_lower(customer_id::VARCHAR || $campaign::VARCHAR) % {FOLDS})::INTEGER AS fold,
               arm, segment, branch, propensity AS p,
               y0::DOUBLE / {HUNDREDTHS} AS y, x0::DOUBLE / {HUNDREDTHS} AS x
        FROM unit WHERE known0
    ),
    centre AS (
        SELECT favg(y) AS cy, favg(x) AS cx,
               CASE WHEN var_pop(x) > 0 THEN covar_pop(y, x) / var_pop(x) ELSE 0 END AS theta
        FROM lived
    ),
    scored AS (
        SELECT fold, arm, segment, branch, 1 / p AS u, (y - cy - theta * (x - cx)) / p AS v FROM lived, centre
    )
    SELECT CASE WHEN grouping(segment) = 0 THEN 'segment' ELSE 'branch' END AS dimension,
           coalesce(segment, branch) AS cell, arm, fold,
           count(*)::DOUBLE AS n, favg(v) AS mean_v, var_pop(v) * count(*) AS m2_v,
           favg(u) AS mean_u, var_pop(u) * count(*) AS m2_u, covar_pop(v, u) * count(*) AS c_vu
    FROM scored GROUP BY GROUPING SETS ((fold, arm, segment), (fold, arm, branch))
"""  # noqa: S608 - constants


def _statistics(rows: pa.Table) -> Statistics:
    cells, cell = _coded(rows["cell"].to_pylist())
    arms, arm = _coded(rows["arm"].to_pylist())
    place = (rows["fold"].to_numpy(), cell, arm)
    return Statistics(cells, arms, Weighted(*(_placed(rows, name, place, cells, arms) for name in _MOMENTS)))


def _placed(
    rows: pa.Table,
    name: str,
    place: tuple[np.ndarray, np.ndarray, np.ndarray],
    cells: Sequence[str],
    arms: Sequence[str],
) -> np.ndarray:
    values = np.zeros((FOLDS, len(cells), len(arms)))
    values[place] = np.nan_to_num(rows[name].to_numpy().astype(np.float64))
    return values


def _coded(values: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    names, codes = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    return tuple(names.tolist()), codes
