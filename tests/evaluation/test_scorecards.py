"""Scorecards from events on the streams to the published bulletin: who is compared, by what, seen by whom."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from services.evaluation.store import DeskFeed, Store, open_store
from services.evaluation.store.scorecards import SHARES, Given, ScorecardQuestion, given
from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    AssignedContact,
    ContactRecorded,
    ContactsAssigned,
    CustomerEventsRecorded,
    EventData,
    RecordedEvent,
)
from shared.db import Outbox
from shared.ids import new_id
from tests.evaluation.bank import POSITIONS
from tests.evaluation.test_desks import made, walked, won
from tests.evaluation.test_loop import ended
from tests.evaluation.test_scorecard_activity import attained
from tests.evaluation.test_store import apply, deliver
from tests.support import Running


@dataclass
class Book:
    """One campaign's customers in branches below `org`, each with a manager; `lift` is what a branch adds."""

    org: str
    at: datetime
    lift: dict[str, float]
    each: int = 12
    held_out: int = 6
    campaign: UUID = field(default_factory=new_id)
    contacts: list[AssignedContact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contacts = [
            AssignedContact(
                contact_id=new_id(),
                customer_id=new_id(),
                arm="call" if number < self.each else None,
                propensity=0.5,
                offer="wealth" if number < self.each else None,
                channel="manager_task" if number < self.each else None,
                manager=f"M-{self.org[3:]}-{branch}",
                primary_manager=f"M-{self.org[3:]}-{branch}",
                branch=f"{self.org}.{branch}",
                segment=segment,
            )
            for branch in self.lift
            for segment in ("affluent", "young")
            for number in range(self.each + self.held_out)
        ]

    def facts(self) -> list[EventData]:
        rng = np.random.default_rng(8)
        lived, worked = [], []
        for contact in self.contacts:
            lift = self.lift[contact.branch.rsplit(".", 1)[1]] if contact.arm else 0.0
            usual = 20_000 if contact.segment == "affluent" else 1_000
            amount = usual + lift + float(rng.normal(0, 50))
            lived.append(self._event(contact.customer_id, f"{amount:.2f}"))
            if contact.arm and contact.branch.endswith("a"):
                worked.append(self._called(contact))
        assigned = ContactsAssigned(campaign_id=self.campaign, assigned_at=self.at, contacts=self.contacts)
        return [assigned, *worked, CustomerEventsRecorded(events=lived)]

    def _called(self, contact: AssignedContact) -> ContactRecorded:
        return ContactRecorded.model_validate(
            {
                "campaign_id": self.campaign,
                "contact_id": contact.contact_id,
                "customer_id": contact.customer_id,
                "version": 2,
                "state": "done",
                "disposition": "interested",
                "minutes": "4",
                "recorded_at": self.at + timedelta(hours=5),
                "recorded_by": "user:m",
            }
        )

    def _event(self, customer: UUID, amount: str) -> RecordedEvent:
        return RecordedEvent(
            seq=next(POSITIONS),
            event_id=str(new_id()),
            source="core-banking",
            type="transaction.posted",
            customer_id=customer,
            ordinal=1,
            time=self.at + timedelta(days=3),
            data={"amount": amount, "direction": "in"},
        )


def shares(*rows: tuple[UUID, str, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "customer_id": str(customer),
                "org": org,
                "share": Decimal(share),
                "valid_from": date(2020, 1, 1),
                "valid_to": None,
            }
            for customer, org, share in rows
        ],
        SHARES,
    )


# ── the store ─────────────────────────────────────────────────────────────────────────────────────────────

START = datetime(2026, 6, 1, 1, tzinfo=UTC)
LAST = date(2026, 6, 30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "evaluation.duckdb", memory="512MB", threads=2)
    yield opened
    opened.close()


def read(store: Store, table: pa.Table, level: str = "branch", scope: str = "*") -> Given:
    question = ScorecardQuestion(
        "staff" if level == "staff" else "branch",
        2,
        START.date(),
        LAST,
        START + timedelta(days=40),
        scope,
    )
    return asyncio.run(store.read(lambda cursor: given(cursor, question, table)))


