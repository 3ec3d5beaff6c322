"""Who is whom in the store: merges applied and taken back, the erased deleted.

A merge rewrites whose the facts of the merged home are now; their home stays, so taking it back
restores both customers exactly, with what was recorded for either of them in between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from pyroaring import BitMap

from services.segmentation.store import campaigns
from services.segmentation.store.relations import regroup_relations
from shared.contracts.events import CustomerRef, CustomersMerged, CustomersUnmerged

_FACTS = ("holding", "holding_latest", "event", "value")

_POINTERS = pa.schema(
    [
        pa.field("home", pa.int32()),
        pa.field("survivor", pa.int32()),
        pa.field("changed_at", pa.timestamp("us")),
    ]
)
_REFS = pa.schema([pa.field("ordinal", pa.int32()), pa.field("customer_id", pa.string())])

# Messages about one customer may come late and out of order; the newer decision stays.
_MOVED = """
CREATE OR REPLACE TEMP TABLE moved AS
SELECT home, staged.survivor, alias.survivor AS earlier, staged.changed_at
FROM staged LEFT JOIN alias USING (home)
WHERE alias.changed_at IS NULL OR staged.changed_at >= alias.changed_at
"""

_TOUCHED = """
CREATE OR REPLACE TEMP TABLE touched AS SELECT DISTINCT ordinal
FROM (SELECT unnest([home, survivor, earlier]) AS ordinal FROM moved) WHERE ordinal IS NOT NULL
"""

_ALIAS = """
MERGE INTO alias USING (SELECT home, survivor, changed_at FROM moved) AS moved ON alias.home = moved.home
WHEN MATCHED THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""

_ERASE = """
INSERT INTO erased BY NAME
SELECT staged.ordinal, staged.customer_id::UUID AS customer_id,
  (SELECT count(*) FROM customer WHERE customer.ordinal = staged.ordinal)
  + (SELECT count(*) FROM holding WHERE holding.home = staged.ordinal)
  + (SELECT count(*) FROM holding_latest WHERE holding_latest.home = staged.ordinal)
  + (SELECT count(*) FROM event WHERE event.home = staged.ordinal)
  + (SELECT count(*) FROM relation WHERE staged.ordinal IN (home_from, home_to))
  + (SELECT count(*) FROM value WHERE value.home = staged.ordinal)
  + (SELECT count(*) FROM campaign_contact AS c WHERE c.customer_id = staged.customer_id::UUID) AS rows,
  $applied AS applied
FROM staged ANTI JOIN erased USING (ordinal) RETURNING ordinal
"""


@dataclass(frozen=True)
class Pointer:
    """From `at` (UTC) on, the facts of `home` are the survivor's; its own again without one."""

    home: int
    survivor: int | None
    at: datetime


def pointers_of(event: CustomersMerged | CustomersUnmerged) -> list[Pointer]:
    if isinstance(event, CustomersMerged):
        return [Pointer(each.ordinal, event.survivor.ordinal, event.merged_at) for each in event.merged]
    return [
        Pointer(each.ordinal, each.merged_into.ordinal if each.merged_into else None, event.unmerged_at)
        for each in event.separated
    ]


def regroup(cursor: duckdb.DuckDBPyConnection, pointers: Iterable[Pointer], applied: int) -> None:
    """Applies merges and separations, in the order told. `applied`: stream position they came with."""
    newest: dict[int, Pointer] = {}
    for pointer in pointers:
        known = newest.get(pointer.home)
        if known is None or pointer.at >= known.at:
            newest[pointer.home] = pointer
    if not newest:
        return
    rows = [
        {
            "home": each.home,
            "survivor": each.survivor,
            "changed_at": each.at.astimezone(UTC).replace(tzinfo=None),
        }
        for each in newest.values()
    ]
    cursor.register("staged", pa.Table.from_pylist(rows, _POINTERS))
    cursor.execute(_MOVED)
    cursor.unregister("staged")
    cursor.execute(_TOUCHED)
    cursor.execute("DELETE FROM regrouped WHERE ordinal IN (SELECT ordinal FROM touched)")
    cursor.execute("INSERT INTO regrouped BY NAME SELECT ordinal, ? AS applied FROM touched", [applied])
    cursor.execute(_ALIAS)
    for table in _FACTS:
        cursor.execute(
            f"UPDATE {table} SET ordinal = coalesce(moved.survivor, moved.home) "  # noqa: S608 - our own names
            f"FROM moved WHERE {table}.home = moved.home"
        )
    regroup_relations(cursor)
    cursor.execute(
        "UPDATE customer SET merged_into = moved.survivor FROM moved WHERE customer.ordinal = moved.home"
    )


def erase(cursor: duckdb.DuckDBPyConnection, customers: Sequence[CustomerRef], applied: int) -> None:
    """Deletes all rows of these homes and remembers that they are erased. Again changes nothing."""
    if not customers:
        return
    refs = {
        each.ordinal: {"ordinal": each.ordinal, "customer_id": str(each.customer_id)} for each in customers
    }
    cursor.register("staged", pa.Table.from_pylist(list(refs.values()), _REFS))
    if cursor.execute(_ERASE, {"applied": applied}).fetchall():
        cursor.execute("DELETE FROM customer WHERE ordinal IN (SELECT ordinal FROM staged)")
        for table in (*_FACTS, "value_withdrawn", "alias"):
            cursor.execute(f"DELETE FROM {table} WHERE home IN (SELECT ordinal FROM staged)")  # noqa: S608 - ours
        cursor.execute(
            "DELETE FROM relation WHERE home_from IN (SELECT ordinal FROM staged) "
            "OR home_to IN (SELECT ordinal FROM staged)"
        )
        campaigns.forget(cursor, [each.customer_id for each in customers])
    cursor.unregister("staged")


def erased_rows(cursor: duckdb.DuckDBPyConnection, ordinals: Sequence[int]) -> int:
    """How many rows went when these customers were erased here."""
    rows = cursor.execute(
        "SELECT coalesce(sum(rows), 0)::BIGINT FROM erased WHERE ordinal IN (SELECT unnest($1::INTEGER[]))",
        [list(ordinals)],
    ).fetchall()
    return int(rows[0][0])


@dataclass(frozen=True)
class Gone:
    """Ordinals that no segment may have: merged into another, or erased."""

    merged: BitMap
    erased: BitMap


def gone(cursor: duckdb.DuckDBPyConnection) -> Gone:
    return Gone(
        _bitmap(cursor, "SELECT home FROM alias WHERE survivor IS NOT NULL"),
        _bitmap(cursor, "SELECT ordinal FROM erased"),
    )


def regrouped_since(cursor: duckdb.DuckDBPyConnection, applied: int) -> BitMap:
    """Who was merged, separated, or took over or gave back facts, behind this stream position."""
    return _bitmap(cursor, "SELECT ordinal FROM regrouped WHERE applied > ?", applied)


def erased_since(cursor: duckdb.DuckDBPyConnection, applied: int) -> BitMap:
    return _bitmap(cursor, "SELECT ordinal FROM erased WHERE applied > ?", applied)


def _bitmap(cursor: duckdb.DuckDBPyConnection, sql: str, *parameters: int) -> BitMap:
    return BitMap(ordinal for (ordinal,) in cursor.execute(sql, list(parameters)).fetchall())
