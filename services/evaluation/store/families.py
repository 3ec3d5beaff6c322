"""Who is whom in the store: merges applied and taken back, the erased made nobody.

Rows keep their home, the customer they were recorded for, when it is merged into another; `customer_id`
is whose they are now. So what a survivor does later counts for an exposure of a merged customer, and
taking the merge back restores both.

When several of one person's files were exposed to the same campaign, the earliest assignment counts, with
its arm (intention to treat), and has all outcomes; equally early ones are ordered by contact id, a hash
that knows nothing of the arm. The others are not counted at all: neither twice, nor as somebody who did
nothing. They count again when the merge is taken back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import duckdb
import pyarrow as pa

from shared.contracts.events import CustomerRef, CustomersMerged, CustomersUnmerged

_DELETED = ("contact", "event", "holding", "referral", "opportunity")
"""What the erased leave nothing of."""
_TABLES = ("exposure", *_DELETED)

_POINTERS = pa.schema([("home", pa.uuid()), ("survivor", pa.uuid()), ("changed_at", pa.timestamp("us"))])

# Messages about one customer may come late and out of order; the newer decision stays.
_MOVED = """
CREATE OR REPLACE TEMP TABLE moved AS
SELECT home, staged.survivor, alias.survivor AS earlier, staged.changed_at
FROM staged LEFT JOIN alias USING (home)
WHERE alias.changed_at IS NULL OR staged.changed_at >= alias.changed_at
"""

_ALIAS = """
MERGE INTO alias USING (SELECT home, survivor, changed_at FROM moved) AS moved ON alias.home = moved.home
WHEN MATCHED THEN UPDATE BY NAME
WHEN NOT MATCHED THEN INSERT BY NAME
"""

_TOUCHED_BY_MERGE = """
CREATE OR REPLACE TEMP TABLE touched AS SELECT DISTINCT customer_id
FROM (SELECT unnest([home, survivor, earlier]) AS customer_id FROM moved) WHERE customer_id IS NOT NULL
"""

_TOUCHED_BY_BATCH = """
CREATE OR REPLACE TEMP TABLE touched AS
SELECT survivor AS customer_id FROM batch JOIN alias USING (home) WHERE survivor IS NOT NULL
UNION SELECT home FROM batch SEMI JOIN alias ON alias.survivor = batch.home
"""

_TOUCHED_BY_ERASURE = """
CREATE OR REPLACE TEMP TABLE touched AS SELECT DISTINCT customer_id FROM exposure
WHERE coalesce(home, customer_id) IN (SELECT home FROM staged)
"""

_COUNT_FIRST = """
UPDATE exposure SET counted = exposure.contact_id = earliest.contact_id FROM (
  SELECT campaign_id, customer_id, first(contact_id ORDER BY assigned_at, contact_id) AS contact_id
  FROM exposure SEMI JOIN touched USING (customer_id) GROUP BY campaign_id, customer_id
) AS earliest
WHERE exposure.campaign_id = earliest.campaign_id AND exposure.customer_id = earliest.customer_id
"""

_ROWS = " + ".join(
    [
        *(
            f"(SELECT count(*) FROM {table} AS t WHERE coalesce(t.home, t.customer_id) = staged.home)"  # noqa: S608
            for table in _TABLES
        ),
        "(SELECT count(*) FROM tier WHERE tier.home = staged.home)",
    ]
)
_ERASE = f"""
INSERT INTO erased BY NAME
SELECT staged.home, {_ROWS} AS rows
FROM staged ANTI JOIN erased USING (home) RETURNING home
"""  # noqa: S608 - our own names


@dataclass(frozen=True)
class Pointer:
    """From `at` on, the rows of `home` are the survivor's; its own again without one."""

    home: UUID
    survivor: UUID | None
    at: datetime


def pointers_of(event: CustomersMerged | CustomersUnmerged) -> list[Pointer]:
    if isinstance(event, CustomersMerged):
        survivor = event.survivor.customer_id
        return [Pointer(each.customer_id, survivor, event.merged_at) for each in event.merged]
    return [
        Pointer(
            each.customer_id, each.merged_into.customer_id if each.merged_into else None, event.unmerged_at
        )
        for each in event.separated
    ]


def regroup(cursor: duckdb.DuckDBPyConnection, pointers: Iterable[Pointer]) -> None:
    """Applies merges and separations, in the order told."""
    newest: dict[UUID, Pointer] = {}
    for pointer in pointers:
        known = newest.get(pointer.home)
        if known is None or pointer.at >= known.at:
            newest[pointer.home] = pointer
    if not newest:
        return
    rows = [
        {
            "home": each.home.bytes,
            "survivor": each.survivor.bytes if each.survivor else None,
            "changed_at": each.at.astimezone(UTC).replace(tzinfo=None),
        }
        for each in newest.values()
    ]
    cursor.register("staged", pa.Table.from_pylist(rows, _POINTERS))
    cursor.execute(_MOVED)
    cursor.unregister("staged")
    cursor.execute(_ALIAS)
    for table in _TABLES:
        cursor.execute(
            f"UPDATE {table} SET customer_id = coalesce(moved.survivor, moved.home), "  # noqa: S608 - our names
            "home = CASE WHEN moved.survivor IS NOT NULL THEN moved.home END "
            f"FROM moved WHERE coalesce({table}.home, {table}.customer_id) = moved.home"
        )
    cursor.execute(_TOUCHED_BY_MERGE)
    cursor.execute(_COUNT_FIRST)


def count_first(cursor: duckdb.DuckDBPyConnection) -> None:
    """After exposures were inserted from `batch`: of each person's, the earliest counts."""
    cursor.execute(_TOUCHED_BY_BATCH)
    if cursor.execute("SELECT count(*) FROM touched").fetchall() != [(0,)]:
        cursor.execute(_COUNT_FIRST)


def erase(cursor: duckdb.DuckDBPyConnection, customers: Sequence[CustomerRef]) -> None:
    """Deletes outcomes, holdings, tiers, contacts, referrals and opportunities of these homes. Exposures of
    theirs stay as nobody's: all are counted among the assigned, also those that were not while they were
    merged, since nobody can tell afterwards; and none has an outcome that could be known. Again changes
    nothing.
    """
    if not customers:
        return
    homes = [each.bytes for each in {ref.customer_id for ref in customers}]
    cursor.register("staged", pa.table({"home": pa.array(homes, pa.uuid())}))
    if cursor.execute(_ERASE).fetchall():
        theirs = "coalesce(home, customer_id) IN (SELECT home FROM staged)"
        for table in _DELETED:
            cursor.execute(f"DELETE FROM {table} WHERE {theirs}")  # noqa: S608 - our own names
        cursor.execute(_TOUCHED_BY_ERASURE)
        cursor.execute(
            "UPDATE exposure SET contact_id = NULL, customer_id = NULL, home = NULL, counted = true "  # noqa: S608
            f"WHERE {theirs}"
        )
        cursor.execute(_COUNT_FIRST)
        for table in ("tier", "alias"):
            cursor.execute(f"DELETE FROM {table} WHERE home IN (SELECT home FROM staged)")  # noqa: S608
    cursor.unregister("staged")


def erased_rows(cursor: duckdb.DuckDBPyConnection, customers: Sequence[UUID]) -> int:
    """How many rows went or became nobody's when these customers were erased here."""
    rows = cursor.execute(
        "SELECT coalesce(sum(rows), 0)::BIGINT FROM erased WHERE home IN (SELECT unnest($1::UUID[]))",
        [[str(each) for each in customers]],
    ).fetchall()
    return int(rows[0][0])
