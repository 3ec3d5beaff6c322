"""When something is lacking: 503 with Retry-After and the reason, /readyz says the same, and nothing is lost.

A process of its own with servers of its own: they are stopped and started.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from deploy.embedded.nats import NatsServer
from deploy.embedded.ports import free_port
from deploy.embedded.postgres import PostgresServer
from shared.auth import LocalIssuer, Role
from shared.migrate import upgrade
from tests.customer.conftest import BATCH, event, put
from tests.support import Servers, eventually, wait_until

BACKLOG = 25


@dataclass
class House:
    """A customer service of its own, at `url`."""

    servers: Servers
    client: httpx.AsyncClient

    async def push(self, *events: dict[str, Any]) -> httpx.Response:
        return await self.client.post("/v1/events", json=list(events), headers={"content-type": BATCH})

    async def taken(self, *events: dict[str, Any]) -> bool:
        return (await self.push(*events)).status_code == 200

    async def check(self, name: str) -> str | None:
        """What /readyz says is wrong with `name`."""
        answer = await self.client.get("/readyz")
        return next(c.get("detail") for c in answer.json()["checks"] if c["name"] == name)

    def owner(self) -> psycopg.Connection[Any]:
        url = self.servers.postgres.url("customer", "customer_owner").replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True)

    def stored(self, *events: dict[str, Any]) -> int:
        ids = [sent["id"] for sent in events]
        with self.owner() as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM customer_event WHERE event_id = ANY(%(ids)s))"
                " + (SELECT count(*) FROM parked_event WHERE event_id = ANY(%(ids)s))",
                {"ids": ids},
            ).fetchone()
        return int(row[0]) if row else 0


@asynccontextmanager
async def process(servers: Servers, **settings: str) -> AsyncIterator[House]:
    port = free_port()
    environment = {**os.environ, **servers.environment("customer"), "HUANYING_PORT": str(port), **settings}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.serve", "customer"), env=environment, stdout=subprocess.DEVNULL
    )
    headers = {"X-API-Key": servers.api_key("core")}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:

        async def up() -> bool:
            try:
                return (await client.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        try:
            await eventually(up, seconds=90, what="the service")
            yield House(servers, client)
        finally:
            child.terminate()
            await child.wait()


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("house")
    (directory / "secrets").mkdir()
    issuer = LocalIssuer.create(directory / "secrets" / "issuer.pem", directory / "secrets" / "jwks.json")
    for name in ("pii.key", "webhook.key"):
        (directory / "secrets" / name).write_text("ab" * 32)
    with PostgresServer(directory / "postgres") as postgres, NatsServer(directory / "nats") as broker:
        postgres.create_databases()
        upgrade("customer", make_url(postgres.url("customer", "customer_owner")), "customer_app")
        servers = Servers(postgres, broker, directory, issuer)
        (directory / "secrets" / "service.key").write_text(servers.api_key(None, Role.integrator))
        yield servers


@pytest.fixture(scope="module")
async def house(own_servers: Servers) -> AsyncIterator[House]:
    limits = {
        "HUANYING_MAX_OUTBOX_BACKLOG": str(BACKLOG),
        "HUANYING_DATABASE_POOL_SIZE": "2",
        "HUANYING_DATABASE_POOL_SECONDS": "0.5",
    }
    async with process(own_servers, **limits) as house:
        admin = {"Authorization": f"Bearer {own_servers.token(Role.admin)}"}
        async with httpx.AsyncClient(base_url=house.client.base_url, headers=admin, timeout=60) as client:
            await put(client, "/v1/orgs/hq", {"level": "hq", "name": {"zh": "总", "en": "HQ"}})
            body = {
                "kind": "person",
                "name": "张三",
                "org": "hq",
                "identities": [{"source": "core", "source_id": "c1"}],
            }
            assert (await client.post("/v1/customers", json=body)).status_code == 201
        yield house


def refused(answer: httpx.Response, word: str) -> str:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    detail: str = answer.json()["detail"]
    assert word in detail
    return detail


def _kill(server: PostgresServer) -> None:
    """As a crash would: the object keeps its place, and starts there again."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.alive, what="the end of PostgreSQL")


async def test_a_database_that_is_away(house: House) -> None:
    before, during = event("c1"), event("c1")
    assert await house.taken(before)
    _kill(house.servers.postgres)
    try:
        refused(await house.push(during), "database")
        assert await house.check("database") is not None
    finally:
        house.servers.postgres.start()

    async def again() -> bool:
        return await house.taken(during)

    await eventually(again, what="the database's return")
    assert house.stored(before, during) == 2


async def test_a_database_without_room(house: House) -> None:
    sent = event("c1")
    with house.owner() as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;"
            " CREATE TRIGGER full_disk BEFORE INSERT ON customer_event EXECUTE FUNCTION full_disk()"
        )
        try:
            first = refused(await house.push(sent), "no room left")
        finally:
            connection.execute("DROP FUNCTION full_disk CASCADE")
    second = refused(await house.push(sent), "no room left")
    assert second in first
    assert await house.check("database") == second

    async def again() -> bool:
        return await house.taken(sent)

    await eventually(again, what="the end of the memory")
    assert house.stored(sent) == 1


async def test_all_connections_busy(house: House) -> None:
    events = [event("c1") for _ in range(8)]
    with house.owner() as connection:
        connection.execute("SET lock_timeout = '10s'")
        with connection.transaction():
            connection.execute("LOCK TABLE customer_event IN ACCESS EXCLUSIVE MODE")
            pushes = [asyncio.create_task(house.push(sent)) for sent in events]
            # No longer than it needs: who has a connection is refused by the database after ten seconds.
            done, _ = await asyncio.wait(pushes, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert done, "those who wait for a connection are told"
            for push in done:
                refused(push.result(), "busy")
        answers = await asyncio.gather(*pushes)
    accepted = [sent for sent, answer in zip(events, answers, strict=True) if answer.status_code == 200]
    assert house.stored(*events) == house.stored(*accepted) == len(accepted)

    async def again() -> bool:
        return await house.taken(events[0])

    await eventually(again, what="free connections")
    assert house.stored(events[0]) == 1


async def test_a_broker_that_is_away_for_too_long(house: House) -> None:
    house.servers.nats.stop()
    sent: list[dict[str, Any]] = []
    try:
        for _ in range(BACKLOG + 60):
            each = event("c1")
            answer = await house.push(each)
            if answer.status_code != 200:
                break
            sent.append(each)
            await asyncio.sleep(0.05)
        detail = refused(answer, "wait for the broker")
        assert len(sent) > BACKLOG / 2, "a broker's short absence is nobody's matter"
        assert await house.check("outbox") == detail
        assert house.stored(*sent) == len(sent)
        assert house.stored(each) == 0
    finally:
        house.servers.nats.start()

    async def again() -> bool:
        return await house.taken(each)

    await eventually(again, seconds=40, what="the broker's return")


async def test_a_disk_that_is_nearly_full(own_servers: Servers, house: House) -> None:
    sent = event("c1")
    everything = {"HUANYING_MIN_FREE_DISK_BYTES": str(2**62), "HUANYING_MIN_FREE_DISK_SHARE": "1.0"}
    async with process(own_servers, **everything) as full:
        refused(await full.push(sent), "The disk is nearly full")
        assert "The disk is nearly full" in (await full.check("disk") or "")
        listing = await full.client.get("/v1/events")
        assert listing.status_code == 200, "reading needs no room"
    assert house.stored(sent) == 0
    assert await house.taken(sent)
