"""B1: business events over HTTP, against COPY of the same rows into the same server.

Both sides commit every 1,000 rows with fsync on. The service validates, tells repetitions apart, finds the
customer, applies balances and writes the outbox; COPY only stores.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import psycopg

from benchmarks.customers import load_customers
from benchmarks.figure import at_least
from benchmarks.workplace import Workplace

BATCH = 1_000
ROUNDS = 40
SOURCE = "core-banking"
TARGETS = {1: 0.15, 4: 0.25}

Push = Callable[[list[bytes]], Awaitable[None]]


async def run(place: Workplace, size: int) -> list[dict[str, Any]]:
    """Rows per second of one service process at 1 and at 4 clients, as shares of COPY's."""
    key = place.api_key(SOURCE)
    async with place.service("customer") as service, httpx.AsyncClient(timeout=60) as client:
        await load_customers(place, service.url, size, SOURCE)
        headers = {"X-API-Key": key, "Content-Type": "application/cloudevents-batch+json"}

        async def push(bodies: list[bytes]) -> None:
            for body in bodies:
                answer = await client.post(f"{service.url}/v1/events", content=body, headers=headers)
                if answer.status_code != 200 or answer.json()["accepted"] != BATCH:
                    raise RuntimeError(answer.text[:500])

        await push([event_body(size, f"warm-{n}") for n in range(5)])
        return [await _ratio(place, size, push, clients, target) for clients, target in TARGETS.items()]


async def _ratio(place: Workplace, size: int, push: Push, clients: int, target: float) -> dict[str, Any]:
    """Intake and COPY by turns, so that what else the machine does weighs on both alike."""
    pushing = copying = 0.0
    for turn in range(ROUNDS // 4):
        loads = [
            [event_body(size, f"{clients}-{turn}-{c}-{n}") for n in range(4 // clients)]
            for c in range(clients)
        ]
        began = time.perf_counter()
        await asyncio.gather(*(push(load) for load in loads))
        pushing += time.perf_counter() - began
        copying += await _copy(place, size, f"{clients}-{turn}", batches=4)
    return _row(clients, ROUNDS * BATCH / pushing, ROUNDS * BATCH / copying, target)


def _row(clients: int, rate: float, reference: float, target: float) -> dict[str, Any]:
    what = f"events/s at {clients} client{'s' if clients > 1 else ''}, batches of {BATCH:,}"
    return at_least(what, f"{rate:,.0f}/s", f"COPY {reference:,.0f}/s", rate / reference, target)


def _events(size: int, tag: str) -> list[dict[str, Any]]:
    """Nine transactions to one balance snapshot, over random customers."""
    dice = random.Random(tag)  # noqa: S311 - a load, not a secret
    now = datetime.now(UTC) - timedelta(days=1)
    events = []
    for number in range(BATCH):
        snapshot = number % 10 == 0
        data = {"account": f"A-{dice.randrange(size)}", "product": "demand-deposit", "currency": "CNY"}
        if snapshot:
            data |= {"balance": f"{dice.randrange(10**6)}.00", "as_of": now.date().isoformat()}
        else:
            data |= {
                "amount": f"{dice.randrange(10**5)}.50",
                "direction": "in",
                "channel": "mobile",
                "balance_after": f"{dice.randrange(10**6)}.00",
            }
        events.append(
            {
                "specversion": "1.0",
                "id": f"{tag}-{number}",
                "source": SOURCE,
                "type": "balance.snapshot" if snapshot else "transaction.posted",
                "subject": f"{dice.randrange(size)}",
                "time": (now + timedelta(milliseconds=number)).isoformat(),
                "data": data,
            }
        )
    return events


def event_body(size: int, tag: str) -> bytes:
    """One batch as a partner would send it."""
    return orjson.dumps(_events(size, tag))


async def _copy(place: Workplace, size: int, tag: str, *, batches: int) -> float:
    """Seconds for the same rows by COPY, a commit a batch, into a table of the same columns without index."""
    url = place.servers.postgres.url("customer", "customer_owner").replace("+psycopg", "")
    loads = [_events(size, f"copy-{tag}-{n}") for n in range(batches)]
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS copy_reference (source text, event_id text, type text, subject text,"
            " time timestamptz, data jsonb)"
        )
        await connection.commit()
        began = time.perf_counter()
        for events in loads:
            async with connection.cursor() as cursor, cursor.copy("COPY copy_reference FROM STDIN") as copy:
                for event in events:
                    await copy.write_row(
                        (
                            event["source"],
                            event["id"],
                            event["type"],
                            event["subject"],
                            event["time"],
                            orjson.dumps(event["data"]).decode(),
                        )
                    )
            await connection.commit()
        return time.perf_counter() - began
