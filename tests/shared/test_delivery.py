"""At least once on the wire, exactly once in effect: inbox, retries, dead letters, feeds, relay."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from sqlalchemy import func, select, text

from shared import clock, outbox
from shared.bus import Delivery
from shared.contracts.base import LocalText
from shared.contracts.events import CampaignPaused, SegmentPublished
from shared.db import Inbox, Outbox, fetch
from shared.ids import new_id
from shared.outbox import emit
from shared.topology import DURABLES
from tests.shared.conftest import Note, failures, handled
from tests.support import Running, eventually


def published(key: str, version: int = 1) -> SegmentPublished:
    return SegmentPublished(
        segment_id=new_id(), key=key, version=version, kind="rule", name=LocalText(zh="客群", en="Segment")
    )


async def _notes(probe: Running, title: str) -> int:
    async with probe.runtime.db.transaction() as session:
        return int(
            await session.scalar(select(func.count()).select_from(Note).where(Note.title == title)) or 0
        )


async def test_a_failing_handler_is_retried_and_leaves_one_effect(probe: Running) -> None:
    failures["flaky"] = 2
    event = published("flaky")
    await probe.publish(event)

    async def done() -> bool:
        return event.segment_id in handled

    await eventually(done, what="third attempt")
    assert await _notes(probe, "segment flaky 1") == 1


async def test_the_same_event_twice_changes_nothing(probe: Running) -> None:
    event = published("repeated")
    message = (await _outbox_row(probe, event)).payload
    for number in range(2):
        await probe.runtime.bus.js.publish(
            "segmentation.segment_published.repeated", message, headers={"Nats-Msg-Id": f"copy-{number}"}
        )

    async def drained() -> bool:
        return await probe.runtime.bus.backlog("campaign__segments") == 0 and event.segment_id in handled

    await eventually(drained, what="empty backlog")
    assert handled.count(event.segment_id) == 1
    async with probe.runtime.db.transaction() as session:
        assert await session.scalar(
            select(func.count()).select_from(Inbox).where(Inbox.durable == "campaign__segments")
        )


async def _outbox_row(probe: Running, event: SegmentPublished) -> Outbox:
    """As the owner's transaction writes it; rolled back, so no relay publishes it too."""
    session = probe.runtime.db.new_session()
    try:
        await emit(session, event)
        return (await session.execute(select(Outbox).order_by(Outbox.seq.desc()).limit(1))).scalar_one()
    finally:
        await session.close()


@pytest.mark.parametrize("payload", [b"not json", b"{}", b'{"type":"huanying.unknown.v1","data":{}}'])
async def test_poison_goes_to_the_dead_letters_with_its_reason(probe: Running, payload: bytes) -> None:
    before = await probe.runtime.bus.last_sequence("DLQ")
    await probe.runtime.bus.js.publish("segmentation.segment_published.poison", payload)

    async def buried() -> bool:
        return await probe.runtime.bus.last_sequence("DLQ") > before

    await eventually(buried, what="dead letter")
    dead = await probe.runtime.bus.js.get_msg("DLQ", before + 1)
    assert dead.subject == "dlq.SEGMENTATION.campaign__segments"
    assert dead.data == payload
    assert (dead.headers or {})["Huanying-Error"].startswith("PoisonError")


async def test_any_number_of_events_is_stored_in_order_by_statements_that_postgresql_takes(
    probe: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = 0

    async def counted(*arguments: Any) -> list[tuple[Any, ...]]:
        nonlocal statements
        statements += 1
        return await fetch(*arguments)

    monkeypatch.setattr(outbox, "fetch", counted)
    monkeypatch.setattr(outbox, "_STATEMENT_BYTES", 2_000)
    events = [published(f"many-{number}") for number in range(30)]
    session = probe.runtime.db.new_session()
    try:
        await outbox.emit_all(session, iter(events))
        newest = select(Outbox.subject).order_by(Outbox.seq.desc()).limit(len(events))
        subjects = (await session.scalars(newest)).all()
    finally:
        await session.close()
    assert list(reversed(subjects)) == [f"{event.SUBJECT}.{event.partition_key()}" for event in events]
    assert 2 < statements < len(events)


async def test_the_relay_publishes_what_was_committed_and_nothing_else(probe: Running) -> None:
    event = CampaignPaused(campaign_id=new_id(), at=clock.now())
    subject = f"campaign.campaign_paused.{event.campaign_id}"
    subscription = await probe.runtime.bus.js.subscribe(subject, ordered_consumer=True)
    await _emit_and_fail(probe, event)
    with pytest.raises(NatsTimeoutError):
        await subscription.next_msg(timeout=0.5)
    async with probe.runtime.db.transaction() as session:
        await emit(session, event)
    message = await subscription.next_msg(timeout=5)
    assert str(event.campaign_id).encode() in message.data
    await subscription.unsubscribe()

    async def marked() -> bool:
        async with probe.runtime.db.transaction() as session:
            return not await session.scalar(text("SELECT count(*) FROM outbox WHERE sent_at IS NULL"))

    await eventually(marked, what="outbox sent")


async def _emit_and_fail(probe: Running, event: CampaignPaused) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with probe.runtime.db.transaction() as session:
            await emit(session, event)
            _ = 1 / 0


class RecordingStore:
    """Keeps its own watermark, like a DuckDB store; can fail once before it commits."""

    def __init__(self) -> None:
        self.position = 0
        self.keys: list[str] = []
        self.failures = 1

    def watermark(self, stream: str) -> int:
        return self.position

    async def apply(self, stream: str, deliveries: Sequence[Delivery], last_seq: int) -> None:
        if self.failures and self.keys:
            self.failures -= 1
            raise OSError("disk hiccup")
        for delivery in deliveries:
            assert delivery.seq > self.position
            assert isinstance(delivery.data, SegmentPublished)
            self.keys.append(delivery.data.key)
        self.position = last_seq


async def test_a_feed_resumes_behind_its_watermark_in_order_without_gap(probe: Running) -> None:
    store = RecordingStore()
    store.position = await probe.runtime.bus.last_sequence("SEGMENTATION")
    feed = asyncio.create_task(
        probe.runtime.bus.feed("test", "SEGMENTATION", ["segmentation.segment_published.>"], store)
    )
    keys = [f"feed-{number}" for number in range(40)]
    try:
        for key in keys:
            await probe.publish(published(key))

        async def complete() -> bool:
            return len(store.keys) >= len(keys)

        await eventually(complete, what="feed complete")
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)
    assert store.keys == keys
    assert store.failures == 0


def test_every_durable_names_its_service() -> None:
    assert all(
        name.split("__")[0] in {"customer", "segmentation", "campaign", "evaluation"} for name in DURABLES
    )
