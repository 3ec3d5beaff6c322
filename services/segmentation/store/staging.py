"""A batch of rows beside the store's tables, for one statement that takes them in."""

import duckdb
import pyarrow as pa


def with_staged(
    cursor: duckdb.DuckDBPyConnection, staged: pa.Table, sql: str, parameters: dict[str, int] | None = None
) -> None:
    """Run `sql` with `staged` as a table of that name; nothing when it has no rows."""
    if len(staged) == 0:
        return
    cursor.register("staged", staged)
    cursor.execute(sql, parameters)
    cursor.unregister("staged")
