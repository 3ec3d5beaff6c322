"""A pass that fails, meets another one, or sees an older store: nothing is lost, doubled or undone."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, update

from services.segmentation.models import EvaluationState, MembershipDelta, Segment
from services.segmentation.usecases import evaluation, membership, upkeep
from services.segmentation.usecases.engine import Engine
from services.segmentation.usecases.evaluation import Evaluated, evaluate, take_lead
from shared.auth import Role
from shared.contracts.events import CustomerState, SegmentUpdated
from shared.db import Outbox
from shared.service import Runtime
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually


async def _deltas(running: Running, key: str) -> int:
    async with running.runtime.db.transaction() as session:
        found = await session.scalars(
            select(MembershipDelta.id)
            .join(Segment, Segment.id == MembershipDelta.segment_id)
            .where(Segment.key == key)
        )
        return len(found.all())


async def _joined(running: Running, key: str, customer: CustomerState) -> int:
    """How often the customer's joining was published."""
    async with running.runtime.db.transaction() as session:
        payloads = await session.scalars(select(Outbox.payload))
        marks = (
            f'"key":"{key}"'.encode(),
            SegmentUpdated.type_name().encode(),
            str(customer.customer_id).encode(),
        )
        return sum(all(mark in bytes(payload) for mark in marks) for payload in payloads)


@contextmanager
def _failing_before_commit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    async def fail(*_: object) -> None:
        raise ConnectionError("killed between the store and the database")

    with monkeypatch.context() as patch:
        patch.setattr(membership, "emit_all", fail)
        yield


async def _fails(running: Running) -> bool:
    """Whether a pass fails as arranged; `False` when it did not get its turn."""
    try:
        await evaluate(running.runtime)
    except ConnectionError:
        return True
    return False


