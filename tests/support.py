"""What tests of running services share: a service inside the test's process, principals, patience."""

import asyncio
import contextlib
import importlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import psycopg
from fastapi import FastAPI

from deploy.embedded.nats import NatsServer
from deploy.embedded.postgres import PostgresServer
from shared.auth import ApiKey, LocalIssuer, Role, new_api_key
from shared.contracts.events import EventData
from shared.ids import new_id
from shared.outbox import row
from shared.service import Runtime

KEPT_TABLES = {"alembic_version"}


@dataclass(frozen=True)
class Servers:
    """Real PostgreSQL and nats-server of this test session, and the issuer its services trust."""

    postgres: PostgresServer
    nats: NatsServer
    directory: Path
    issuer: LocalIssuer

    def environment(self, service: str) -> dict[str, str]:
        """The settings a process of `service` runs with."""
        data = self.directory / "data" / service
        data.mkdir(parents=True, exist_ok=True)
        secrets = self.directory / "secrets"
        return {
            "HUANYING_DATABASE_URL": self.postgres.url(service, f"{service}_app"),
            "HUANYING_MIGRATION_URL": self.postgres.url(service, f"{service}_owner"),
            "HUANYING_NATS_URL": self.nats.url,
            "HUANYING_JWKS_FILE": str(secrets / "jwks.json"),
            "HUANYING_API_KEYS_FILE": str(secrets / "api_keys.json"),
            "HUANYING_SERVICE_KEY_FILE": str(secrets / "service.key"),
            "HUANYING_PII_KEY_FILE": str(secrets / "pii.key"),
            "HUANYING_WEBHOOK_KEY_FILE": str(secrets / "webhook.key"),
            # One service may run twice in a session: whichever takes a delivery must be able to make it.
            "HUANYING_WEBHOOK_ALLOW": "127.0.0.1",
            "HUANYING_DATA_DIR": str(data),
            "HUANYING_INLINE_WORKER": "true",
        }

    def token(self, *roles: Role, org: str = "hq", staff: str | None = None, name: str = "tester") -> str:
        return self.issuer.token(staff or name, roles=list(roles), org=org, staff=staff, name=name)

    def api_key(self, source: str | None = None, *roles: Role, org: str = "hq") -> str:
        """A new key, known to every service from now on."""
        file = self.directory / "secrets" / "api_keys.json"
        key, digest = new_api_key()
        entry = ApiKey(
            id=f"k{time.monotonic_ns()}",
            sha256=digest,
            roles=list(roles or (Role.integrator,)),
            org=org,
            source=source,
        )
        entries = orjson.loads(file.read_bytes()) if file.exists() else []
        aside = file.with_suffix(".new")
        aside.write_bytes(orjson.dumps([*entries, entry.model_dump(mode="json")]))
        aside.replace(file)
        return key


@dataclass(frozen=True)
class Running:
    """A service inside this process: its routes over ASGI, its worker's tasks running."""

    name: str
    app: FastAPI
    runtime: Runtime
    servers: Servers

    def client(
        self, *roles: Role, org: str = "hq", staff: str | None = None, key: str | None = None
    ) -> httpx.AsyncClient:
        """A caller with these roles (a person) or this API key; without either, nobody."""
        headers = {}
        if key:
            headers["X-API-Key"] = key
        elif roles:
            headers["Authorization"] = f"Bearer {self.servers.token(*roles, org=org, staff=staff)}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=60)

    async def publish(self, *events: EventData) -> int:
        """Put events on their streams as their owner's relay would; the last stream sequence."""
        last = 0
        for event in events:
            message = row(event)
            ack = await self.runtime.bus.js.publish(
                message["subject"],
                message["payload"],
                headers={"Nats-Msg-Id": str(message["event_id"])},
            )
            last = ack.seq
        return last

    async def heard(self, *durables: str) -> None:
        """All that was published is worked off. The broker counts what is pending a moment after it has
        acknowledged the publication.
        """
        await asyncio.sleep(0.05)

        async def nothing_waits() -> bool:
            return not any([await self.runtime.bus.backlog(name) for name in durables])

        await eventually(nothing_waits, what="the consumers")


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@asynccontextmanager
async def started(app: FastAPI, settings: dict[str, str]) -> AsyncIterator[None]:
    """The application's lifespan; the environment is its own only while it starts and reads it."""
    async with AsyncExitStack() as stack:
        with environment(settings):
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield


@asynccontextmanager
async def run_service(servers: Servers, name: str, **settings: str) -> AsyncIterator[Running]:
    """Start `name` as its process would: connected, worker inline, resources open."""
    app: FastAPI = importlib.import_module(f"services.{name}.app").app
    async with started(app, {**servers.environment(name), **settings}):
        yield Running(name, app, app.state.runtime, servers)


def new_word() -> str:
    """Letters nobody else has. An id would not do in free text, where long numbers are blotted out."""
    return new_id().hex.translate(str.maketrans("0123456789", "ghijklmnop"))


async def empty_database(servers: Servers, service: str) -> None:
    """Delete all rows, keep the schema."""
    conninfo = servers.postgres.url(service, "postgres").replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")
        tables = await (
            await connection.execute(
                "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename NOT LIKE 'procrastinate%%'"
            )
        ).fetchall()
        names = [name for (name,) in tables if name not in KEPT_TABLES]
        while names:
            # The service's clocks go on and lock tables in an order of their own.
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                await connection.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
                return


async def eventually(
    check: Callable[[], Awaitable[bool]], *, seconds: float = 60, what: str = "the condition"
) -> None:
    """Wait for something that other tasks bring about."""
    deadline = time.monotonic() + seconds
    while not await check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not hold within {seconds:g} s")
        await asyncio.sleep(0.05)


def wait_until(check: Callable[[], bool], *, seconds: float = 60, what: str = "the condition") -> None:
    """As `eventually`, for tests that watch other processes."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not hold within {seconds:g} s")
        time.sleep(0.2)
