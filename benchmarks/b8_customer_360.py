"""B8: the 360° view of a random customer, against a `SELECT 1` route of the same application.

Both routes share authentication, transaction and organisation scope. They are asked by turns, so that
what else the machine does weighs on both alike.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import make_url

from benchmarks.b1_intake import SOURCE, event_body
from benchmarks.customers import load_customers
from benchmarks.figure import at_least, at_most
from benchmarks.workplace import Workplace, _free_port, _until_ready
from shared.auth import Role
from shared.migrate import upgrade

ROUNDS = 8
LATENCY_REQUESTS = 60
CLIENTS = 8
THROUGHPUT_REQUESTS = 240
EVENT_BATCHES = 20


async def run(place: Workplace, size: int) -> list[dict[str, Any]]:
    """p99 at one client and requests per second at eight, as ratios."""
    async with _probe_process(place) as url:
        await load_customers(place, url, size, SOURCE)
        await _push_events(place, url, size)
        token = place.token(Role.admin)
        ids = await _some_ids(url, token)
        views, probes = (
            _requests(token, [f"/v1/customers/{i}/360" for i in ids]),
            _requests(token, ["/v1/one"]),
        )
        await _ask(url, views, CLIENTS, THROUGHPUT_REQUESTS)
        await _ask(url, probes, CLIENTS, THROUGHPUT_REQUESTS)
        latency: dict[str, list[float]] = {"view": [], "probe": []}
        seconds = {"view": 0.0, "probe": 0.0}
        for _ in range(ROUNDS):
            for name, requests in (("probe", probes), ("view", views)):
                latency[name] += await _ask(url, requests, 1, LATENCY_REQUESTS)
                began = time.perf_counter()
                await _ask(url, requests, CLIENTS, THROUGHPUT_REQUESTS)
                seconds[name] += time.perf_counter() - began
        return [_latency_row(latency), _throughput_row(seconds)]


def _latency_row(latency: dict[str, list[float]]) -> dict[str, Any]:
    view, probe = _p99(latency["view"]), _p99(latency["probe"])
    said = f"SELECT 1 {probe * 1000:.1f} ms"
    return at_most("customer 360, p99 at 1 client", f"{view * 1000:.1f} ms", said, view / probe, 5)


def _throughput_row(seconds: dict[str, float]) -> dict[str, Any]:
    total = ROUNDS * THROUGHPUT_REQUESTS
    return at_least(
        f"customer 360, requests/s at {CLIENTS} clients",
        f"{total / seconds['view']:,.0f}/s",
        f"SELECT 1 {total / seconds['probe']:,.0f}/s",
        seconds["probe"] / seconds["view"],
        0.3,
    )


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _requests(token: str, paths: Sequence[str]) -> list[bytes]:
    head = f"HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
    return [f"GET {path} {head}".encode() for path in paths]


async def _ask(url: str, requests: Sequence[bytes], clients: int, count: int) -> list[float]:
    """Seconds of each of `count` requests. A bare client: its own cost must not hide the server's."""
    parts = await asyncio.gather(*(_client(url, requests, count // clients) for _ in range(clients)))
    return [seconds for part in parts for seconds in part]


async def _client(url: str, requests: Sequence[bytes], count: int) -> list[float]:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(random.choice(requests))  # noqa: S311 - a load, not a secret
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode()[:200])
        length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        seconds.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return seconds


async def _push_events(place: Workplace, url: str, size: int) -> None:
    headers = {
        "X-API-Key": place.api_key(SOURCE),
        "Content-Type": "application/cloudevents-batch+json",
    }
    async with httpx.AsyncClient(timeout=120, headers=headers) as client:
        for number in range(EVENT_BATCHES):
            answer = await client.post(f"{url}/v1/events", content=event_body(size, f"history-{number}"))
            answer.raise_for_status()


async def _some_ids(url: str, token: str) -> list[str]:
    async with httpx.AsyncClient(timeout=60, headers={"Authorization": f"Bearer {token}"}) as client:
        page = (await client.get(f"{url}/v1/customers", params={"limit": 1000})).raise_for_status().json()
    return [item["id"] for item in page["items"]]


@asynccontextmanager
async def _probe_process(place: Workplace) -> AsyncIterator[str]:
    """One process of the customer service with the probe route, ready when entered; its URL."""
    owner = make_url(place.servers.postgres.url("customer", "customer_owner"))
    await asyncio.to_thread(upgrade, "customer", owner, "customer_app")
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.probe_app:app",
            "--port",
            str(port),
            "--log-level",
            "error",
        ),
        env={**os.environ, **place.servers.environment("customer"), "HUANYING_LOG_LEVEL": "WARNING"},
    )
    try:
        await _until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