async def test_a_pass_that_dies_before_the_commit_is_made_up_for(
    segmentation: Running, bank: Bank, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = bank.customer(occupation="sailor")
    await live("sailors", "occupation = 'sailor'")
    before = await _deltas(segmentation, "sailors")
    with _failing_before_commit(monkeypatch):
        await bank.tell(customers=[customer])
        await eventually(lambda: _fails(segmentation), what="a failing pass")
    assert await _deltas(segmentation, "sailors") == before
    await evaluate(segmentation.runtime)

    async def caught_up() -> bool:
        return await members(segmentation, "sailors") == {customer.customer_id}

    await eventually(caught_up, what="the pass after the failure")
    assert await _joined(segmentation, "sailors", customer) == 1


async def test_concurrent_passes_publish_a_change_once(segmentation: Running, bank: Bank, live: Live) -> None:
    customer = bank.customer(occupation="twin")
    await live("twins", "occupation = 'twin'")
    await bank.tell(customers=[customer])
    await asyncio.gather(*(evaluate(segmentation.runtime) for _ in range(4)))

    async def told() -> bool:
        return await members(segmentation, "twins") == {customer.customer_id}

    await eventually(told, what="one of the passes")
    assert await _joined(segmentation, "twins", customer) == 1


async def test_a_store_behind_the_last_pass_changes_nothing(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    await bank.tell(customers=[bank.customer(occupation="late")])
    await live("late", "occupation = 'late'")
    async with segmentation.runtime.db.transaction() as session:
        applied = await session.scalar(select(EvaluationState.applied))

    async def nothing() -> bool:
        # A pass of the service itself that began before may write its own position over this one.
        async with segmentation.runtime.db.transaction() as session:
            await session.execute(update(EvaluationState).values(applied=10**12))
        done = await evaluate(segmentation.runtime)
        return done.again and done.skipped is not None

    try:
        await eventually(nothing, what="a pass that is ahead of the store")
    finally:
        async with segmentation.runtime.db.transaction() as session:
            await session.execute(update(EvaluationState).values(applied=applied))


STEPS = (
    "take_pass",
    "make_shadow",
    "lock_live",
    "write_changes",
    "mark_evaluated",
    "forget_unseen",
    "_note_state",
)


class KilledError(Exception):
    """Stands for SIGKILL."""


@contextmanager
def _dying_at(monkeypatch: pytest.MonkeyPatch, step: str, *, done: bool) -> Iterator[None]:
    """Every pass and every shadow dies at this step: before it, or when it is `done`."""
    real: Callable[..., Any] = getattr(evaluation, step)

    def die(*arguments: Any, **named: Any) -> Any:
        if done and not asyncio.iscoroutinefunction(real):
            real(*arguments, **named)
        raise KilledError(step)

    async def die_later(*arguments: Any, **named: Any) -> Any:
        if done:
            await real(*arguments, **named)
        raise KilledError(step)

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, step, die_later if asyncio.iscoroutinefunction(real) else die)
        yield


async def _publish_rule(running: Running, key: str, sql: str) -> None:
    async with running.client(Role.strategist) as client:
        etag = (await client.get(f"/v1/segments/{key}")).headers["ETag"]
        change = {"definition": {"sql": sql}}
        edited = await client.patch(f"/v1/segments/{key}", json=change, headers={"If-Match": etag})
        assert edited.status_code == 200, edited.text
        assert (await client.post(f"/v1/segments/{key}:publish")).status_code == 200


async def _told_members(running: Running, key: str) -> set[UUID]:
    """Who is in by what was published; nobody joins twice, or leaves without having been in."""
    async with running.runtime.db.transaction() as session:
        payloads = await session.scalars(select(Outbox.payload).order_by(Outbox.seq))
        events = [orjson.loads(bytes(payload)) for payload in payloads]
    inside: set[str] = set()
    for event in events:
        data = event["data"]
        if event["type"] != SegmentUpdated.type_name() or data["key"] != key:
            continue
        assert inside.isdisjoint(data["joined"])
        assert inside.issuperset(data["left"])
        inside = (inside | set(data["joined"])) - set(data["left"])
    return {UUID(each) for each in inside}


async def test_dying_anywhere_leaves_no_half_and_tells_nothing_twice(
    segmentation: Running, bank: Bank, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, version = Random(11), 1
    people = [bank.customer(occupation="miner") for _ in range(6)]
    await bank.tell(customers=people)
    await live("miners", "occupation = 'miner'")
    await live("deep-miners", "in_segment('miners') and count_events('login', 30) >= 1")
    for step in STEPS:
        with _dying_at(monkeypatch, step, done=dice.random() < 0.5):
            version += 1
            changed = dice.choice(people).model_copy(
                update={"version": version, "occupation": dice.choice(["miner", "baker"])}
            )
            await bank.tell(customers=[changed], events=[bank.event(dice.choice(people), "login")])
            if step in {"make_shadow", "write_changes", "_note_state"}:
                least = dice.randint(1, 3)
                await _publish_rule(
                    segmentation,
                    "deep-miners",
                    f"in_segment('miners') and count_events('login', 30) >= {least}",
                )
            for work in (evaluation.evaluate, evaluation.backfill):
                with suppress(KilledError):
                    await work(segmentation.runtime)
        if dice.random() < 0.5:
            segmentation.runtime.resource(Engine).memory = None

    async def settled() -> bool:
        await evaluation.backfill(segmentation.runtime)
        done = await evaluate(segmentation.runtime)
        return done.skipped is None and not done.waiting

    await eventually(settled, what="a pass that lives")
    async with segmentation.client(Role.auditor) as client:
        assert (await client.post("/v1/segments:audit")).json()["differences"] == 0
    for key in ("miners", "deep-miners"):
        assert await _told_members(segmentation, key) == await members(segmentation, key)


async def test_what_is_told_while_another_evaluates_does_not_wait_for_the_next_look(
    segmentation: Running, bank: Bank, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = bank.customer(occupation="saddler")
    await live("saddlers", "occupation = 'saddler'")
    monkeypatch.setitem(vars(segmentation.runtime.settings), "evaluate_every_seconds", 3600.0)
    monkeypatch.setattr(Engine, "quiet", lambda *_: True)
    skipped = asyncio.Event()

    async def watched(runtime: Runtime) -> Evaluated:
        done = await evaluate(runtime)
        if done.again:
            skipped.set()
        return done

    monkeypatch.setattr(upkeep, "evaluate", watched)
    async with segmentation.runtime.db.transaction() as session:
        await eventually(lambda: take_lead(session), what="the lead")
        await bank.tell(customers=[customer])
        async with asyncio.timeout(60):
            await skipped.wait()

    async def caught_up() -> bool:
        return await members(segmentation, "saddlers") == {customer.customer_id}

    await eventually(caught_up, what="the pass that was skipped")
