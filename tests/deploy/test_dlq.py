import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.embedded.nats import NatsServer
from shared import clock
from shared.bus import Bus, Delivery, PoisonError
from shared.consuming import consume
from shared.contracts.events import CampaignPaused
from shared.dlq import dead_letter_queue
from shared.errors import NotFound, Unavailable
from shared.ids import new_id
from shared.outbox import row
from shared.settings import Settings
from tests.deploy.conftest import ROOT

DURABLE = "evaluation__campaigns"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def settings(server: NatsServer) -> Settings:
    return Settings(nats_url=server.url, nats_stream_max_bytes=64 * 1024**2)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Bus]:
    bus = Bus(settings, "test")
    await bus.connect()
    try:
        yield bus
    finally:
        await bus.close()


class Consumer:
    """Gives up every event until it is repaired."""

    def __init__(self) -> None:
        self.broken = True
        self.seen: list[Delivery] = []

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        if self.broken:
            raise PoisonError("the column is missing")
        self.seen += deliveries


async def publish(bus: Bus, event: CampaignPaused) -> str:
    made = row(event)
    assert await bus.publish_all([(made["subject"], made["payload"], str(made["event_id"]))]) == [True]
    return str(made["event_id"])


async def eventually(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.05)


async def until_count(settings: Settings, wanted: int) -> None:
    async with dead_letter_queue(settings) as queue, asyncio.timeout(20):
        while await queue.count() != wanted:  # noqa: ASYNC110  as above
            await asyncio.sleep(0.05)


async def huanying(server: NatsServer, *arguments: str) -> str:
    """Standard output of the program as an operator runs it."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.cli",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "HUANYING_NATS_URL": server.url, "HUANYING_DATA_DIR": "/nonexistent"},
        stdout=asyncio.subprocess.PIPE,
    )
    text, _ = await program.communicate()
    assert program.returncode == 0
    return text.decode()


async def test_a_dead_letter_is_shown_and_replayed(settings: Settings, server: NatsServer) -> None:
    consumer = Consumer()
    async with connected(settings) as bus:
        running = asyncio.create_task(consume(bus, DURABLE, consumer.handle))
        event_id = await publish(bus, CampaignPaused(campaign_id=new_id(), at=clock.now()))
        await until_count(settings, 1)

        listed = await huanying(server, "dlq", "list")
        assert "the column is missing" in listed
        assert DURABLE in listed
        number = listed.split()[0]
        assert event_id in await huanying(server, "dlq", "show", number)
        consumer.broken = False
        assert await huanying(server, "dlq", "replay", number) == "1 message replayed\n"
        await eventually(lambda: bool(consumer.seen))
        assert [delivery.event_id for delivery in consumer.seen] == [event_id]
        await until_count(settings, 0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_unknown_number(settings: Settings) -> None:
    async with connected(settings), dead_letter_queue(settings) as queue:
        with pytest.raises(NotFound):
            await queue.letter(999_999)


async def test_a_broker_that_is_away_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.dlq._CONNECT_SECONDS", 1)
    with pytest.raises(Unavailable, match="does not answer"):
        async with dead_letter_queue(Settings(nats_url="nats://127.0.0.1:1")):
            pass


def test_replay_wants_one_or_all(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["dlq", "replay", "--data-dir", str(tmp_path)])
    assert answer.exit_code == 2
