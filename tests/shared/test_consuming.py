"""Many events at a time: what one after another would leave, whatever is delivered again or fails among them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.embedded.nats import NatsServer
from shared.bus import Bus, Delivery, PoisonError, within_bytes
from shared.consuming import apply_once, consume
from shared.contracts.events import SegmentPublished, SegmentUpdated
from shared.dlq import dead_letter_queue
from shared.ids import new_id
from shared.outbox import row
from shared.service import InBatches, Runtime
from shared.settings import Settings
from shared.topology import DURABLES, MAX_ATTEMPTS, ensure_durable
from tests.shared.conftest import Note
from tests.shared.test_delivery import published
from tests.support import Running, eventually

DURABLE = "campaign__segments"
ALL = 100
"""As many as are worked on at a time."""


def updated(key: str) -> SegmentUpdated:
    return SegmentUpdated(
        segment_id=new_id(),
        key=key,
        version=1,
        run_id=new_id(),
        cause="events",
        evaluated_at=datetime.now(UTC),
        size=0,
        joined=[],
        left=[],
    )


# ── what is durable ──


def delivery(event: SegmentPublished | SegmentUpdated, number: int) -> Delivery:
    return Delivery(str(new_id()), event.type_name(), event, datetime.now(UTC), "SEGMENTATION", number, "")


class Notes:
    """Handlers that write down each event's place, and how many came at a time."""

    def __init__(self) -> None:
        self.title = new_id().hex
        self.sizes: list[int] = []
        self.broken = False

    async def alone(self, session: AsyncSession, event: SegmentPublished, _runtime: Runtime) -> None:
        await self.together(session, [event], _runtime)

    async def together(
        self, session: AsyncSession, events: Sequence[SegmentPublished | SegmentUpdated], _runtime: Runtime
    ) -> None:
        self.sizes.append(len(events))
        for event in events:
            session.add(Note(org_path="hq", title=f"{self.title} {event.key}"))
            await session.flush()
            if self.broken and event.key == "k4":
                raise RuntimeError("not yet")

    @property
    def handlers(self) -> dict[Any, Any]:
        return {SegmentPublished: self.alone, SegmentUpdated: InBatches(self.together)}

    async def kept(self, probe: Running) -> list[str]:
        """Keys in the order written."""
        async with probe.runtime.db.transaction() as session:
            titles = await session.scalars(
                select(Note.title).where(Note.title.startswith(self.title)).order_by(Note.id)
            )
            return [title.split()[1] for title in titles]


async def test_a_batch_is_one_transaction_in_the_order_of_the_stream(probe: Running) -> None:
    notes = Notes()
    keys = [f"k{number}" for number in range(8)]
    events = [published(key) if key in {"k3", "k6"} else updated(key) for key in keys]
    deliveries = [delivery(event, number) for number, event in enumerate(events)]

    async def apply(*told: Delivery) -> None:
        await apply_once(probe.runtime, DURABLE, told, notes.handlers)

    notes.broken = True
    with pytest.raises(RuntimeError, match="not yet"):
        await apply(*deliveries)
    assert await notes.kept(probe) == []
    notes.broken, notes.sizes = False, []
    # Half of it is known by the time all of it comes, some of it twice.
    await apply(*deliveries[:2])
    await apply(*deliveries, replace(deliveries[5], seq=99), deliveries[0])
    assert await notes.kept(probe) == keys
    assert notes.sizes == [2, 1, 1, 2, 1, 1]
    await apply(*deliveries)
    with pytest.raises(PoisonError, match="no handler"):
        await apply_once(probe.runtime, DURABLE, deliveries, {SegmentPublished: notes.alone})
    assert await notes.kept(probe) == keys


# ── what is delivered ──


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("consuming")) as running:
        yield running


@asynccontextmanager
async def waiting(server: NatsServer, messages: Sequence[tuple[str, bytes]]) -> AsyncIterator[Bus]:
    """A broker on which just these wait for the durable."""
    settings = Settings(nats_url=server.url, nats_stream_max_bytes=64 * 1024**2)
    bus = Bus(settings, "test")
    await bus.connect()
    try:
        for stream in ("SEGMENTATION", "DLQ"):
            await bus.js.purge_stream(stream)
        with contextlib.suppress(NotFoundError):
            await bus.js.delete_consumer("SEGMENTATION", DURABLE)
        await ensure_durable(bus.js, DURABLES[DURABLE])
        for subject, payload in messages:
            await bus.js.publish(subject, payload)
        yield bus
    finally:
        await bus.close()


