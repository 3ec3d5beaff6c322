"""What the streams have forgotten, into a store that never had it, from the exports of those who told it.

Customers' facts come as rows. What campaigns and tiers told comes as the messages themselves, which are taken
as if the stream had brought them: the same rows, and none twice when the stream says some of them again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import duckdb
import pyarrow as pa

from services.evaluation.store import families
from services.evaluation.store.backfill import add_holdings
from services.evaluation.store.batches import OWNED, unseen
from services.evaluation.store.feed import EVENT_TEXTS
from shared.bus import Delivery, delivery
from shared.contracts.events import CustomerRef, EventData

CUSTOMER_DATASETS = ("merges", "erasures", "events", "holdings")
_TEXTS = ", ".join(
    f"CASE WHEN json_type(data, '$.{name}') IN ('VARCHAR', 'BOOLEAN') THEN data ->> '$.{name}' END AS {name}"
    for name in EVENT_TEXTS
)
# As the stream's events become rows: anything but a number or its text in the place of an amount is none.
_EVENTS = f"""
WITH batch AS (
    SELECT seq, coalesce(home_id, customer_id)::UUID AS home, type,
           (time::TIMESTAMPTZ AT TIME ZONE 'UTC')::TIMESTAMP AS time,
           CASE WHEN json_type(data, '$.amount') <> 'BOOLEAN' THEN TRY_CAST(data ->> '$.amount' AS DOUBLE)
           END AS amount, {_TEXTS}
    FROM (SELECT * REPLACE (data::JSON AS data) FROM exported)
)
INSERT INTO event BY NAME {OWNED}
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Part:
    """What one feed takes of a stream's messages, and the name of its watermark."""

    position: str
    kinds: tuple[type[EventData], ...]
    take: Callable[[duckdb.DuckDBPyConnection, Sequence[Delivery]], None]


def load_customers(
    cursor: duckdb.DuckDBPyConnection, exports: Mapping[str, pa.RecordBatchReader], sequence: int
) -> None:
    """`CUSTOMER_DATASETS`; the store then stands at `sequence` of the stream."""
    families.regroup(cursor, map(_pointer, exports["merges"].read_all().to_pylist()))
    erased = exports["erasures"].read_all().to_pylist()
    families.erase(cursor, [CustomerRef.model_validate(each) for each in erased])
    cursor.register("exported", exports["events"])
    cursor.execute(_EVENTS)
    cursor.unregister("exported")
    add_holdings(cursor, exports["holdings"])
    stand_at(cursor, "CUSTOMER", sequence)


def load_told(
    cursor: duckdb.DuckDBPyConnection,
    exported: pa.RecordBatchReader,
    stream: str,
    parts: Sequence[Part],
    sequence: int,
) -> None:
    """The messages of a stream, a batch at a time; its feeds then stand at `sequence`."""
    for batch in exported:
        messages = zip(batch["event"].to_pylist(), batch["subject"].to_pylist(), strict=True)
        told = [delivery(event, subject, stream, sequence) for event, subject in messages]
        for part in parts:
            fresh = unseen(cursor, [each for each in told if isinstance(each.data, part.kinds)])
            part.take(cursor, fresh)
    for part in parts:
        stand_at(cursor, part.position, sequence)


def stand_at(cursor: duckdb.DuckDBPyConnection, position: str, sequence: int) -> None:
    cursor.execute("INSERT OR REPLACE INTO watermark VALUES (?, ?)", [position, sequence])


def _pointer(row: Mapping[str, object]) -> families.Pointer:
    survivor, changed_at = row["merged_into"], row["changed_at"]
    if not isinstance(changed_at, datetime):
        raise TypeError(f"a merge at {changed_at!r}")
    return families.Pointer(
        UUID(str(row["customer_id"])), UUID(str(survivor)) if survivor else None, changed_at
    )
