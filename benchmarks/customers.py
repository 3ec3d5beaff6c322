"""A bank of any size for measurements, loaded through the import API as an integrator would."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.workplace import Workplace
from shared.auth import Role

BRANCHES = 50
_ROW_GROUP = 50_000


async def load_customers(place: Workplace, url: str, size: int, source: str) -> None:
    """Organisation, staff, one product and `size` persons whose source ids are 0…size-1."""
    headers = {"Authorization": f"Bearer {place.token(Role.admin)}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as client:
        await found_bank(client)
        await import_file(client, "customers", customers_parquet(size, source))


async def found_bank(client: httpx.AsyncClient) -> None:
    """Head office, branches with a manager each, and one product."""
    await _put(client, "orgs/hq", {"level": "hq", "name": {"zh": "总行", "en": "HQ"}})
    for n in range(BRANCHES):
        await _put(client, f"orgs/hq.b{n}", {"level": "tier1", "name": {"zh": f"{n}", "en": f"{n}"}})
        await _put(client, f"staff/M{n}", {"name": f"M{n}", "role": "manager", "org": f"hq.b{n}"})
    product = {
        "name": {"zh": "活期", "en": "Demand"},
        "category": "demand",
        "risk": "R1",
        "margin": "0.01",
    }
    await _put(client, "products/demand-deposit", product)


async def import_file(
    client: httpx.AsyncClient, dataset: str, content: bytes | AsyncIterator[bytes]
) -> dict[str, int]:
    """Upload, wait for the job, answer its counts; an error when rows were rejected."""
    answer = await client.post("/v1/imports", params={"dataset": dataset}, content=content)
    answer.raise_for_status()
    return await _until_imported(client, answer.json()["id"])


def customers_parquet(size: int, source: str) -> bytes:
    sink = io.BytesIO()
    first = True
    for batch in _batches(size, source):
        if first:
            writer = pq.ParquetWriter(sink, batch.schema)
            first = False
        writer.write_batch(batch)
    writer.close()
    return sink.getvalue()


def _batches(size: int, source: str) -> Iterator[pa.RecordBatch]:
    for start in range(0, size, _ROW_GROUP):
        numbers = range(start, min(start + _ROW_GROUP, size))
        count = len(numbers)
        columns = {
            "source": [source] * count,
            "source_id": [str(n) for n in numbers],
            "kind": ["person"] * count,
            "name": [f"客户{n}" for n in numbers],
            "id_number": [f"31010119800101{n:07d}" for n in numbers],
            "phone": [f"138{n:08d}" for n in numbers],
            "email": [f"c{n}@example.com" for n in numbers],
            "address": [f"上海市{n}号" for n in numbers],
            "gender": ["F" if n % 2 else "M" for n in numbers],
            "birth_date": [f"{1950 + n % 50}-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in numbers],
            "occupation": ["教师"] * count,
            "industry": ["教育"] * count,
            "org": [f"hq.b{n % BRANCHES}" for n in numbers],
            "primary_manager": [f"M{n % BRANCHES}" for n in numbers],
            "backup_manager": [None] * count,
            "risk_level": [f"C{1 + n % 5}" for n in numbers],
            "risk_valid_until": ["2027-06-30"] * count,
            "customer_since": ["2015-01-01"] * count,
            "consent_call": ["true"] * count,
            "consent_sms": ["true" if n % 3 else "false" for n in numbers],
            "consent_email": [None] * count,
        }
        yield pa.RecordBatch.from_pydict(
            {name: pa.array(values, pa.string()) for name, values in columns.items()}
        )


async def _put(client: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> None:
    (await client.put(f"/v1/{path}", json=body)).raise_for_status()


async def _until_imported(client: httpx.AsyncClient, import_id: str) -> dict[str, int]:
    while True:
        view = (await client.get(f"/v1/imports/{import_id}")).raise_for_status().json()
        if view["state"] == "succeeded":
            counts: dict[str, int] = view["counts"]
            if counts["rejected"]:
                raise RuntimeError(f"rows were rejected: {counts}")
            return counts
        if view["state"] not in {"queued", "running"}:
            raise RuntimeError(f"the import {view['state']}")
        await asyncio.sleep(0.25)