def _message(made: dict[str, object]) -> tuple[str, bytes]:
    return made["subject"], made["payload"]


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Handled:
    """Fails with the first of a batch that is at fault, and tells what it was given in vain and not."""

    def __init__(self, began: Callable[[], None], *, poison: str, failing: str) -> None:
        self.began, self.poison, self.failing = began, poison, failing
        self.calls: list[list[str]] = []
        self.done: list[str] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        keys = [str(each.data.key) for each in deliveries]  # type: ignore[attr-defined]
        self.calls.append(keys)
        self.began()
        for key in keys:
            if key == self.poison:
                raise PoisonError("cannot be worked on")
            if key == self.failing and self.calls.count([key]) < 2:
                raise RuntimeError("not yet")
        self.done += keys


@pytest.mark.parametrize("unreadable", [False, True])
async def test_one_bad_message_neither_blocks_nor_loses_the_others(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch, *, unreadable: bool
) -> None:
    # The full batch is waited for, what is tried again is not.
    monkeypatch.setattr("shared.bus._GATHER_SECONDS", 60)
    keys = [f"k{number}" for number in range(ALL)]
    rows = [row(updated(key)) for key in keys]
    messages = [_message(each) for each in rows]
    poison, failing = keys[57], keys[23]
    if unreadable:
        messages[57] = (messages[57][0], b"[]")
    handled = Handled(monkeypatch.undo, poison=poison, failing=failing)

    async def over() -> bool:
        return len(handled.done) == ALL - 1 and await bus.backlog(DURABLE) == 0

    async with waiting(server, messages) as bus:
        async with _running(consume(bus, DURABLE, handled, together=True)):
            await eventually(over, what="all but one")
        # In order, but for the one that was tried again.
        assert handled.done == [key for key in keys if key not in {poison, failing}] + [failing]
        assert (handled.calls[0] == keys) != unreadable
        assert all(len(call) == 1 for call in handled.calls[0 if unreadable else 1 :])
        async with dead_letter_queue(Settings(nats_url=server.url)) as queue:
            assert await queue.count() == 1


async def test_what_was_not_committed_is_delivered_again_alone(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker dies in its second batch."""
    monkeypatch.setattr("shared.topology.ACK_WAIT_SECONDS", 1)
    rows = [row(updated(f"k{number}")) for number in range(ALL + 5)]
    done: list[str] = []
    in_vain: set[str] = set()

    async def dies(deliveries: Sequence[Delivery]) -> None:
        ids = [each.event_id for each in deliveries]
        if done:
            in_vain.update(ids)
            raise asyncio.CancelledError
        done.extend(ids)

    async def goes_on(deliveries: Sequence[Delivery]) -> None:
        ids = [each.event_id for each in deliveries]
        assert len(ids) == 1 or in_vain.isdisjoint(ids)
        done.extend(ids)

    async def over() -> bool:
        return len(done) >= len(rows) and await bus.backlog(DURABLE) == 0

    async with waiting(server, [_message(each) for each in rows]) as bus:
        await asyncio.gather(consume(bus, DURABLE, dies, together=True), return_exceptions=True)
        async with _running(consume(bus, DURABLE, goes_on, together=True)):
            await eventually(over, what="the rest")
    assert in_vain
    assert sorted(done) == sorted(str(each["event_id"]) for each in rows)


async def test_nothing_is_given_up_while_the_database_is_away(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: more often than a message may fail."""
    monkeypatch.setattr("shared.consuming._PAUSE_SECONDS", 0.001)
    keys = ["k0", "k1", "k2"]
    calls: list[str] = []
    done: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        (key,) = [str(each.data.key) for each in deliveries]  # type: ignore[attr-defined]
        calls.append(key)
        if len(calls) <= 3 * MAX_ATTEMPTS:
            raise OperationalError("SELECT 1", None, psycopg.OperationalError("connection refused"))
        done.append(key)

    async def over() -> bool:
        return len(done) == len(keys) and await bus.backlog(DURABLE) == 0

    async with waiting(server, [_message(row(updated(key))) for key in keys]) as bus:
        async with _running(consume(bus, DURABLE, handle)):
            await eventually(over, what="all of them")
        assert done == keys
        # Those behind it waited with it.
        assert calls == ["k0"] * (3 * MAX_ATTEMPTS) + keys
        async with dead_letter_queue(Settings(nats_url=server.url)) as queue:
            assert await queue.count() == 0


def test_batches_have_a_size() -> None:
    sizes = [0, 3, 4, 9, 0, 1, 5, 2]
    messages = [Msg(Client(), data=bytes(size)) for size in sizes]
    batches = [[len(message.data) for message in batch] for batch in within_bytes(messages, 7)]
    assert batches == [[0, 3, 4], [9], [0, 1, 5], [2]]
    assert within_bytes([], 7) == []
