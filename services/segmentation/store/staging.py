"""Rows beside the store's tables, for the statements that take them in or look them up."""

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def with_staged(
    cursor: duckdb.DuckDBPyConnection, staged: pa.Table, sql: str, parameters: dict[str, int] | None = None
) -> None:
    """Run `sql` with `staged` as a table of that name; nothing when it has no rows."""
    if len(staged) == 0:
        return
    cursor.register("staged", staged)
    cursor.execute(sql, parameters)
    cursor.unregister("staged")


def register_ordinals(cursor: duckdb.DuckDBPyConnection, name: str, ordinals: NDArray[np.integer]) -> None:
    """These customers as a table of that name, for this cursor; in the place of one that had it before."""
    cursor.register(name, pa.table({"ordinal": pa.array(ordinals.astype(np.int32))}))
