"""One person, several files: exposures and outcomes follow merges, come back, and forget the erased."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.evaluation.domain.breakdown import control_of, group_of
from services.evaluation.domain.catalogue import CONVERSION, NET_INFLOW
from services.evaluation.models import Erasure
from services.evaluation.store import Store, open_store
from services.evaluation.store.contacts import efforts, exposures, funnel
from services.evaluation.store.outcomes import Question
from services.evaluation.store.series import course
from shared.contracts.events import (
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomerRef,
    CustomersMerged,
    CustomersUnmerged,
    EvaluationErasureConfirmed,
    EventData,
    SeparatedCustomer,
)
from shared.db import Outbox
from shared.ids import new_id
from tests.evaluation.test_store import (
    CAMPAIGN,
    LATER,
    START,
    apply,
    ask,
    assigned,
    called,
    happened,
    recorded,
    store,
    vars_of,
)
from tests.support import Running, eventually

__all__ = ["store"]

TABLES = ("exposure", "contact", "event")


def _ref(customer: UUID) -> CustomerRef:
    return CustomerRef(customer_id=customer, ordinal=1)


def merged(survivor: UUID, *losers: UUID, minute: int = 0) -> CustomersMerged:
    return CustomersMerged(
        merge_id=new_id(),
        survivor=_ref(survivor),
        merged=[_ref(each) for each in losers],
        merged_at=LATER + timedelta(minutes=minute),
        merged_by="user:t",
    )


def unmerged(
    merge: CustomersMerged, into: dict[UUID, UUID] | None = None, minute: int = 1
) -> CustomersUnmerged:
    before = into or {}
    return CustomersUnmerged(
        merge_id=merge.merge_id,
        survivor=merge.survivor,
        separated=[
            SeparatedCustomer(
                customer_id=each.customer_id,
                ordinal=1,
                merged_into=_ref(before[each.customer_id]) if each.customer_id in before else None,
            )
            for each in merge.merged
        ],
        unmerged_at=LATER + timedelta(minutes=minute),
        unmerged_by="user:t",
    )


def erased(*customers: UUID) -> CustomerErased:
    return CustomerErased(receipt_id=new_id(), customers=[_ref(each) for each in customers], erased_at=LATER)


def paid(customer: UUID, day: float, amount: float, home: UUID | None = None) -> CustomerEventsRecorded:
    direction = "in" if amount > 0 else "out"
    event = happened(customer, "transaction.posted", day, amount=f"{abs(amount)}", direction=direction)
    return recorded(event.model_copy(update={"home_id": home, "home_ordinal": 2 if home else None}))


def at(contact: ContactsAssigned, day: float) -> ContactsAssigned:
    return contact.model_copy(update={"assigned_at": START + timedelta(days=day)})


def tables(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    def read(cursor: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
        return {table: cursor.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in TABLES}

    return asyncio.run(store.read(read))


def seen(store: Store, until: datetime = LATER) -> dict[str, Any]:
    """Everything that is asked of the store about the campaign."""
    question = Question(CAMPAIGN, until)

    def read(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
        return {
            "exposures": exposures(cursor, question, 30),
            "funnel": funnel(cursor, question, CONVERSION).by_arm,
            "effort": efforts(cursor, "*", until).get(CAMPAIGN),
            "daily": course(cursor, question, NET_INFLOW, "customer"),
        }

    return {**asyncio.run(store.read(read)), "moments": ask(store, [NET_INFLOW], until)}


def test_what_the_survivor_does_counts_for_the_exposure_of_the_merged(store: Store) -> None:
    exposed, survivor, control = new_id(), new_id(), new_id()
    apply(store, "CAMPAIGN", assigned([exposed], "call"), assigned([control], None))
    apply(store, "CUSTOMER", paid(exposed, 1, 10), paid(survivor, 2, 100), paid(survivor, -3, 7))
    alone = tables(store)
    merge = merged(survivor, exposed)
    apply(store, "CUSTOMER", merge, paid(survivor, 3, 1000), paid(survivor, 4, 5, home=exposed))
    cells = ask(store, [NET_INFLOW])["net_inflow_30d"]
    assert (group_of(cells).n, group_of(cells).mean_y, group_of(cells).mean_x) == (1, 1115.0, 7.0)
    assert (control_of(cells).n, control_of(cells).mean_y) == (1, 0.0)
    apply(store, "CUSTOMER", unmerged(merge))
    # What came while they were one went home: 5 to the exposed, 1000 to the survivor.
    assert group_of(ask(store, [NET_INFLOW])["net_inflow_30d"]).mean_y == 15.0
    assert tables(store)["exposure"] == alone["exposure"]
    assert {row[0] for row in tables(store)["event"]} == {exposed, survivor}


def test_of_two_exposures_the_earlier_counts_once_with_all_outcomes(store: Store) -> None:
    first, second, bystander = new_id(), new_id(), new_id()
    contact = new_id()
    apply(
        store,
        "CAMPAIGN",
        assigned([first], None, branch="hq.a"),
        at(assigned([second], "call", branch="hq.b"), 2),
        assigned([bystander], "call"),
        called(second, contact, disposition="accepted", minutes="4", cost="6.00"),
    )
    apply(store, "CUSTOMER", paid(first, 1, 10), paid(second, 3, 100), paid(bystander, 3, 1))
    apart, facts = seen(store), tables(store)
    # Whichever of the two survives.
    for survivor, loser in ((second, first), (first, second)):
        merge = merged(survivor, loser, minute=2)
        apply(store, "CUSTOMER", merge)
        both = seen(store)
        assert both["exposures"].by_arm == {"": 1, "call": 1}
        cells = both["moments"]["net_inflow_30d"]
        assert (control_of(cells).n, control_of(cells).mean_y) == (1, 110.0)
        assert (group_of(cells).n, group_of(cells).mean_y) == (1, 1.0)
        assert vars_of(both["funnel"][""]) == (1, 1, 1, 1, 0)
        assert vars_of(both["funnel"]["call"]) == (1, 0, 0, 0, 0)
        assert (both["effort"].contacted, both["effort"].contacts) == (1, 1)
        assert both["daily"].days[0][1][""].n == 1
        # The branch of the later exposure alone has nobody to show.
        assert ask(store, [NET_INFLOW], scope="hq.b")["net_inflow_30d"] == []
        apply(store, "CUSTOMER", unmerged(merge, minute=3))
        assert seen(store) == apart
        assert tables(store) == facts


def test_an_exposure_told_after_the_merge_is_weighed_like_one_told_before(store: Store) -> None:
    first, second = new_id(), new_id()
    early, late = assigned([first], "call"), at(assigned([second], None), 1)
    merge = merged(second, first)
    apply(store, "CUSTOMER", paid(first, 2, 5), merge)
    apply(store, "CAMPAIGN", late)
    assert seen(store)["exposures"].by_arm == {"": 1}
    apply(store, "CAMPAIGN", early)
    found = seen(store)
    assert found["exposures"].by_arm == {"call": 1}
    assert group_of(found["moments"]["net_inflow_30d"]).mean_y == 5.0


def test_equally_early_exposures_are_ordered_by_contact(store: Store) -> None:
    one, other = new_id(), new_id()
    facts = [assigned([one], "call"), assigned([other], None)]
    earliest = min(facts, key=lambda each: each.contacts[0].contact_id)
    apply(store, "CAMPAIGN", *facts)
    apply(store, "CUSTOMER", merged(one, other))
    assert seen(store)["exposures"].by_arm == {earliest.contacts[0].arm or "": 1}


@dataclass
class Story:
    """Facts and merges of a few people in random order."""

    random: Random
    people: list[UUID]
    into: dict[UUID, UUID] = field(default_factory=dict)
    merges: list[tuple[CustomersMerged, dict[UUID, UUID]]] = field(default_factory=list)
    told: list[tuple[str, EventData]] = field(default_factory=list)
    exposed: set[UUID] = field(default_factory=set)

    def step(self) -> None:
        whom = self.random.choice(self.people)
        match self.random.randrange(8):
            case 0 if whom not in self.exposed:  # the ledger has one line for each customer
                self.exposed.add(whom)
                told = at(assigned([whom], self.random.choice(["call", None])), self.random.randint(0, 3))
                self.told.append(("CAMPAIGN", told))
            case 0 | 1:
                self.told.append(("CAMPAIGN", called(whom, new_id(), disposition="refused", cost="1.00")))
            case 2 | 3 | 4:
                owner = self.into.get(whom, whom)
                home = whom if owner != whom else None
                amount = self.random.choice([-3.0, 1.0, 8.0])
                self.told.append(("CUSTOMER", paid(owner, self.random.randint(-9, 20), amount, home)))
            case 5 | 6:
                self._merge()
            case _:
                self.undo()

    def _merge(self) -> None:
        roots = [each for each in self.people if each not in self.into]
        if len(roots) > 1:
            survivor, loser = self.random.sample(roots, 2)
            before = {home: into for home, into in self.into.items() if into == loser}
            merge = merged(survivor, loser, *before, minute=len(self.told))
            self.into |= dict.fromkeys([loser, *before], survivor)
            self.merges.append((merge, before))
            self.told.append(("CUSTOMER", merge))

    def undo(self) -> None:
        """The last one."""
        if self.merges:
            merge, before = self.merges.pop()
            for each in merge.merged:
                self.into.pop(each.customer_id)
            self.into |= before
            self.told.append(("CUSTOMER", unmerged(merge, before, minute=len(self.told))))

    def tell(self, store: Store, told: Sequence[tuple[str, EventData]]) -> None:
        start = 0
        while start < len(told):
            batch = told[start : start + self.random.randint(1, 6)]
            for stream in ("CUSTOMER", "CAMPAIGN"):
                if facts := [fact for of, fact in batch if of == stream]:
                    apply(store, stream, *facts)
            start += len(batch)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_any_order_ends_in_the_same_and_taken_back_leaves_no_trace(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder, random = tmp_path_factory.mktemp("stories"), Random(seed)
    story = Story(random, [new_id() for _ in range(6)])
    for _ in range(50):
        story.step()
    stores = [open_store(folder / f"{n}.duckdb", memory="256MB", threads=1) for n in range(3)]
    who = [each for each in story.told if isinstance(each[1], CustomersMerged | CustomersUnmerged)]
    facts = [each for each in story.told if each not in who]
    try:
        story.tell(stores[0], story.told)
        story.tell(stores[1], [*who, *facts])
        assert tables(stores[0]) == tables(stores[1])
        known = len(story.told)
        while story.merges:
            story.undo()
        story.tell(stores[0], story.told[known:])
        story.tell(stores[2], facts)
        assert tables(stores[0]) == tables(stores[2])
    finally:
        for each in stores:
            each.close()


def test_the_erased_are_counted_and_not_known(store: Store, tmp_path: Path) -> None:
    person, twin, other = new_id(), new_id(), new_id()
    campaign = [
        assigned([person, other], "call"),
        assigned([twin], None),
        called(person, new_id(), disposition="accepted", cost="6.00"),
    ]
    customer = [paid(person, 1, 10), paid(twin, 1, 20), paid(other, 1, 40)]
    gone = erased(person, twin)
    apply(store, "CAMPAIGN", *campaign)
    apply(store, "CUSTOMER", *customer)
    before = seen(store)
    apply(store, "CUSTOMER", gone)
    after = seen(store)
    assert after["exposures"] == before["exposures"]
    (cell,) = after["moments"]["net_inflow_30d"]
    assert (cell.arm, cell.moments.n, cell.moments.mean_y) == ("call", 1, 40.0)
    assert vars_of(after["funnel"]["call"]) == (2, 0, 0, 0, 0)
    everything = str(tables(store))
    assert str(other) in everything
    assert str(person) not in everything
    assert str(twin) not in everything
    # Told again under new sequences, and to a store that hears of the erasure first.
    apply(store, "CUSTOMER", *customer, gone)
    late = open_store(tmp_path / "late.duckdb", memory="256MB", threads=1)
    apply(late, "CUSTOMER", gone, *customer)
    apply(late, "CAMPAIGN", *campaign)
    assert tables(late)["exposure"] == tables(store)["exposure"]
    for each in (store, late):
        assert {row[0] for row in tables(each)["event"]} == {other}
        assert tables(each)["contact"] == []
    late.close()


def test_a_file_of_the_first_version_is_kept_and_understands_merges(tmp_path: Path) -> None:
    file, customer, survivor = tmp_path / "old.duckdb", new_id(), new_id()
    with duckdb.connect(str(file)) as old:
        old.execute("""
            CREATE TABLE watermark (stream VARCHAR PRIMARY KEY, seq BIGINT NOT NULL);
            CREATE TABLE exposure (
                campaign_id UUID NOT NULL, contact_id UUID NOT NULL, customer_id UUID NOT NULL,
                arm VARCHAR NOT NULL, propensity DOUBLE NOT NULL, assigned_at TIMESTAMP NOT NULL,
                wave INTEGER NOT NULL, segment VARCHAR NOT NULL, branch VARCHAR NOT NULL,
                manager VARCHAR, offer VARCHAR, channel VARCHAR, script VARCHAR
            );
            CREATE TABLE contact (
                campaign_id UUID NOT NULL, contact_id UUID NOT NULL, customer_id UUID NOT NULL,
                version INTEGER NOT NULL, state VARCHAR NOT NULL, disposition VARCHAR, minutes DOUBLE,
                cost DECIMAL(18, 2), recorded_at TIMESTAMP NOT NULL
            );
            CREATE TABLE event (
                customer_id UUID NOT NULL, type VARCHAR NOT NULL, time TIMESTAMP NOT NULL, amount DOUBLE,
                direction VARCHAR, channel VARCHAR, product VARCHAR, currency VARCHAR, granted VARCHAR
            );
            INSERT INTO watermark VALUES ('CUSTOMER', 7);
        """)
        old.execute(
            "INSERT INTO exposure SELECT ?, uuid(), ?, 'call', 0.5, ?, 1, 's', 'hq.a', NULL, NULL, NULL, NULL",
            [CAMPAIGN, customer, START.replace(tzinfo=None)],
        )
    store = open_store(file, memory="256MB", threads=1)
    assert store.watermark("CUSTOMER") == 7
    apply(store, "CUSTOMER", merged(survivor, customer), paid(survivor, 1, 9))
    assert group_of(ask(store, [NET_INFLOW])["net_inflow_30d"]).mean_y == 9.0
    apply(store, "CUSTOMER", erased(survivor, customer))
    assert seen(store)["exposures"].by_arm == {"call": 1}
    store.close()


async def test_an_erasure_is_confirmed_with_what_went(evaluation: Running) -> None:
    person, twin, campaign = new_id(), new_id(), new_id()
    told = assigned([person, twin], "call").model_copy(update={"campaign_id": campaign})
    gone = erased(person, twin)
    await evaluation.publish(told, paid(person, 1, 5), merged(person, twin, minute=-60))
    store = evaluation.runtime.resource(Store)

    def count(cursor: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
        named = cursor.execute(
            "SELECT count(*) FROM exposure WHERE campaign_id = ? AND customer_id = ?", [campaign, person]
        ).fetchall()
        exposed = cursor.execute("SELECT count(*) FROM exposure WHERE campaign_id = ?", [campaign]).fetchall()
        paid_in = cursor.execute("SELECT count(*) FROM event WHERE customer_id = ?", [person]).fetchall()
        return named[0][0], exposed[0][0], paid_in[0][0]

    async def there() -> bool:
        return await store.read(count) == (2, 2, 1)

    await eventually(there, what="the facts")
    await evaluation.publish(gone)

    async def confirmed() -> bool:
        async with evaluation.runtime.db.transaction() as session:
            found = await session.get(Erasure, gone.receipt_id)
            return found is not None and found.confirmed_at is not None

    await eventually(confirmed, what="the confirmation")
    assert await store.read(count) == (0, 2, 0)
    async with evaluation.runtime.db.transaction() as session:
        payloads = [bytes(each) for each in await session.scalars(select(Outbox.payload))]
    marks = (EvaluationErasureConfirmed.type_name().encode(), str(gone.receipt_id).encode(), b'"rows":3')
    assert sum(all(mark in each for mark in marks) for each in payloads) == 1