def test_a_shared_customer_counts_by_shares_that_add_up(store: Store) -> None:
    book = Book("hq.z", START, {"a": 0, "b": 0}, each=4, held_out=0)
    apply(store, "CAMPAIGN", book.facts()[0])
    apply(store, "CUSTOMER", book.facts()[-1])
    first = book.contacts[0]
    seen = read(store, shares((first.customer_id, "hq.z.a", "0.7"), (first.customer_id, "hq.z.b.x", "0.3")))
    assert seen.customers == pytest.approx({"hq.z.a": 7.7, "hq.z.b": 8.3})
    assert (seen.assigned, seen.matured, seen.shared) == (16, 16, 1)
    inflow = seen.outcomes["net_inflow"]
    total = float(inflow.customers @ inflow.mean)
    events = book.facts()[-1]
    assert isinstance(events, CustomerEventsRecorded)
    assert total == pytest.approx(sum(float(str(event.data["amount"])) for event in events.events))
    # A branch sees of a shared customer no more than its share.
    assert read(store, shares((first.customer_id, "hq.z.b", "0.3")), scope="hq.z.b").customers == (
        pytest.approx({"hq.z.b": 8.3})
    )
    assert read(store, shares(), "staff").customers == pytest.approx({"M-z-a": 8, "M-z-b": 8})


def test_moments_are_those_of_the_customers_and_the_same_in_any_order(store: Store, tmp_path: Path) -> None:
    book = Book("hq.z", START, {"a": 300, "b": 0}, each=9, held_out=5)
    facts = book.facts()
    apply(store, "CAMPAIGN", *facts[:-1])
    apply(store, "CUSTOMER", facts[-1])
    seen = read(store, shares())
    events = facts[-1]
    assert isinstance(events, CustomerEventsRecorded)
    amount = {event.customer_id: float(str(event.data["amount"])) for event in events.events}
    for outcomes, treated in ((seen.outcomes["net_inflow"], True), (seen.held_out, False)):
        expected: dict[tuple[str, str], list[float]] = {}
        for contact in book.contacts:
            if (contact.arm is not None) == treated:
                expected.setdefault((contact.branch, contact.segment), []).append(amount[contact.customer_id])
        wanted = [(np.mean(each), np.var(each) * len(each)) for _, each in sorted(expected.items())]
        assert outcomes.mean == pytest.approx([mean for mean, _ in wanted])
        assert outcomes.m2 == pytest.approx([m2 for _, m2 in wanted])
    contacted = seen.outcomes["contacted"]
    assert dict(zip(contacted.subject, contacted.mean, strict=True)) == {"hq.z.a": 1.0, "hq.z.b": 0.0}
    assert set(seen.outcomes["responded"].subject) == {"hq.z.a"}
    other = open_store(tmp_path / "other.duckdb", memory="512MB", threads=1)
    for fact in (events.model_copy(update={"events": events.events[::-1]}),):
        apply(other, "CUSTOMER", fact)
    apply(other, "CAMPAIGN", *facts[:-1])
    again = read(other, shares()).outcomes["net_inflow"]
    other.close()
    assert np.array_equal(again.mean, seen.outcomes["net_inflow"].mean)
    assert np.array_equal(again.m2, seen.outcomes["net_inflow"].m2)


def test_who_was_assigned_too_late_to_be_known_is_left_out(store: Store) -> None:
    book = Book("hq.z", START + timedelta(days=20), {"a": 0}, each=3, held_out=0)
    apply(store, "CAMPAIGN", book.facts()[0])
    seen = read(store, shares())
    assert (seen.customers, seen.assigned, seen.matured) == ({}, 6, 0)


def test_volumes_are_the_branchs_own_referrals_and_sales(store: Store) -> None:
    customer = new_id()
    referral = made(new_id(), customer, 5, from_org="hq.z.a.one", to_org="hq.z.b")
    kept = walked(customer, "lead", "won", won_amount="900.00", org="hq.z.b.two")
    reopened = walked(customer, "lead", "won", "lead", org="hq.z.b.two")
    facts = [referral, won(referral, 30, "100.00"), *kept, *reopened]
    deliveries = [deliver(fact, at, "CAMPAIGN") for at, fact in enumerate(facts, start=1)]
    asyncio.run(DeskFeed(store).apply("CAMPAIGN", deliveries, len(facts)))
    found = read(store, shares()).volumes
    assert (found["hq.z.a"].made, found["hq.z.a"].won, found["hq.z.a"].credit) == (1, 1, Decimal("40.00"))
    b = found["hq.z.b"]
    assert (b.made, b.received, b.won, b.credit) == (0, 1, 1, Decimal("60.00"))
    assert (b.opportunities, b.won_amount) == (1, Decimal("900.00"))


