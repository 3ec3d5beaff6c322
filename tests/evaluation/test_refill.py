"""A store filled from exports, because the streams have forgotten, is the one that followed the streams."""

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import httpx
import pyarrow as pa
from sqlalchemy import text

from services.evaluation.models import RecommendationRow, Registration
from services.evaluation.store import Store, open_store
from services.evaluation.store.backfill import HOLDINGS
from services.evaluation.usecases.evaluations import gather, keep
from services.evaluation.usecases.refill import Refill
from shared.bus import Bus
from shared.contracts.events import AssignedContact, ContactsAssigned, CustomerEventsRecorded
from shared.contracts.events.tier import TierChanged
from shared.ids import new_id
from shared.outbox import emit, row
from shared.told import SCHEMA
from tests.customer.conftest import Bank, bank, event, source_id
from tests.customer.merge_world import merged, undo
from tests.evaluation.bank import Campaign
from tests.evaluation.test_breakdowns import gold
from tests.evaluation.test_loop import registered
from tests.evaluation.test_rebuild import moments, rebuilt
from tests.evaluation.test_review import desks
from tests.support import Running, eventually

__all__ = ["bank"]

OWN_OF_ADVICE = {"id", "result_id", "issued_at"}
ROWS = {
    "exposure": 16,
    "contact": 8,
    "feedback": 3,
    "alias": 2,
    "erased": 1,
    "tier": 11,
    "event": 48,
    "holding": 15,
    "referral": 5,
    "opportunity": 2,
}
_OF_CAMPAIGN = ("exposure", "contact", "feedback")
_OF_HOMES = ("alias", "erased", "tier")
_OF_CUSTOMERS = ("event", "holding", "referral", "opportunity")


