"""Whatever stands in a table: an answer without NaN, or a problem."""

import math
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.evaluation.queries.analysis import analyse
from shared.contracts.evaluation.analyse import AnalyseOptions
from shared.errors import Unprocessable

_ROW = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.none()
    | st.sampled_from([0.0, 1.0, -0.0, 5e-324, 1e99, -1e99, 1e-200, math.nan, math.inf])
    | st.floats(width=64, min_value=-1e3, max_value=1e3),
    st.integers(-2, 2),
    st.sampled_from(["x", "y", None]),
    st.integers(0, 5),
)
_TABLES = given(
    st.lists(_ROW, max_size=40), st.sampled_from([{}, {"unit": "u"}, {"cluster": "u"}, {"winsorise": 0.9}])
)
_SHARED = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_TABLES
@settings(_SHARED, max_examples=12)
def test_never_nan(tmp_path: Path, rows: list[tuple[object, ...]], options: dict[str, object]) -> None:
    _is_strict(tmp_path, rows, options)


@pytest.mark.slow
@_TABLES
@settings(_SHARED, max_examples=600)
def test_never_nan_long(tmp_path: Path, rows: list[tuple[object, ...]], options: dict[str, object]) -> None:
    _is_strict(tmp_path, rows, options)


def _is_strict(folder: Path, rows: list[tuple[object, ...]], options: dict[str, object]) -> None:
    """Whatever stands in a table: strict JSON without NaN and infinities, or a problem."""
    names = ("arm", "y", "x", "d", "u")
    types = (pa.string(), pa.float64(), pa.int64(), pa.string(), pa.int64())
    columns = [pa.array([row[at] for row in rows], type=kind) for at, kind in enumerate(types)]
    pq.write_table(pa.table(columns, names=names), folder / "t.parquet")
    metrics = ["y", "x", "y/x", "x/y"] if "cluster" in options else ["y", "x", "y/x", "x/y", "y:p50"]
    asked = AnalyseOptions.model_validate(
        {"arm": "arm", "control": "a", "metrics": metrics, "dimensions": ["d"], **options}
    )
    try:
        answer = analyse(folder / "t.parquet", asked)
    except Unprocessable:
        return
    told = orjson.loads(answer.model_dump_json())
    for row in told["metrics"]:
        if row["p_value"] is None:
            assert any(row["metric"] in warning for warning in told["warnings"])
        if row["ci"] is not None:
            assert row["ci"][0] <= row["difference"] <= row["ci"][1]
