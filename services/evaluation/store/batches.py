"""What every feed of the store does with its deliveries: once each, as rows, in one statement a kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import duckdb
import pyarrow as pa

from shared.bus import Delivery
from shared.contracts.events import EventData

Kind = TypeVar("Kind", bound=EventData)
Row = Mapping[str, object]
Work = Callable[[Sequence[Delivery]], None]

MOMENT = pa.timestamp("us")

OWNED = """
    SELECT batch.* EXCLUDE (home), coalesce(alias.survivor, batch.home) AS customer_id,
        CASE WHEN alias.survivor IS NOT NULL THEN batch.home END AS home
    FROM batch ANTI JOIN erased ON erased.home = batch.home LEFT JOIN alias ON alias.home = batch.home
"""
"""Whose a row is now; of the erased nothing is taken."""


def advance(
    cursor: duckdb.DuckDBPyConnection,
    position: str,
    deliveries: Sequence[Delivery],
    last_seq: int,
    kinds: tuple[type[EventData], ...],
    work: Work,
) -> None:
    """`work` on what lies behind the watermark called `position`, which is then at `last_seq`."""
    reached = cursor.execute("SELECT seq FROM watermark WHERE stream = ?", [position]).fetchall()
    at = int(reached[0][0]) if reached else 0
    if last_seq <= at:
        return
    work(unseen(cursor, [each for each in deliveries if each.seq > at and isinstance(each.data, kinds)]))
    cursor.execute("INSERT OR REPLACE INTO watermark VALUES (?, ?)", [position, last_seq])


def unseen(cursor: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Each message once, with its id noted."""
    relevant = {UUID(delivery.event_id): delivery for delivery in deliveries}
    if not relevant:
        return []
    ids = pa.table({"event_id": pa.array([key.bytes for key in relevant], pa.uuid())})
    cursor.register("ids", ids)
    rows = cursor.execute(
        "INSERT OR IGNORE INTO applied SELECT event_id FROM ids RETURNING event_id"
    ).fetchall()
    cursor.unregister("ids")
    new = {row[0] for row in rows}
    return [delivery for key, delivery in relevant.items() if key in new]


def of_kind(deliveries: Iterable[Delivery], kind: type[Kind]) -> Iterator[Kind]:
    return (delivery.data for delivery in deliveries if isinstance(delivery.data, kind))


def put(
    cursor: duckdb.DuckDBPyConnection,
    statement: str,
    schema: pa.Schema,
    rows: Iterator[Row],
    then: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> None:
    """`then` runs while the rows are still there as `batch`."""
    batch = pa.Table.from_pylist(list(rows), schema)
    if batch.num_rows:
        cursor.register("batch", batch)
        cursor.execute(statement)
        if then is not None:
            then(cursor)
        cursor.unregister("batch")


def utc(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)
