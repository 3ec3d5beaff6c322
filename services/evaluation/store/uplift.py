"""What a response model learns from: a row per exposure, with what was known of the customer before."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.evaluation.domain.catalogue import AUM, DEPOSITS, NET_INFLOW, TRANSACTIONS
from services.evaluation.domain.uplift import Trial
from services.evaluation.store.cells import unit_parameters, units_sql
from services.evaluation.store.outcomes import Question, named
from services.evaluation.store.quantities import HUNDREDTHS, Measure, Quantity
from shared.contracts.metrics import MetricCreate, MetricKind

CATEGORIES = ("segment", "tier", "branch", "manager")
_BEFORE = (
    Measure(NET_INFLOW, 30),
    Measure(NET_INFLOW, 90),
    Measure(TRANSACTIONS, 30),
    Measure(TRANSACTIONS, 90),
    Measure(AUM, 30),
    Measure(DEPOSITS, 30),
)
NAMES = (
    *CATEGORIES,
    "outcome_before",
    "net_inflow_30d_before",
    "net_inflow_90d_before",
    "transactions_30d_before",
    "transactions_90d_before",
    "assets_at_assignment",
    "deposits_at_assignment",
)
"""Of the columns of a trial's features."""
_MOST = 200
"""Values of a category that are told apart; the rarest beyond share one."""


def trial(
    cursor: duckdb.DuckDBPyConnection, question: Question, metric: MetricCreate, propensity: float
) -> Trial:
    """Of a campaign that drew customers, who are treated with the same probability."""
    rows = _rows(cursor, question, [Measure(metric, metric.window_days), *_BEFORE])
    numbers = [_numbers(rows[f"x{i}"]) for i in range(len(_BEFORE) + 1)]
    codes = [_codes(rows[name]) for name in CATEGORIES]
    treated = pc.not_equal(rows["arm"], "").to_numpy()
    return Trial(
        features=np.column_stack([*codes, *numbers]),
        categories=len(CATEGORIES),
        treated=treated.astype(np.bool_),
        outcome=_numbers(rows["y0"]),
        propensity=np.full(len(treated), propensity),
        proportion=metric.kind is MetricKind.PROPORTION,
    )


def _rows(cursor: duckdb.DuckDBPyConnection, question: Question, measures: Sequence[Measure]) -> pa.Table:
    """Of those who have lived through the first measure's window, in an order that follows from what is known
    of them: the same again gives the same folds.
    """
    quantities = [Quantity(measure, i) for i, measure in enumerate(measures)]
    values = [f"{name}{q.i}::DOUBLE / {HUNDREDTHS} AS {name}{q.i}" for q in quantities for name in "yx"]
    sql = (
        f"{units_sql(quantities)} SELECT arm, {', '.join(CATEGORIES)}, {', '.join(values)} "  # noqa: S608 - ours
        "FROM unit WHERE known0 ORDER BY ALL"
    )
    parameters = named(sql, unit_parameters(question, quantities))
    return cursor.sql(sql, params=parameters).to_arrow_table()


def _numbers(values: pa.ChunkedArray) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = values.to_numpy().astype(np.float64)
    return numbers


def _codes(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """The more frequent the lower, the rarest under one; equally frequent ones by name."""
    counts = pc.value_counts(values.combine_chunks())
    found: Sequence[tuple[str, int]] = list(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )
    ranked = [name for name, _ in sorted(found, key=lambda pair: (-pair[1], pair[0]))]
    places = pc.index_in(values, value_set=pa.array(ranked, values.type)).to_numpy()
    codes: NDArray[np.float64] = np.minimum(places, _MOST).astype(np.float64)
    return codes
