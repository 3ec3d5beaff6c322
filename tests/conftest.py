"""Real servers for the whole session: PostgreSQL and nats-server from their wheels."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from deploy.demo.story import run_demo
from deploy.embedded.nats import NatsServer
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.stack import Stack
from shared.auth import LocalIssuer, Role
from shared.migrate import upgrade
from shared.settings import SERVICES
from tests.support import Running, Servers, run_service


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults-rounds", type=int, default=1, help="demonstrations per victim (make faults: 20)"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Figures that tests recorded, also those of parallel workers."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Empty, unmigrated databases; ask for `migrated` or a service fixture to get schemas."""
    directory = tmp_path_factory.mktemp("servers")
    keys = directory / "secrets"
    keys.mkdir()
    issuer = LocalIssuer.create(keys / "issuer.pem", keys / "jwks.json")
    for name in ("pii", "webhook"):
        (keys / f"{name}.key").write_text(secrets.token_hex(32))
    postgres, nats = PostgresServer(directory / "postgres", durable=False), NatsServer(directory / "nats")
    postgres.start()
    try:
        postgres.create_databases()
        nats.start()
        running = Servers(postgres, nats, directory, issuer)
        (keys / "service.key").write_text(running.api_key(None, Role.integrator, Role.messenger))
        yield running
    finally:
        nats.stop()
        postgres.stop()


def _migrate(servers: Servers, service: str) -> None:
    upgrade(service, make_url(servers.postgres.url(service, f"{service}_owner")), f"{service}_app")


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> Servers:
    for service in SERVICES:
        _migrate(servers, service)
    return servers


@pytest.fixture(scope="session")
async def customer(servers: Servers) -> AsyncIterator[Running]:
    _migrate(servers, "customer")
    async with run_service(servers, "customer") as running:
        yield running


@pytest.fixture(scope="session")
async def segmentation(servers: Servers) -> AsyncIterator[Running]:
    _migrate(servers, "segmentation")
    async with run_service(servers, "segmentation") as running:
        yield running


@pytest.fixture(scope="session")
async def campaign(servers: Servers) -> AsyncIterator[Running]:
    _migrate(servers, "campaign")
    async with run_service(servers, "campaign") as running:
        yield running


@pytest.fixture(scope="session")
async def evaluation(servers: Servers) -> AsyncIterator[Running]:
    _migrate(servers, "evaluation")
    async with run_service(servers, "evaluation") as running:
        yield running


@dataclass(frozen=True)
class Demonstration:
    """A stack of real processes with a small synthetic bank that went through the whole loop."""

    stack: Stack
    story: dict[str, Any]
    """What each step of the demonstration found; see deploy.demo.story.CHAPTERS."""


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """Tests that use it belong to one worker: mark them `xdist_group("demonstration")`."""
    data_dir = tmp_path_factory.mktemp("home") / ".huanying"
    with Stack(data_dir, port=0) as stack:
        yield Demonstration(stack, run_demo(stack.base_url, data_dir, customers=2_000, seed=7))


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[1]
