"""A pass that fails, meets another one, or sees an older store: nothing is lost, doubled or undone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select, update

from services.segmentation.models import EvaluationState, MembershipDelta, Segment
from services.segmentation.usecases import membership
from services.segmentation.usecases.evaluation import evaluate
from shared.contracts.events import CustomerState, SegmentUpdated
from shared.db import Outbox
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
        patch.setattr(membership, "emit", fail)
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
        await session.execute(update(EvaluationState).values(applied=10**12))
    try:
        done = await evaluate(segmentation.runtime)
        assert done.again
        assert done.skipped is not None
    finally:
        async with segmentation.runtime.db.transaction() as session:
            await session.execute(update(EvaluationState).values(applied=applied))
