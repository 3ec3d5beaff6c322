"""Notifications of PostgreSQL: what was committed wakes who waits for it, in any process."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

Listener = psycopg.AsyncConnection[Any]


@asynccontextmanager
async def listening(conninfo: str, channel: str) -> AsyncIterator[Listener]:
    """A connection of its own that hears `channel` (an identifier of ours) until the block ends."""
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield connection


async def wait_for_notice(listener: Listener, seconds: float) -> None:
    """Until the next notification, at most so long: one may be lost, so whoever waits also looks."""
    async with contextlib.aclosing(listener.notifies(timeout=seconds, stop_after=1)) as notices:
        async for _ in notices:
            pass