class Forgetful(Bus):
    """Streams that have lost their first messages."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def last_sequence(self, stream: str) -> int:
        return await self._bus.last_sequence(stream)

    async def forgotten(self, stream: str, watermark: int) -> int:
        return await self._bus.last_sequence(stream) - watermark


@dataclass
class Lived(Campaign):
    """A campaign among customers of the customer service, who tells of what they did itself."""

    people: tuple[UUID, ...] = ()

    def contacts(self) -> list[AssignedContact]:
        made = super().contacts()
        return [
            contact.model_copy(update={"customer_id": customer})
            for contact, customer in zip(made, self.people, strict=True)
        ]


async def test_a_store_filled_from_exports_gives_the_same_rows_and_the_same_documents(
    bank: Bank,
    campaign: Running,
    evaluation: Running,
    tmp_path: Path,
) -> None:
    people = [await bank.customer() for _ in range(16)]
    world = Lived(treated=9, held_out=7, people=tuple(UUID(each["id"]) for each in people))
    tiers = await lived(bank, campaign, evaluation, world, people)
    await registered(evaluation, world)
    streamed, file = evaluation.runtime.resource(Store), tmp_path / "again.duckdb"
    await heard(streamed, bank.service, campaign)

    ends = await filled(file, bank, campaign, evaluation, tiers)
    # What is told once more, and what comes late, comes by the streams; they are not asked for earlier things.
    await repeated(campaign, "campaign.contact_recorded", str(world.id))
    await repeated(bank.service, "customer.events_recorded", people[0]["id"])
    await bank.push(transaction(people[3], world, 5, "77.25"))
    await heard(streamed, bank.service, campaign)
    async with rebuilt(evaluation, file) as again:
        assert all(again.watermark(stream) >= end > 0 for stream, end in ends.items())
        wanted = await contents(streamed, world)
        assert await contents(again, world) == wanted
        rows = {table: count for table, (count, _) in wanted.items()}
        assert rows == ROWS
        assert await moments(again, world.id) == await moments(streamed, world.id)
        told = await document(evaluation, streamed, world.id)
        assert told["result"]["exposures"] == 15  # of two files of one person the earlier
        assert await document(evaluation, again, world.id) == told


async def lived(
    bank: Bank,
    campaign: Running,
    evaluation: Running,
    world: Lived,
    people: list[dict[str, Any]],
) -> list[TierChanged]:
    """Merges, one of them taken back, an erasure, money before and after, balances, contacts and desks."""
    facts = [fact for fact in world.facts() if not isinstance(fact, CustomerEventsRecorded)]
    contacts = [contact for fact in facts if isinstance(fact, ContactsAssigned) for contact in fact.contacts]
    tiers, gone = [gold(world, contacts[:12])], people[4]
    await evaluation.publish(*tiers)
    async with campaign.runtime.db.transaction() as session:
        await emit(session, *facts, *desks(world, facts))
    day = (world.assigned_at + timedelta(days=2)).date().isoformat()
    snapshot = {"product": "demand-deposit", "balance": "10.37", "as_of": day}
    money = [
        transaction(person, world, days, f"{(number * 7919 + days * 31) % 3000 + 0.13:.2f}")
        for number, person in enumerate(people)
        for days in (-9, 3)
        if person is not gone
    ]
    balances = [
        event(source_id(person), "balance.snapshot", data=snapshot) for person in people if person is not gone
    ]
    login = event(source_id(gone), "login", data={"channel": "mobile"})
    told = await bank.push(*money, *balances, login)
    assert told.json()["accepted"] == 46, told.text
    ids = [person["id"] for person in people]
    await merged(bank, ids[1], ids[0])
    undone = await undo(bank, await merged(bank, ids[3], ids[2]))
    assert undone.status_code == 200, undone.text
    await bank.push(transaction(people[0], world, 4, "12.50"), transaction(people[2], world, 4, "13.50"))
    request = {"reason": "case 4711", "legal_basis": "consent_withdrawn"}
    asked = await bank.head_sh.post(f"/v1/customers/{gone['id']}:erase", json=request)
    assert asked.status_code == 201, asked.text
    erased = await bank.admin.post(f"/v1/erasures/{asked.json()['id']}:confirm")
    assert erased.status_code == 200, erased.text
    return tiers


def transaction(person: dict[str, Any], world: Campaign, days: int, amount: str) -> dict[str, Any]:
    data = {"account": "A-1", "product": "demand-deposit", "amount": amount, "currency": "CNY"}
    at = (world.assigned_at + timedelta(days=days)).isoformat()
    return event(source_id(person), time=at, data={**data, "direction": "in", "channel": "mobile"})


async def heard(store: Store, *services: Running) -> None:
    """The store has all that these services have told by now, and what was told of tiers."""

    async def reached() -> bool:
        for service in services:
            async with service.runtime.db.transaction() as session:
                if await session.scalar(text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")):
                    return False
        bus, streams = services[0].runtime.bus, ("CUSTOMER", "CAMPAIGN", "SEGMENTATION")
        ends = {stream: await bus.last_sequence(stream) for stream in streams}
        reached = {**ends, "CAMPAIGN/desks": ends["CAMPAIGN"], "SEGMENTATION/tiers": ends["SEGMENTATION"]}
        del reached["SEGMENTATION"]
        return all(store.watermark(position) >= end for position, end in reached.items())

    await eventually(reached, what="what was told")


async def filled(
    file: Path,
    bank: Bank,
    campaign: Running,
    evaluation: Running,
    tiers: list[TierChanged],
) -> dict[str, int]:
    """A new store with what the exports say, closed again; where it stands in the streams."""
    services = {
        "customer": bank.service.client(key=evaluation.servers.api_key()),
        "campaign": campaign.client(key=evaluation.servers.api_key()),
        "segmentation": telling(tiers),
    }
    store = open_store(file, memory="512MB", threads=2)
    refill = Refill(store, Forgetful(evaluation.runtime.bus), services.__getitem__, file.parent)
    await refill.fill()
    positions = ("CUSTOMER", "CAMPAIGN", "CAMPAIGN/desks", "SEGMENTATION/tiers")
    ends = {position: store.watermark(position) for position in positions}
    assert store.has_begun(HOLDINGS)
    await refill.fill()
    assert ends == {position: store.watermark(position) for position in positions}
    store.close()
    return {stream: ends[stream] for stream in ("CUSTOMER", "CAMPAIGN")}


def telling(events: list[TierChanged]) -> httpx.AsyncClient:
    """A service that has told of these."""
    rows = [
        {
            "seq": number,
            "event_id": str(message["event_id"]),
            "subject": message["subject"],
            "event": message["payload"].decode(),
        }
        for number, message in enumerate(map(row, events), 1)
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(rows, SCHEMA))

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/exports/events"
        return httpx.Response(200, content=sink.getvalue().to_pybytes())

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://segmentation")


async def repeated(service: Running, kind: str, about: str) -> None:
    """A message that its service has told is published once more, as a relay does that died in between."""
    async with service.runtime.db.transaction() as session:
        found = await session.execute(
            text(
                "SELECT event_id, subject, payload FROM outbox WHERE starts_with(subject, :kind)"
                " AND position(convert_to(:about, 'UTF8') IN payload) > 0 ORDER BY seq LIMIT 1"
            ),
            {"kind": kind, "about": about},
        )
        event_id, subject, payload = found.one()
    await service.runtime.bus.js.publish(subject, payload, headers={"Nats-Msg-Id": f"{event_id}-again"})


async def contents(store: Store, world: Lived) -> dict[str, tuple[int, str]]:
    """Of every table, how many rows of this campaign and its customers it has, and a hash of them in order.

    Others share the streams. `applied` and `watermark` say how far the feeds are; how many rows an erasure
    found depends on when it came.
    """
    parameters = {"campaign": world.id, "people": [str(each) for each in world.people]}
    theirs = "IN (SELECT unnest($people::UUID[]))"
    selections = {
        **{table: f"SELECT * FROM {table} WHERE campaign_id = $campaign" for table in _OF_CAMPAIGN},
        **{table: f"SELECT * FROM {table} WHERE home {theirs}" for table in _OF_HOMES},
        **{
            table: f"SELECT * FROM {table} WHERE coalesce(home, customer_id) {theirs}"
            for table in _OF_CUSTOMERS
        },
        "erased": f"SELECT home FROM erased WHERE home {theirs}",
    }

    def read(cursor: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, str]]:
        tables = {name for (name,) in cursor.execute("SHOW TABLES").fetchall()}
        assert tables == {*selections, "watermark", "applied"}
        found = {}
        for table, sql in selections.items():
            named = {name: value for name, value in parameters.items() if f"${name}" in sql}
            rows = cursor.execute(f"{sql} ORDER BY ALL", named).fetchall()
            found[table] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
        return found

    return await store.read(read)


class _TakenBackError(Exception):
    """Nothing is kept of a document that was only looked at."""


async def document(evaluation: Running, store: Store, campaign: UUID) -> dict[str, Any]:
    """The whole result by this store and the advice that comes with it, but for ids and times of their own."""
    found: dict[str, Any] = {}
    with contextlib.suppress(_TakenBackError):
        async with evaluation.runtime.db.transaction() as session:
            seen = await gather(store, await session.get_one(Registration, campaign))
            result = await keep(session, new_id(), campaign, seen, timedelta(0))
            advice = await session.get_one(RecommendationRow, result.recommendation_id)
            own = {"id", "evaluated_at", "data_until", "recommendation_id"}
            of_advice = {name: value for name, value in advice.document.items() if name not in OWN_OF_ADVICE}
            found = {"result": result.model_dump(mode="json", exclude=own), "advice": of_advice}
            raise _TakenBackError
    return found
