"""Readiness that tells the truth: database, broker, backlog, feeds, disk; each in a sentence."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import text

from shared.contracts.base import Check, Readiness
from shared.service import Runtime

_TIMEOUT_SECONDS = 3.0
_MAX_OUTBOX_SECONDS = 60
_MAX_FEED_LAG = 10_000

_OUTBOX_AGE = text("""
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float
    FROM outbox WHERE sent_at IS NULL
""")


async def readiness(runtime: Runtime) -> Readiness:
    checks = {
        "database": _database,
        "broker": _broker,
        "outbox": _outbox,
        "feeds": _feeds,
        "disk": _disk,
    }
    results = await asyncio.gather(*(_check(name, check, runtime) for name, check in checks.items()))
    return Readiness(ready=all(result.ok for result in results), checks=list(results))


async def _check(name: str, check: Callable[[Runtime], Awaitable[str | None]], runtime: Runtime) -> Check:
    """`check` returns what is wrong, or nothing."""
    try:
        wrong = await asyncio.wait_for(check(runtime), _TIMEOUT_SECONDS)
    except TimeoutError:
        wrong = f"no answer within {_TIMEOUT_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
        wrong = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'failed'}"
    return Check(name=name, ok=wrong is None, detail=wrong)


async def _database(runtime: Runtime) -> str | None:
    async with runtime.db.transaction() as session:
        await session.execute(text("SELECT 1"))
    full = runtime.room.database()
    return full.reason if full else None


async def _broker(runtime: Runtime) -> str | None:
    if not runtime.bus.connected:
        return "not connected; reconnecting"
    await runtime.bus.last_sequence(runtime.service.name.upper())
    return None


async def _outbox(runtime: Runtime) -> str | None:
    async with runtime.db.transaction() as session:
        age = float(await session.scalar(_OUTBOX_AGE) or 0)
    backlog = await runtime.room.backlog()
    if backlog:
        return backlog.reason
    return f"oldest unpublished event is {age:.0f} s old" if age > _MAX_OUTBOX_SECONDS else None


async def _feeds(runtime: Runtime) -> str | None:
    for feed in runtime.service.feeds:
        applied = feed.target(runtime).watermark(feed.stream)
        if await runtime.bus.forgotten(feed.stream, applied):
            return f"{feed.name} has fallen behind what {feed.stream} remembers: rebuild its store"
        lag = await runtime.bus.last_sequence(feed.stream) - applied
        if lag > _MAX_FEED_LAG:
            return f"{feed.name} is {lag} messages behind {feed.stream}"
    return None


async def _disk(runtime: Runtime) -> str | None:
    full = runtime.room.disk()
    return full.reason if full else None
