"""Named customers of the store: who they are now, as far as an organisation may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.segmentation.store.reading import IN_SCOPE
from services.segmentation.store.staging import register_ordinals


@dataclass(frozen=True)
class Known:
    """A customer in scope. `merged`: another one stands for it."""

    ordinal: int
    customer_id: UUID
    org: str
    merged: bool


def id_texts(cursor: duckdb.DuckDBPyConnection, ordinals: NDArray[np.integer]) -> dict[int, str]:
    """Ids by ordinal as text, of those the store knows: a tenth of the time of UUIDs when there are many."""
    register_ordinals(cursor, "wanted", ordinals)
    found = cursor.sql(
        "SELECT ordinal, customer_id::VARCHAR AS id FROM customer SEMI JOIN wanted USING (ordinal)"
    ).to_arrow_table()
    cursor.unregister("wanted")
    return dict(zip(found["ordinal"].to_pylist(), found["id"].to_pylist(), strict=True))


def known_by_id(cursor: duckdb.DuckDBPyConnection, ids: Sequence[UUID], org: str) -> dict[UUID, Known]:
    """Those of `ids` that the store knows below `org`."""
    cursor.register("wanted", pa.table({"id": pa.array([str(each) for each in ids], pa.string())}))
    rows = cursor.execute(
        "SELECT ordinal, customer_id, org, merged_into IS NOT NULL FROM customer "  # noqa: S608 - a constant
        f"WHERE customer_id IN (SELECT id::UUID FROM wanted) AND {IN_SCOPE}",
        {"org": org},
    ).fetchall()
    cursor.unregister("wanted")
    return {row[1]: Known(*row) for row in rows}


def stands_for(cursor: duckdb.DuckDBPyConnection, customer_id: UUID, org: str) -> Known | None:
    """The customer itself, or whom it was merged into, below `org`."""
    rows = cursor.execute(
        "SELECT ordinal, customer_id, org, false FROM customer WHERE merged_into IS NULL AND ordinal = "  # noqa: S608
        "(SELECT coalesce(merged_into, ordinal) FROM customer WHERE customer_id = $id) "
        f"AND {IN_SCOPE}",
        {"id": customer_id, "org": org},
    ).fetchall()
    return Known(*rows[0]) if rows else None


def active_by_ordinal(
    cursor: duckdb.DuckDBPyConnection, ordinals: NDArray[np.integer], org: str
) -> dict[int, Known]:
    """Those of `ordinals` that stand for themselves, below `org`."""
    register_ordinals(cursor, "wanted", ordinals)
    rows = cursor.execute(
        "SELECT ordinal, customer_id, org, false FROM customer SEMI JOIN wanted USING (ordinal) "  # noqa: S608
        f"WHERE merged_into IS NULL AND {IN_SCOPE}",
        {"org": org},
    ).fetchall()
    cursor.unregister("wanted")
    return {row[0]: Known(*row) for row in rows}
