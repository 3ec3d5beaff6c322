"""Compiled queries run on the store, and the few reads that need no rule."""

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.domain.rules.compiler import Query
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.staging import register_ordinals

Columns = dict[str, NDArray[np.generic]]
Members = Callable[[str], BitMap]
IN_SCOPE = "(org = $org OR starts_with(org, $org || '.'))"


def columns(cursor: duckdb.DuckDBPyConnection, query: Query, members: Members) -> Columns:
    """The query's columns as numpy arrays (masked where null). `members` gives a referenced segment's."""
    register_references(cursor, query, members)
    found: Columns = cursor.execute(query.sql, dict(query.parameters)).fetchnumpy()
    return found


def register_references(cursor: duckdb.DuckDBPyConnection, query: Query, members: Members) -> None:
    """Puts the members of the segments that the query refers to where it looks for them."""
    for key, relation in query.references.items():
        register_ordinals(cursor, relation, to_array(members(key)))


def holds(column: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a boolean column is true; unknown is not."""
    return np.ma.filled(column, fill_value=False).astype(np.bool_, copy=False)


def highest_ordinal(cursor: duckdb.DuckDBPyConnection) -> int:
    rows = cursor.execute("SELECT coalesce(max(ordinal), 0) FROM customer").fetchall()
    return int(rows[0][0])


def customer_ids(cursor: duckdb.DuckDBPyConnection, ordinals: NDArray[np.uint32]) -> dict[int, UUID]:
    """Ids by ordinal, of those the store knows, or knew until they were erased."""
    register_ordinals(cursor, "wanted", ordinals)
    rows = cursor.execute(
        "SELECT ordinal, customer_id FROM customer SEMI JOIN wanted USING (ordinal) "
        "UNION ALL SELECT ordinal, customer_id FROM erased SEMI JOIN wanted USING (ordinal)"
    )
    return dict(rows.fetchall())


def ordinal_of(cursor: duckdb.DuckDBPyConnection, customer_id: UUID, org: str) -> int | None:
    """The customer's ordinal, if it is within the organisation scope `org`."""
    rows = cursor.execute(
        f"SELECT ordinal FROM customer WHERE customer_id = $id AND {IN_SCOPE}",  # noqa: S608 - a constant
        {"id": customer_id, "org": org},
    ).fetchall()
    return int(rows[0][0]) if rows else None


def scope_of(cursor: duckdb.DuckDBPyConnection, org: str) -> BitMap | None:
    """Everybody below `org`, also who was merged into another; `None` for the whole bank."""
    if org == "hq":
        return None
    found = cursor.execute(f"SELECT ordinal FROM customer WHERE {IN_SCOPE}", {"org": org}).fetchnumpy()  # noqa: S608 - a constant
    return BitMap(found["ordinal"].astype(np.uint32))


def active_customers(cursor: duckdb.DuckDBPyConnection, org: str) -> int:
    """How many stand for themselves below `org`."""
    rows = cursor.execute(
        "SELECT count(*) FROM customer WHERE status = 'active' AND merged_into IS NULL "  # noqa: S608 - ours
        f"AND {IN_SCOPE}",
        {"org": org},
    ).fetchall()
    return int(rows[0][0])


def members_in_scope(
    cursor: duckdb.DuckDBPyConnection, ordinals: NDArray[np.uint32], org: str, limit: int
) -> list[tuple[int, UUID, str]]:
    """The first `limit` of these customers below `org`: ordinal, id, organisation; by ordinal."""
    register_ordinals(cursor, "wanted", ordinals)
    return cursor.execute(
        "SELECT ordinal, customer_id, org FROM customer SEMI JOIN wanted USING (ordinal) "  # noqa: S608
        f"WHERE {IN_SCOPE} ORDER BY ordinal LIMIT $limit",
        {"org": org, "limit": limit},
    ).fetchall()


MEMBER_EXPORT = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("ordinal", pa.int32()),
        pa.field("org", pa.string()),
        pa.field("primary_manager", pa.string()),
    ]
)


def export_members(
    cursor: duckdb.DuckDBPyConnection, ordinals: NDArray[np.uint32], org: str
) -> Iterator[pa.RecordBatch]:
    """All of these customers below `org`, by ordinal, in batches."""
    register_ordinals(cursor, "wanted", ordinals)
    found = cursor.sql(
        "SELECT customer_id::VARCHAR AS customer_id, ordinal, org, primary_manager "  # noqa: S608 - ours
        f"FROM customer SEMI JOIN wanted USING (ordinal) WHERE {IN_SCOPE} ORDER BY ordinal",
        params={"org": org},
    )
    reader = found.to_arrow_reader(10_000)
    for batch in reader:
        yield batch.cast(MEMBER_EXPORT)


def evidence(cursor: duckdb.DuckDBPyConnection, query: Query, limit: int) -> list[tuple[str, datetime]]:
    """`source/event_id` and time of the events that a condition takes, newest first."""
    return cursor.execute(
        f"SELECT source || '/' || event_id, time FROM event WHERE {query.sql} "  # noqa: S608 - compiled
        f"ORDER BY time DESC, seq DESC LIMIT {int(limit)}",
        dict(query.parameters),
    ).fetchall()
