"""The outbox relay: one per service at a time publishes committed events in order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog
from nats.errors import Error as NatsError

from shared.bus import Bus
from shared.notices import wait_for_notice
from shared.telemetry import OUTBOX_PUBLISHED
from shared.told import Kept

logger = structlog.get_logger()

_BATCH = 512
_BATCH_BYTES = 16 * 1024**2
_IDLE_SECONDS = 1.0
_PURGE_SECONDS = 600.0

_LEAD = "SELECT pg_try_advisory_lock(hashtext('huanying.relay'))"
_UNSENT = """
    SELECT seq, event_id, subject, payload FROM outbox WHERE sent_at IS NULL ORDER BY seq LIMIT %s
"""
_SENT = "UPDATE outbox SET sent_at = clock_timestamp() WHERE seq = ANY(%s)"
# The inbox outlives every message a stream may still deliver.
_OUTBOX = "DELETE FROM outbox WHERE sent_at < clock_timestamp() - interval '7 days'"
_PURGES = (
    "DELETE FROM stored_answer WHERE created_at < clock_timestamp() - interval '7 days'",
    "DELETE FROM inbox WHERE received_at < clock_timestamp() - interval '60 days'",
)


@dataclass(frozen=True)
class Relay:
    conninfo: str
    bus: Bus
    keeps: Kept | None = None

    async def run(self) -> None:
        """Publish until cancelled; a lost database or broker is waited for."""
        while True:
            try:
                await self._lead()
            except (psycopg.Error, NatsError, OSError, TimeoutError) as error:
                logger.warning("relay_interrupted", error=str(error))
                await asyncio.sleep(1)

    async def _lead(self) -> None:
        # The lock lives as long as this connection: a second replica takes over when it ends.
        async with await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True) as connection:
            while not await _scalar(connection, _LEAD):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(_IDLE_SECONDS)
            await connection.execute("LISTEN outbox")
            purged_at = 0.0
            while True:
                if await self._publish_batch(connection) == 0:
                    await wait_for_notice(connection, _IDLE_SECONDS)
                if asyncio.get_running_loop().time() - purged_at > _PURGE_SECONDS:
                    await self._purge(connection)
                    purged_at = asyncio.get_running_loop().time()

    async def _purge(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if self.keeps:
            await self.keeps.take_over(connection, _OUTBOX)
        else:
            await connection.execute(_OUTBOX)
        for statement in _PURGES:
            await connection.execute(statement)

    async def _publish_batch(self, connection: psycopg.AsyncConnection[Any]) -> int:
        cursor = await connection.execute(_UNSENT, (_BATCH,), binary=True)
        rows = _within_bytes(await cursor.fetchall())
        if not rows:
            return 0
        taken = await self.bus.publish_all(
            [(subject, payload, str(event_id)) for _, event_id, subject, payload in rows]
        )
        sent = [row[0] for row, ok in zip(rows, taken, strict=True) if ok]
        await connection.execute(_SENT, (sent,))
        OUTBOX_PUBLISHED.inc(len(sent))
        if len(sent) < len(rows):
            logger.warning("publish_refused", count=len(rows) - len(sent))
            await asyncio.sleep(1)
        return len(sent)


def _within_bytes(rows: Sequence[tuple[int, UUID, str, bytes]]) -> list[tuple[int, UUID, str, bytes]]:
    taken: list[tuple[int, UUID, str, bytes]] = []
    total = 0
    for row in rows:
        total += len(row[3])
        if taken and total > _BATCH_BYTES:
            break
        taken.append(row)
    return taken


async def _scalar(connection: psycopg.AsyncConnection[Any], statement: str) -> object:
    row = await (await connection.execute(statement)).fetchone()
    return row[0] if row else None
