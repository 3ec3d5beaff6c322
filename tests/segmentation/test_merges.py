"""Merged customers: their facts are the survivor's, they are in no segment, and all of it can be taken back."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap
from sqlalchemy import select

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import Rule
from services.segmentation.models import Erasure
from services.segmentation.store import reading
from services.segmentation.store.store import Store
from services.segmentation.usecases.feed import STREAM, CustomerFeed, write
from shared.auth import Role
from shared.contracts.events import (
    CustomerErased,
    CustomerRef,
    CustomersChanged,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    EventData,
    SegmentationErasureConfirmed,
    SeparatedCustomer,
)
from shared.db import Outbox
from shared.ids import new_id
from tests.segmentation.conftest import Bank, Live, members
from tests.segmentation.merge_world import World, ref
from tests.segmentation.rules_oracle import ZONE, holds
from tests.segmentation.rules_oracle import World as Everybody
from tests.segmentation.rules_oracle_features import KNOWN
from tests.segmentation.rules_random import NOW, Rules
from tests.support import Running, eventually

MOMENT = Moment(NOW, ZONE)
SEEDS = st.integers(0, 2**32 - 1)
TABLES = ("customer", "holding", "holding_latest", "event")


def _members(store: Store, rules: list[Rule]) -> list[set[int]]:
    compiler = Compiler(BUILT_IN, MOMENT)
    for number, each in enumerate(rules):
        compiler.add_rule(f"s{number}", each)
    with store.read() as cursor:
        columns = reading.columns(cursor, compiler.query(), lambda _key: BitMap())
    ordinals = np.asarray(columns["ordinal"])
    return [set(ordinals[reading.holds(columns[f"s{number}"])].tolist()) for number in range(len(rules))]


def _tables(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store.read() as cursor:
        return {table: cursor.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in TABLES}


def _tell(store: Store, random: Random, told: list[EventData]) -> None:
    """In batches of any size, some told twice."""
    start = 0
    while start < len(told):
        end = start + random.randint(1, 9)
        write(store, STREAM, told[max(0, start - random.randint(0, 2)) : end], end)
        start = end


@given(seed=SEEDS)
@settings(max_examples=3, deadline=None)
def test_members_after_any_history_are_those_of_the_final_state(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random, folder = Random(seed), tmp_path_factory.mktemp("merges")
    world = World(random)
    world.start(7)
    world.live(80)
    store, fresh = Store(folder / "a.duckdb", threads=1), Store(folder / "b.duckdb", threads=1)
    try:
        _tell(store, random, world.told)
        who = [each for each in world.told if isinstance(each, CustomersMerged | CustomersUnmerged)]
        write(fresh, STREAM, [each for each in world.told if each not in who], 1)
        write(fresh, STREAM, who, 2)
        rules = [Rules(random, KNOWN).rule() for _ in range(30)]
        computed = _members(store, rules)
        assert computed == _members(fresh, rules)
        families = world.families()
        world_of_families = Everybody(list(families.values()))
        for rule, found in zip(rules, computed, strict=True):
            expected = {root for root, one in families.items() if holds(rule, one, set(), world_of_families)}
            assert found == expected, to_sql(rule)
        assert _tables(store) == _tables(fresh)
    finally:
        store.close()
        fresh.close()


@given(seed=SEEDS)
@settings(max_examples=3, deadline=None)
def test_merges_taken_back_leave_no_trace(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    random, folder = Random(seed), tmp_path_factory.mktemp("merges")
    world = World(random)
    world.start(6)
    world.live(60)
    while world.merges:
        world.undo(len(world.merges) - 1)
    store, never = Store(folder / "a.duckdb", threads=1), Store(folder / "b.duckdb", threads=1)
    try:
        _tell(store, random, world.told)
        facts = [each for each in world.told if not isinstance(each, CustomersMerged | CustomersUnmerged)]
        write(never, STREAM, facts, 1)
        assert _tables(store) == _tables(never)
    finally:
        store.close()
        never.close()


def test_an_older_merge_that_comes_late_changes_nothing(tmp_path: Path) -> None:
    world = World(Random(1))
    world.start(2)
    world.merge()
    world.undo()
    *people, merged, unmerged = world.told
    store = Store(tmp_path / "late.duckdb")
    for number, batch in enumerate(
        ([*people, unmerged], [merged], [merged, unmerged], [unmerged, merged]), 1
    ):
        write(store, STREAM, batch, number)
        assert [row[-1] for row in _tables(store)["customer"]] == [None, None]
    store.close()


def test_the_erased_do_not_come_back(tmp_path: Path) -> None:
    world = World(Random(5))
    world.start(4)
    world.live(60)
    root = next(iter(world.families()))
    gone = {home for home in world.homes if world.into.get(home, home) == root}
    erased = CustomerErased(
        receipt_id=new_id(), customers=[ref(home) for home in gone], erased_at=world.now()
    )
    stores = [Store(tmp_path / f"{number}.duckdb") for number in range(2)]
    write(stores[0], STREAM, [*world.told, erased], 1)
    # Told again later, and a store that hears of the erasure first.
    write(stores[0], STREAM, world.told, 2)
    write(stores[1], STREAM, [erased], 1)
    write(stores[1], STREAM, world.told, 2)
    found = [_tables(store) for store in stores]
    assert found[0] == found[1]
    for store, tables in zip(stores, found, strict=True):
        assert {row[0] for row in tables["customer"]} == set(world.homes) - gone
        for table in ("holding", "holding_latest"):
            assert {row[0] for row in tables[table]}.isdisjoint(gone)
        assert {row[1] for row in tables["event"]}.isdisjoint(gone)
        store.close()


def _of(state: CustomerState) -> CustomerRef:
    return CustomerRef(customer_id=state.customer_id, ordinal=state.ordinal)


def _merged(survivor: CustomerState, *losers: CustomerState) -> CustomersMerged:
    return CustomersMerged(
        merge_id=new_id(),
        survivor=_of(survivor),
        merged=[_of(each) for each in losers],
        merged_at=datetime.now(UTC),
        merged_by="user:t",
    )


def _unmerged(merge: CustomersMerged) -> CustomersUnmerged:
    return CustomersUnmerged(
        merge_id=merge.merge_id,
        survivor=merge.survivor,
        separated=[SeparatedCustomer(**each.model_dump()) for each in merge.merged],
        unmerged_at=datetime.now(UTC),
        unmerged_by="user:t",
    )


async def _tell_of(running: Running, *events: EventData) -> None:
    last = await running.publish(*events)
    feed = running.runtime.resource(CustomerFeed)

    async def applied() -> bool:
        return feed.watermark(STREAM) >= last

    await eventually(applied, what="the feed")


def _changed(state: CustomerState, version: int, **values: Any) -> CustomersChanged:
    return CustomersChanged(customers=[state.model_copy(update={"version": version, **values})])


async def test_a_merge_moves_members_and_its_undo_brings_them_back(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    survivor, loser = bank.customer(occupation="weaver"), bank.customer(occupation="weaver")
    await bank.tell(
        customers=[survivor, loser],
        holdings=[bank.holding(survivor, "300000.00"), bank.holding(loser, "200000.00")],
        events=[bank.event(loser, "login")],
    )
    await live("weavers", "occupation = 'weaver'")
    await live("rich-weavers", "occupation = 'weaver' and aum >= 500000")
    await live("weavers-once", "occupation = 'weaver' and aum >= 200000", refresh="on_demand")
    both, one = {survivor.customer_id, loser.customer_id}, {survivor.customer_id}

    async def are(weavers: set[UUID], rich: set[UUID]) -> bool:
        return (
            await members(segmentation, "weavers") == weavers
            and await members(segmentation, "rich-weavers") == rich
            and await members(segmentation, "weavers-once") == weavers
        )

    assert await are(both, set())
    merge = _merged(survivor, loser)
    await _tell_of(
        segmentation,
        merge,
        _changed(loser, 2, status="merged", merged_into=survivor.customer_id),
    )
    await eventually(lambda: are(one, one), what="members after the merge")
    late = bank.event(survivor, "login").model_copy(
        update={"home_id": loser.customer_id, "home_ordinal": loser.ordinal}
    )
    await bank.tell(events=[late])
    async with segmentation.client(Role.strategist) as client:
        changes = (await client.get("/v1/segments/rich-weavers/changes")).json()["items"]
        assert [(each["customer_id"], each["change"], each["cause"]) for each in changes] == [
            (str(survivor.customer_id), "joined", "merge")
        ]
        left = (await client.get("/v1/segments/weavers/changes")).json()["items"][0]
        assert (left["customer_id"], left["change"], left["cause"]) == (
            str(loser.customer_id),
            "left",
            "merge",
        )
        mine = (await client.get(f"/v1/customers/{loser.customer_id}/segments")).json()
        assert mine["segments"] == []
        explained = (await client.get(f"/v1/segments/rich-weavers/explain/{survivor.customer_id}")).json()
        assert [leaf["value"] for leaf in explained["leaves"]] == ["weaver", 500000.0]
    await _tell_of(segmentation, _unmerged(merge), _changed(loser, 3))
    await eventually(lambda: are(both, set()), what="members after the undo")
    await live("weavers-logged-in", "occupation = 'weaver' and login_count_30d = 2")
    assert await members(segmentation, "weavers-logged-in") == {loser.customer_id}
    async with segmentation.runtime.db.transaction() as session:
        payloads = [bytes(each) for each in await session.scalars(select(Outbox.payload))]
    causes = [b'"cause":"merge"' in each for each in payloads if b'"key":"rich-weavers"' in each]
    assert causes.count(True) == 2


async def test_a_cluster_loses_the_merged_and_gets_them_back(segmentation: Running, bank: Bank) -> None:
    people = [bank.customer(birth_date=f"{1950 + number}-01-01", org="hq.family") for number in range(12)]
    await segmentation.publish(CustomersChanged(customers=people))
    await bank.tell(customers=people[:1])
    survivor, loser, *_ = people
    merge = _merged(survivor, loser)
    async with segmentation.client(Role.strategist) as client:
        body = {
            "key": "ages",
            "name": {"zh": "年龄", "en": "Ages"},
            "kind": "kmeans",
            "goal": "Ages",
            "parameters": {"features": ["age"], "k": 2, "seed": 7},
        }
        model = (await client.post("/v1/models", json=body)).json()
        run = (await client.post(f"/v1/models/{model['id']}/runs")).json()

        async def done() -> bool:
            state = (await client.get(f"/v1/model-runs/{run['id']}")).json()["state"]
            return bool(state == "succeeded")

        await eventually(done, seconds=60, what="the run")
        # Merged between the run and its publication: not published as a member.
        await _tell_of(segmentation, merge)
        published = await client.post(f"/v1/model-runs/{run['id']}:publish", json={"prefix": "ages"})
        assert published.status_code in {200, 201}, published.text

    async def united() -> set[UUID]:
        found = [await members(segmentation, f"ages-{number}", org="hq.family") for number in (1, 2)]
        return set.union(*found)

    everybody = {each.customer_id for each in people}
    assert await united() == everybody - {loser.customer_id}
    await _tell_of(segmentation, _unmerged(merge))

    async def back() -> bool:
        return await united() == everybody

    await eventually(back, what="the separated member")
    again = _merged(survivor, loser)
    await _tell_of(segmentation, again)

    async def left() -> bool:
        return await united() == everybody - {loser.customer_id}

    await eventually(left, what="the merged member")


async def test_an_erasure_is_confirmed_when_nothing_is_left(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    person, twin, other = (bank.customer(occupation="glazier") for _ in range(3))
    await bank.tell(
        customers=[person, twin, other],
        holdings=[bank.holding(person, "5.00"), bank.holding(twin, "6.00")],
        events=[bank.event(person, "login")],
    )
    await live("glaziers", "occupation = 'glazier'")
    await live("glaziers-once", "occupation = 'glazier'", refresh="on_demand")
    await _tell_of(segmentation, _merged(person, twin))
    receipt = new_id()
    erased = CustomerErased(
        receipt_id=receipt, customers=[_of(person), _of(twin)], erased_at=datetime.now(UTC)
    )
    await segmentation.publish(erased)

    async def confirmed() -> bool:
        async with segmentation.runtime.db.transaction() as session:
            found = await session.get(Erasure, receipt)
            return found is not None and found.confirmed_at is not None

    await eventually(confirmed, what="the confirmation")
    for key in ("glaziers", "glaziers-once"):
        assert await members(segmentation, key) == {other.customer_id}
    store = segmentation.runtime.resource(CustomerFeed).store
    gone = [person.ordinal, twin.ordinal]
    with store.read() as cursor:
        for table, column in (("customer", "ordinal"), ("holding", "home"), ("event", "home")):
            count = f"SELECT count(*) FROM {table} WHERE {column} IN (SELECT unnest($1::INTEGER[]))"
            assert cursor.execute(count, [gone]).fetchall() == [(0,)]
    async with segmentation.runtime.db.transaction() as session:
        payloads = [bytes(each) for each in await session.scalars(select(Outbox.payload))]
    told = [each for each in payloads if str(receipt).encode() in each and b"erasure_confirmed" in each]
    assert len(told) == 1
    assert SegmentationErasureConfirmed.type_name().encode() in told[0]
    # Two customers, two balances each in its history and as the latest, one event.
    assert b'"rows":7' in told[0]
    # What is told again of them stays out.
    await bank.tell(customers=[person.model_copy(update={"version": 9})], events=[bank.event(twin, "login")])
    assert await members(segmentation, "glaziers") == {other.customer_id}
