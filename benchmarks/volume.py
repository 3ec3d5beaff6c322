"""A whole bank through the import API of one customer service, counted and added up at the end.

python -m benchmarks.volume --customers 1000000 --months 12 --events 20000000

Parquet is written into a temporary directory file by file and deleted after its upload. PostgreSQL, NATS and
the customer service run; nobody follows the stream.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import nats
import psycopg

from benchmarks.customers import found_bank, import_file
from benchmarks.memory import growth, watched
from benchmarks.volume_files import Part, customer_files, event_files, holding_files, month_ends
from benchmarks.workplace import Workplace, workplace
from shared.auth import Role

STREAM_BYTES = 24 * 1024**3
"""Every fact of the run fits: a full stream refuses, and the outbox would keep what it refuses."""

_OTHER_STREAMS_BYTES = 64 * 1024**2
_READ_BYTES = 1024 * 1024
_DRAIN_SECONDS = 1800
_MEBI = 2**20


@dataclass
class Loaded:
    """What the files of one data set held, and how long they took."""

    rows: int = 0
    cents: int = 0
    seconds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--events", type=int, default=100_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="huanying-volume-") as directory,
        workplace(Path(directory)) as place,
    ):
        asyncio.run(run(place, Path(directory), options.customers, options.months, options.events))


async def run(place: Workplace, directory: Path, customers: int, months: int, events: int) -> None:
    """Load, print as it goes, verify; RuntimeError when anything is missing or too much."""
    ends = month_ends(datetime.now(UTC).date(), months)
    files = {
        "customers": customer_files(directory, customers),
        "holdings": holding_files(directory, customers, ends),
        "events": event_files(directory, customers, events),
    }
    limit = {"HUANYING_NATS_STREAM_MAX_BYTES": str(_OTHER_STREAMS_BYTES)}
    async with place.service("customer", **limit) as service:
        await _widen_stream(place)
        headers = {"Authorization": f"Bearer {place.token(Role.admin)}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=600) as client:
            await found_bank(client)
            loaded = {name: await _load(client, service.pid, name, parts) for name, parts in files.items()}
        await _drained(place)
    await _verify(place, loaded, customers, months)


async def _widen_stream(place: Workplace) -> None:
    """As an operator would: limits belong to whoever runs the broker."""
    connection = await nats.connect(place.servers.nats.url)
    stream = (await connection.jetstream().stream_info("CUSTOMER")).config
    stream.max_bytes = STREAM_BYTES
    await connection.jetstream().update_stream(stream)
    await connection.close()


async def _load(client: httpx.AsyncClient, pid: int, dataset: str, parts: Iterator[Part]) -> Loaded:
    done = Loaded()
    async with watched(pid) as samples:
        for part in parts:
            began = time.perf_counter()
            counts = await import_file(client, dataset, _bytes(part.path))
            seconds = time.perf_counter() - began
            part.path.unlink()
            if counts["created"] != part.rows:
                raise RuntimeError(f"{part.path.name}: {counts}")
            done.rows, done.cents, done.seconds = (
                done.rows + part.rows,
                done.cents + part.cents,
                done.seconds + seconds,
            )
            told = f"{part.rows:,} rows, {part.rows / seconds:,.0f}/s, {samples[-1] / _MEBI:,.0f} MiB"
            print(f"{part.path.name}: {told}", flush=True)
    if done.rows:
        rate = done.rows / done.seconds
        print(
            f"{dataset}: {done.rows:,} rows in {done.seconds:,.0f} s, {rate:,.0f}/s; {_memory(samples)}",
            flush=True,
        )
    return done


def _memory(samples: list[int]) -> str:
    step = max(len(samples) // 10, 1)
    points = " ".join(f"{value / _MEBI:.0f}" for value in samples[::step])
    return f"memory {points} MiB, second half {growth(samples):.2f} of the second quarter"


async def _bytes(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            yield part


async def _drained(place: Workplace) -> None:
    """Wait until the relay has published everything."""
    began = time.perf_counter()
    while (waiting := (await _row(place, "SELECT count(*) FROM outbox WHERE sent_at IS NULL"))[0]) > 0:
        if time.perf_counter() - began > _DRAIN_SECONDS:
            raise RuntimeError(f"{waiting:,} events are still in the outbox")
        await asyncio.sleep(1)
    print(f"the outbox was empty {time.perf_counter() - began:,.0f} s after the last file", flush=True)


async def _verify(place: Workplace, loaded: dict[str, Loaded], customers: int, months: int) -> None:
    expected: dict[str, tuple[Any, ...]] = {
        "SELECT count(*), count(DISTINCT id_hash), count(DISTINCT ordinal) FROM customer": (customers,) * 3,
        "SELECT count(*), count(DISTINCT customer_id) FROM source_identity": (customers,) * 2,
        "SELECT count(*) FROM customer_key": (customers,),
        "SELECT count(*) FROM consent": (customers,),
        "SELECT count(*) FROM holding": (customers if months else 0,),
        "SELECT count(*), coalesce(sum(balance), 0) FROM holding_day": _money(loaded["holdings"]),
        "SELECT count(*), coalesce(sum((data->>'amount')::numeric), 0) FROM customer_event": _money(
            loaded["events"]
        ),
        "SELECT count(*) FROM outbox WHERE sent_at IS NULL": (0,),
        "SELECT count(*) FROM import_rejection": (0,),
    }
    for statement, wanted in expected.items():
        found = await _row(place, statement)
        if found != wanted:
            raise RuntimeError(f"{statement}: {found} instead of {wanted}")
        print(f"ok {found} {statement}")
    size = (await _row(place, "SELECT pg_database_size('customer')"))[0]
    largest = await _row(place, _LARGEST)
    stream = sum(file.stat().st_size for file in (place.servers.directory / "nats").rglob("*.blk"))
    print(f"database {size / _MEBI:,.0f} MiB ({largest[0]}), stream {stream / _MEBI:,.0f} MiB")


_LARGEST = """
SELECT string_agg(relname || ' ' || pg_size_pretty(size), ', ' ORDER BY size DESC) FROM (
  SELECT relname, pg_total_relation_size(oid) AS size FROM pg_class
  WHERE relkind = 'r' ORDER BY 2 DESC LIMIT 5) t
"""


def _money(loaded: Loaded) -> tuple[int, Decimal]:
    return loaded.rows, Decimal(loaded.cents) / 100


async def _row(place: Workplace, statement: str) -> tuple[Any, ...]:
    url = place.servers.postgres.url("customer", "postgres").replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute(statement.encode())).fetchone()
    return tuple(row or ())


if __name__ == "__main__":
    main()
