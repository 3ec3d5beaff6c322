"""A worker that dies in the middle of a file: another goes on behind the last committed chunk."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from benchmarks.customers import customers_parquet, found_bank
from benchmarks.workplace import Workplace, workplace
from shared.auth import Role

ROWS = 40_000
PATIENCE_SECONDS = 300.0


async def _until(client: httpx.AsyncClient, import_id: str, wanted: Any) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            view: dict[str, Any] = (await client.get(f"/v1/imports/{import_id}")).raise_for_status().json()
            if wanted(view):
                return view
            await asyncio.sleep(0.05)


def _client(place: Workplace, url: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {place.token(Role.admin)}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_next_worker_goes_on(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        async with place.service("customer") as service, _client(place, service.url) as client:
            await found_bank(client)
            content = customers_parquet(ROWS, "core-banking")
            answer = await client.post("/v1/imports", params={"dataset": "customers"}, content=content)
            import_id = answer.raise_for_status().json()["id"]
            stopped = await _until(client, import_id, lambda view: view["counts"]["rows"] > 0)
            os.kill(service.pid, signal.SIGKILL)
        assert stopped["counts"]["rows"] < ROWS
        async with place.service("customer") as service, _client(place, service.url) as client:
            done = await _until(client, import_id, lambda view: view["state"] not in {"queued", "running"})
        # Begun anew, what was taken before the crash would be unchanged now.
        assert (done["state"], done["counts"]["created"], done["counts"]["unchanged"]) == (
            "succeeded",
            ROWS,
            0,
        )
        url = place.servers.postgres.url("customer", "postgres").replace("+psycopg", "")
        async with await psycopg.AsyncConnection.connect(url) as connection:
            known = await (await connection.execute("SELECT count(*) FROM source_identity")).fetchone()
        assert known == (ROWS,)
        print(
            f"killed after {stopped['counts']['rows']:,} of {ROWS:,} rows; {done['counts']['created']:,} created in all"
        )