# ── the service ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Desk:
    evaluation: Running
    client: httpx.AsyncClient
    book: Book
    period: str

    async def job(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await ended(self.client, await self.client.post(path, json=body))

    def wanted(self, level: str = "branch", **more: Any) -> dict[str, Any]:
        return {"level": level, "period": self.period, "org": self.book.org, "minimum": 20, **more}

    async def bulletin(self, job: dict[str, Any], client: httpx.AsyncClient | None = None) -> dict[str, Any]:
        assert job["state"] == "succeeded", job
        answer = await (client or self.client).get(job["result"]["bulletin"])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def desk(evaluation: Running, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Branch a brings 5,000 more than the others; its first customer is shared with branch b."""
    at = clock.now() - timedelta(days=100)
    book = Book(f"hq.f{new_id().hex[-10:]}", at, {"a": 5_000, "b": 0, "c": 0, "d": 0})
    first = book.contacts[0].customer_id
    table = shares((first, f"{book.org}.a", "0.5"), (first, f"{book.org}.b", "0.5"))
    body = pa.BufferOutputStream()
    with pa.ipc.new_stream(body, table.schema) as writer:
        writer.write_table(table)

    def exported(request: httpx.Request) -> httpx.Response:
        if request.url.path in {"/v1/orgs", "/v1/staff"}:
            return httpx.Response(503)
        assert request.url.path == "/v1/exports/shares"
        return httpx.Response(200, content=body.getvalue().to_pybytes())

    customer = httpx.AsyncClient(transport=httpx.MockTransport(exported), base_url="http://customer")
    campaign = httpx.AsyncClient(transport=httpx.MockTransport(attained), base_url="http://campaign")
    clients = {"customer": customer, "campaign": campaign}
    monkeypatch.setattr(evaluation.runtime, "client", clients.__getitem__)
    await evaluation.publish(*book.facts())
    async with evaluation.client(Role.strategist) as client, customer, campaign:
        yield Desk(evaluation, client, book, f"{at.astimezone(clock.ZONE):%Y-%m}")


def scored(bulletin: dict[str, Any], indicator: str) -> dict[str, dict[str, Any]]:
    return {
        card["subject"].rsplit(".", 1)[-1]: score
        for card in bulletin["subjects"]
        for score in card["scores"]
        if score["indicator"] == indicator
    }


def compared(bulletin: dict[str, Any], indicator: str) -> dict[str, Any]:
    (found,) = (each for each in bulletin["comparisons"] if each["indicator"]["key"] == indicator)
    return dict(found)


async def test_a_draft_ranks_only_who_can_be_told_apart(desk: Desk) -> None:
    bulletin = await desk.bulletin(await desk.job("/v1/scorecards", desk.wanted()))
    assert (bulletin["state"], bulletin["complete"], bulletin["shared"]) == ("draft", 1.0, 1)
    assert [card["subject"] for card in bulletin["subjects"]] == [f"{desk.book.org}.{x}" for x in "abcd"]
    inflow = scored(bulletin, "net_inflow")
    assert (inflow["a"]["customers"], inflow["b"]["customers"]) == ("23.50", "24.50")
    assert (inflow["a"]["rank"], inflow["a"]["group"], inflow["a"]["standing"]) == (1, 1, "above")
    assert {inflow[x]["rank"] for x in "bcd"} == {None}
    assert {inflow[x]["group"] for x in "bcd"} == {2}
    assert compared(bulletin, "net_inflow")["groups"] == 2
    assert float(inflow["a"]["observed"]) == pytest.approx(
        float(inflow["a"]["expected"]) + float(inflow["a"]["difference"])
    )
    # Beside those held out by lot: the effect itself.
    effect = scored(bulletin, "net_inflow_effect")
    assert float(effect["a"]["observed"]) == pytest.approx(5_000, abs=150)
    assert float(effect["c"]["observed"]) == pytest.approx(0, abs=100)
    # Nobody complained, so that nothing can be compared; only a's customers were reached, one of them b's too.
    assert compared(bulletin, "complaints")["error"] == "no-variance"
    assert {score["error"] for score in scored(bulletin, "complaints").values()} == {"not-compared"}
    responded = scored(bulletin, "responded")
    assert {name: score["customers"] for name, score in responded.items()} == {"a": "23.50", "b": "0.50"}
    assert "NaN" not in str(bulletin)
    again = await desk.bulletin(await desk.job("/v1/scorecards", desk.wanted()))
    assert again["method"]["input_hash"] == bulletin["method"]["input_hash"]
    assert again["comparisons"] == bulletin["comparisons"]
    assert (await desk.client.get(f"/v1/ranking-bulletins/{bulletin['id']}")).status_code == 404


async def test_published_it_is_frozen_told_of_and_there_once(desk: Desk) -> None:
    draft = await desk.bulletin(await desk.job("/v1/scorecards", desk.wanted("staff", minimum=25)))
    assert {score["error"] for score in scored(draft, "reached").values()} == {"not-compared"}
    job = await desk.job("/v1/scorecards:publish", {"scorecard_id": draft["id"]})
    bulletin = await desk.bulletin(job)
    changed = ("state", "number", "published_at", "published_by")
    assert (bulletin["state"], bulletin["number"]) == ("published", 1)
    assert {k: v for k, v in bulletin.items() if k not in changed} == {
        k: v for k, v in draft.items() if k not in changed
    }
    async with desk.evaluation.runtime.db.transaction() as session:
        rows = await session.scalars(select(Outbox).order_by(Outbox.seq))
        told = [row for row in rows if draft["id"].encode() in row.payload]
    assert [row.subject for row in told] == [f"evaluation.scorecard_published.{draft['id']}"]
    for body in ({"scorecard_id": draft["id"]}, {"wanted": desk.wanted("staff", minimum=25)}):
        answer = await desk.client.post("/v1/scorecards:publish", json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/already-published")
    for statement in (
        "UPDATE scorecard SET subjects = 0 WHERE id = :id",
        "DELETE FROM scorecard_subject WHERE scorecard_id = :id",
    ):
        with pytest.raises(DBAPIError, match="never changes"):
            async with desk.evaluation.runtime.db.transaction() as session:
                await session.execute(text(statement), {"id": draft["id"]})


async def test_each_sees_themselves_and_what_is_below(desk: Desk) -> None:
    org, job = desk.book.org, await desk.job("/v1/scorecards:publish", {"wanted": desk.wanted("staff")})
    path, own = job["result"]["bulletin"], f"M-{desk.book.org[3:]}-b"
    service = desk.evaluation
    async with (
        service.client(Role.manager, org=f"{org}.b", staff=own) as manager,
        service.client(Role.branch_head, org=f"{org}.b") as head,
        service.client(Role.branch_head, org="hq.elsewhere") as stranger,
    ):
        for client in (manager, head):
            seen = (await client.get(path)).json()
            assert ([card["staff"] for card in seen["subjects"]], seen["others"]) == ([own], 3)
        history = (await manager.get(f"/v1/scorecards/{own}")).json()
        assert [record["card"]["staff"] for record in history["records"]] == [own]
        other = own[:-1] + "c"
        report = path.replace("/v1/", "/v1/reports/")
        printed = await manager.get(report, params={"lang": "en"})
        assert (printed.status_code, own in printed.text, other in printed.text) == (200, True, False)
        kept = {"If-None-Match": printed.headers["etag"]}
        assert (await manager.get(report, params={"lang": "en"}, headers=kept)).status_code == 304
        assert (await stranger.get(report)).status_code == 404
        assert (await manager.get(f"/v1/scorecards/{other}")).status_code == 404
        assert (await head.get(f"/v1/scorecards/{other}")).status_code == 404
        assert (await stranger.get(path)).status_code == 404
        draft = await desk.bulletin(await desk.job("/v1/scorecards", desk.wanted()))
        assert (await manager.get(f"/v1/ranking-bulletins/{draft['id']}")).status_code == 404
        listed = (await manager.get("/v1/scorecards", params={"org": org})).json()["items"]
        assert [each["state"] for each in listed] == ["published"]
        assert (await manager.post("/v1/scorecards", json=desk.wanted())).status_code == 403
        assert (await head.post("/v1/scorecards", json=desk.wanted())).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"period": "2026-13"},
        {"period": "2099-01"},
        {"minimum": 1},
        {"depth": 0},
        {"org": "HQ;--"},
        {"level": "team"},
    ],
)
async def test_what_makes_no_sense_is_refused(evaluation: Running, change: dict[str, Any]) -> None:
    async with evaluation.client(Role.strategist) as client:
        body = {"level": "branch", "period": "2026-05", **change}
        assert (await client.post("/v1/scorecards", json=body)).status_code == 422
        assert (await client.post("/v1/scorecards:publish", json={})).status_code == 422


async def test_no_period_is_published_before_its_outcomes_are_known(evaluation: Running) -> None:
    async with evaluation.client(Role.strategist) as client:
        body = {"wanted": {"level": "staff", "period": f"{clock.today():%Y-%m}"}}
        answer = await client.post("/v1/scorecards:publish", json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/period-open")
