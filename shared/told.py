"""What a service told the stores of others: kept when it leaves the outbox, because the streams forget it.

A store that is made anew takes it all from here, in the order and under the ids it was told with, and follows
the stream from there.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pyarrow as pa
from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.events import EventData
from shared.db import EVERYWHERE, Database, psycopg_of

SCHEMA = pa.schema(
    [("seq", pa.int64()), ("event_id", pa.string()), ("subject", pa.string()), ("event", pa.string())]
)
_BATCH = 64
_STATEMENT_TIMEOUT_MS = 3_600_000
_KIND: LiteralString = "split_part(subject, '.', 1) || '.' || split_part(subject, '.', 2) = ANY(%(kinds)s)"


class ToldColumns:
    """Of the table in which a service keeps them: rows as the outbox had them."""

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID]
    subject: Mapped[str]
    payload: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True)
class Kept:
    """Which events a service keeps, and in which of its tables."""

    table: LiteralString
    events: tuple[type[EventData], ...]

    @property
    def kinds(self) -> list[str]:
        return [event.SUBJECT for event in self.events]

    async def take_over(self, connection: psycopg.AsyncConnection[Any], purge: LiteralString) -> None:
        """Runs the statement that clears the outbox; what goes there and is kept goes into the table."""
        await connection.execute(
            f"WITH gone AS ({purge} RETURNING seq, event_id, subject, payload)"  # noqa: S608 - our own names
            f" INSERT INTO {self.table} (seq, event_id, subject, payload)"
            f" SELECT seq, event_id, subject, payload FROM gone WHERE {_KIND}",
            {"kinds": self.kinds},
        )

    async def export(self, database: Database) -> AsyncIterator[pa.RecordBatch]:
        """Everything told so far, in order, as one snapshot; few messages in memory at a time."""
        async with database.transaction(EVERYWHERE, statement_timeout_ms=_STATEMENT_TIMEOUT_MS) as session:
            connection = await psycopg_of(session)
            async with connection.cursor("told") as cursor:
                await cursor.execute(
                    "SELECT seq, event_id::text, subject, convert_from(payload, 'UTF8') FROM ("  # noqa: S608
                    f"SELECT seq, event_id, subject, payload FROM {self.table}"
                    f" UNION ALL SELECT seq, event_id, subject, payload FROM outbox WHERE {_KIND}"
                    ") AS told ORDER BY seq",
                    {"kinds": self.kinds},
                )
                while rows := await cursor.fetchmany(_BATCH):
                    columns = zip(*rows, strict=True)
                    arrays = [
                        pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
