"""A store made anew from the streams holds what the first one holds, and gives the same result."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from services.evaluation.domain.catalogue import BUILT_IN
from services.evaluation.models import Registration
from services.evaluation.store import DeskFeed, Store, StoreFeed, TierFeed, open_store
from services.evaluation.store.cells import cell_tables
from services.evaluation.store.outcomes import Question
from services.evaluation.store.quantities import Measure
from services.evaluation.usecases.evaluations import gather, input_hash
from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomerRef,
    EventData,
)
from shared.ids import new_id
from tests.evaluation.bank import Campaign
from tests.evaluation.test_breakdowns import balances, gold
from tests.evaluation.test_loop import result_of
from tests.evaluation.test_merges import merged, unmerged
from tests.evaluation.test_review import desks
from tests.support import Running, eventually, row


async def test_a_store_rebuilt_from_the_streams_gives_the_same_result(
    evaluation: Running, tmp_path: Path
) -> None:
    campaign = Campaign(effect=500, treated=300, held_out=200, guardrails=("aum_30d", "ticket_30d"))
    await told(evaluation, campaign)
    async with evaluation.client(Role.strategist) as strategist:
        result = await result_of(strategist, campaign.id)
    async with evaluation.runtime.db.transaction() as session:
        registration = await session.get_one(Registration, campaign.id)
    async with rebuilt(evaluation, tmp_path / "rebuilt.duckdb") as again:
        streamed = evaluation.runtime.resource(Store)

        async def same() -> bool:
            return await contents(streamed) == await contents(again)

        await eventually(same, what="the same rows in both stores")
        for store in (streamed, again):
            seen = await gather(store, registration)
            assert input_hash(registration, seen) == result["method"]["input_hash"]
        assert await moments(again, campaign.id) == await moments(streamed, campaign.id)
        assert (await contents(again))["referral"][0] >= 2


async def told(evaluation: Running, campaign: Campaign) -> None:
    """A campaign whose customers are merged, separated and erased, whose facts come late and twice."""
    facts = campaign.facts()
    contacts = [contact for fact in facts if isinstance(fact, ContactsAssigned) for contact in fact.contacts]
    first, second, third, fourth, gone = (contact.customer_id for contact in contacts[:5])
    lasting, undone = merged(second, first), merged(fourth, third)
    late = CustomerEventsRecorded(events=[campaign.event(first, 4, 77.25), campaign.event(gone, 5, 3.5)])
    erased = CustomerErased(
        receipt_id=new_id(),
        customers=[CustomerRef(customer_id=gone, ordinal=1)],
        erased_at=campaign.assigned_at + timedelta(days=6),
    )
    await evaluation.publish(*balances(campaign, contacts), gold(campaign, contacts[:50]), *facts)
    await evaluation.publish(lasting, undone, erased, unmerged(undone), late, *desks(campaign, facts))
    for fact in (late, *balances(campaign, contacts[:3])):
        await twice(evaluation, fact)
    await evaluation.publish(campaign.completed())


async def twice(evaluation: Running, fact: EventData) -> None:
    """One message under two sequence numbers, as a relay leaves it that died between publishing and noting."""
    message = row(fact)
    for attempt in range(2):
        headers = {"Nats-Msg-Id": f"{message['event_id']}-{attempt}"}
        await evaluation.runtime.bus.js.publish(message["subject"], message["payload"], headers=headers)


@asynccontextmanager
async def rebuilt(evaluation: Running, file: Path) -> AsyncIterator[Store]:
    """A second store that has followed the streams from their beginning to their ends."""
    store = open_store(file, memory="512MB", threads=2)
    bus, service = evaluation.runtime.bus, evaluation.runtime.service
    targets = {
        "evaluation": StoreFeed(store),
        "evaluation-desks": DeskFeed(store),
        "evaluation-tiers": TierFeed(store),
    }
    feeds = [
        asyncio.create_task(
            bus.feed(
                f"rebuild-{feed.name}",
                feed.stream,
                [f"{event.SUBJECT}.>" for event in feed.events],
                targets[feed.name],
            )
        )
        for feed in service.feeds
    ]
    goals = [
        (targets[feed.name], feed.stream, await bus.last_sequence(feed.stream)) for feed in service.feeds
    ]

    async def caught_up() -> bool:
        return all(target.watermark(stream) >= goal for target, stream, goal in goals)

    try:
        await eventually(caught_up, what="the rebuilt store at the streams' ends")
        yield store
    finally:
        for task in feeds:
            task.cancel()
        await asyncio.gather(*feeds, return_exceptions=True)
        store.close()


async def contents(store: Store) -> dict[str, tuple[int, str]]:
    """Of every table how many rows it has, and a hash of them in order.

    How far the feeds are is not content; how many rows an erasure found depends on when it came.
    """

    def read(cursor: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, str]]:
        tables = [name for (name,) in cursor.execute("SHOW TABLES").fetchall() if name != "watermark"]
        found = {}
        for table in sorted(tables):
            columns = "home" if table == "erased" else "*"
            rows = cursor.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()
            found[table] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
        return found

    return await store.read(read)


async def moments(store: Store, campaign: UUID) -> dict[str, Any]:
    """The finest cells of every built-in metric, to the last digit."""
    question = Question(campaign, clock.now())
    measures = [Measure(metric, metric.window_days) for metric in BUILT_IN.values()]
    tables = await store.read(lambda cursor: cell_tables(cursor, question, measures))
    return {
        measure.metric.key: (len(table), table.digest())
        for measure, table in zip(measures, tables, strict=True)
    }
