"""Servers and service processes for a measurement: the same real ones the tests use."""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import make_url

from deploy.embedded.nats import NatsServer
from deploy.embedded.postgres import PostgresServer
from shared.auth import LocalIssuer, Role
from shared.migrate import upgrade
from tests.support import Servers


@dataclass(frozen=True)
class ServiceProcess:
    url: str
    pid: int


@dataclass(frozen=True)
class Workplace:
    servers: Servers

    def token(self, *roles: Role, org: str = "hq", staff: str | None = None) -> str:
        return self.servers.token(*roles, org=org, staff=staff)

    def api_key(self, source: str | None = None) -> str:
        return self.servers.api_key(source)

    @asynccontextmanager
    async def service(self, name: str, **settings: str) -> AsyncIterator[ServiceProcess]:
        """One process of `name`, API and worker, as the embedded stack runs it; ready when entered."""
        owner = make_url(self.servers.postgres.url(name, f"{name}_owner"))
        await asyncio.to_thread(upgrade, name, owner, f"{name}_app")
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "shared.serve",
            name,
            env={
                **os.environ,
                **self.servers.environment(name),
                "HUANYING_PORT": str(port),
                "HUANYING_LOG_LEVEL": "WARNING",
                **settings,
            },
        )
        url = f"http://127.0.0.1:{port}"
        try:
            await _until_ready(url, process)
            yield ServiceProcess(url, process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@contextmanager
def workplace(directory: Path) -> Iterator[Workplace]:
    keys = directory / "secrets"
    keys.mkdir()
    issuer = LocalIssuer.create(keys / "issuer.pem", keys / "jwks.json")
    for name in ("pii.key", "webhook.key"):
        (keys / name).write_text(secrets.token_hex(32))
    with PostgresServer(directory / "postgres") as postgres, NatsServer(directory / "nats") as nats:
        postgres.create_databases()
        servers = Servers(postgres, nats, directory, issuer)
        (keys / "service.key").write_text(servers.api_key(None, Role.integrator, Role.messenger))
        yield Workplace(servers)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(timeout=2) as client:
        while process.returncode is None:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the service ended with {process.returncode} before it was ready")
