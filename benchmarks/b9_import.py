"""B9: a Parquet file of customers through the import API, against COPY of its rows into the same server.

The reference reads the same file and copies its columns as they are into a table without index, a commit each
10,000 rows, fsync on. The import checks every value, seals the personal ones, finds who is known, keeps
identities, consents and match keys with their indexes, and tells the other services.
"""

import asyncio
import io
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.customers import customers_parquet, found_bank, import_file
from benchmarks.figure import at_most
from benchmarks.memory import growth, watched
from benchmarks.workplace import Workplace
from shared.auth import Role

SOURCE = "core-banking"
TARGET = 5.0
FLAT = 1.25
_COMMIT_ROWS = 10_000


async def run(place: Workplace, size: int) -> list[dict[str, Any]]:
    """Seconds of the import over seconds of COPY, and how memory grew."""
    content = await asyncio.to_thread(customers_parquet, size, SOURCE)
    async with place.service("customer") as service:
        headers = {"Authorization": f"Bearer {place.token(Role.admin)}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=600) as client:
            await found_bank(client)
            await import_file(client, "customers", customers_parquet(100, "warm"))
            async with watched(service.pid) as samples:
                began = time.perf_counter()
                counts = await import_file(client, "customers", content)
                importing = time.perf_counter() - began
        if counts["created"] != size:
            raise RuntimeError(f"{counts}")
    copying = await _copy(place, content)
    return [_speed(size, importing, copying), _memory(samples)]


def _speed(size: int, importing: float, copying: float) -> dict[str, Any]:
    measured, reference = f"{size / importing:,.0f}/s", f"COPY {size / copying:,.0f}/s"
    return at_most("customers imported from Parquet", measured, reference, importing / copying, TARGET)


def _memory(samples: list[int]) -> dict[str, Any]:
    what = "memory of the service, second half over second quarter"
    reference = f"{samples[0] / 2**20:,.0f} MiB before"
    return at_most(what, f"{max(samples) / 2**20:,.0f} MiB at most", reference, growth(samples), FLAT)


async def _copy(place: Workplace, content: bytes) -> float:
    """Seconds to read the file and COPY its rows."""
    names = pq.read_schema(io.BytesIO(content)).names
    url = place.servers.postgres.url("customer", "customer_owner").replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        columns = ", ".join(f"{name} text" for name in names)
        await connection.execute(f"CREATE TABLE copy_customers ({columns})")
        await connection.commit()
        began = time.perf_counter()
        for batch in _batches(content):
            async with connection.cursor() as cursor, cursor.copy("COPY copy_customers FROM STDIN") as copy:
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    await copy.write_row(row)
            await connection.commit()
        return time.perf_counter() - began


def _batches(content: bytes) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(io.BytesIO(content)) as file:
        yield from file.iter_batches(batch_size=_COMMIT_ROWS)
