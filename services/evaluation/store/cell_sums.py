"""Sums of a campaign's finest cells, streamed from its parts into one row a cell.

In memory there is one part of the customers and one row a cell, however many exposures there are. The sums
are whole numbers in 128 bits: it makes no difference what was added first.
"""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from services.evaluation.domain.cells import STORED
from services.evaluation.store.outcomes import named

SUMS = ("sy", "syy", "sx", "sxx", "sxy")
_KEYS = ", ".join(STORED)
_AT_ONCE = 8_192


def sums_sql(units: str, measures: int) -> str:
    """n, Σy, Σy², Σx, Σx² and Σxy of every measure in every cell; `units` makes `unit`, a row a customer."""
    sums = ", ".join(
        f"count(*) {of} AS n{i}, sum({y}) {of} AS sy{i}, sum({y} * {y}) {of} AS syy{i}, "
        f"sum({x}) {of} AS sx{i}, sum({x} * {x}) {of} AS sxx{i}, sum({x} * {y}) {of} AS sxy{i}"
        for i in range(measures)
        for of, y, x in [(f"FILTER (known{i})", f"y{i}", f"x{i}")]
    )
    return f"{units} SELECT {_KEYS}, {sums} FROM unit GROUP BY ALL"  # noqa: S608 - names of ours


def added(
    cursor: duckdb.DuckDBPyConnection,
    statements: Sequence[str],
    parameters: Mapping[str, object],
    measures: int,
    answer: str,
) -> pa.Table:
    """`answer` to the sums of all `statements` together, asked of `cell`. All see what `cursor` sees.

    They are kept beside its transaction, which would hold every table that was replaced until its end.
    """
    beside = cursor.cursor()
    try:
        for number, sql in enumerate(statements):
            streamed = cursor.sql(sql, params=named(sql, parameters)).to_arrow_reader(_AT_ONCE)
            beside.register("streamed", streamed)
            beside.execute(_added_sql(measures, first=number == 0))
            beside.unregister("streamed")
        return beside.sql(answer).to_arrow_table()
    finally:
        beside.close()


def _added_sql(measures: int, *, first: bool) -> str:
    sums = [f"{name}{i}" for i in range(measures) for name in SUMS]
    # Arrow tells whole numbers of 128 bits as decimals without places.
    whole = ", ".join(f"{name}::HUGEINT AS {name}" for name in sums)
    rows = f"SELECT * REPLACE ({whole}) FROM streamed"  # noqa: S608 - names of ours
    known = "" if first else "FROM cell UNION ALL BY NAME "
    columns = [*(f"sum(n{i})::BIGINT AS n{i}" for i in range(measures)), *(f"sum({n}) AS {n}" for n in sums)]
    return (
        f"CREATE OR REPLACE TEMP TABLE cell AS SELECT {_KEYS}, {', '.join(columns)} "  # noqa: S608 - as above
        f"FROM ({known}{rows}) GROUP BY ALL"
    )
