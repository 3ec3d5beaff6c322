"""Merged, handed over and erased customers in the ledger, over the real broker."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from services.campaign.domain.split import GLOBAL_SALT, position
from services.campaign.models import Customer
from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    CampaignErasureConfirmed,
    ContactRecorded,
    CustomerErased,
    CustomerRef,
    CustomersChanged,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    EventData,
    HandoverCompleted,
    OwnershipChanged,
    SegmentUpdated,
    SeparatedCustomer,
)
from shared.contracts.events.stewardship import Owners, OwnershipCause, OwnershipChange
from shared.db import Outbox
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm
from tests.support import eventually

PUDONG, JINGAN = "hq.sh.pudong", "hq.sh.jingan"
_versions = count(2)
EVERYBODY = a_scheme(an_arm("call", 1.0), hold_out=0)


def somebody(number: int, **changes: Any) -> CustomerState:
    """Not one of those whom no campaign ever contacts."""
    while True:
        state = a_customer(number, **changes)
        if position(GLOBAL_SALT, state.customer_id) >= 0.02:
            return state


@dataclass
class Desk:
    """A bank of six customers of one branch and one manager, A with backup B."""

    bank: Bank
    people: list[CustomerState]

    async def tell(self, *events: EventData) -> None:
        await self.bank.campaign.publish(*events)
        bus = self.bank.campaign.runtime.bus

        async def heard() -> bool:
            return not any(
                [await bus.backlog(name) for name in ("campaign__customers", "campaign__customer_file")]
            )

        await eventually(heard, what="the consumers")

    async def ledger(self, campaign_id: str) -> dict[UUID, dict[str, Any]]:
        lines = await self.bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
        return {UUID(line["customer_id"]): line for line in lines}

    async def tasks(self, code: str = "A", org: str = PUDONG, **filters: str) -> list[dict[str, Any]]:
        async with self.bank.manager(code, org) as manager:
            answer = await manager.get("/v1/tasks", params={"limit": "1000", **filters})
            assert answer.status_code == 200, answer.text
            return list(answer.json()["items"])

    async def post(self, path: str, body: dict[str, Any], code: str = "A", org: str = PUDONG) -> Any:
        async with self.bank.manager(code, org) as manager:
            answer = await manager.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

    async def balanced(self, campaign_id: str) -> dict[str, Any]:
        progress: dict[str, Any] = await self.bank.get(f"/v1/campaigns/{campaign_id}/progress")
        assert progress["balanced"], progress["imbalances"]
        return progress

    async def outbox(self, type_: type[EventData], mark: str) -> list[bytes]:
        async with self.bank.campaign.runtime.db.transaction() as session:
            payloads = await session.scalars(select(Outbox.payload).order_by(Outbox.seq))
            found = [bytes(each) for each in payloads]
        return [each for each in found if type_.type_name().encode() in each and mark.encode() in each]


@pytest.fixture
async def desk(empty_bank: Bank) -> Desk:
    owners = {"org": PUDONG, "primary_manager": "A", "backup_manager": "B"}
    people = [somebody(number, **owners) for number in range(6)]
    await empty_bank.add_customers(people)
    await empty_bank.add_segment(SEGMENT, [state.customer_id for state in people])
    return Desk(empty_bank, people)


def _ref(state: CustomerState) -> CustomerRef:
    return CustomerRef(customer_id=state.customer_id, ordinal=state.ordinal)


def merged(survivor: CustomerState, *losers: CustomerState) -> list[EventData]:
    """As the customer service tells of it."""
    owners = survivor.model_dump(include={"org", "primary_manager", "backup_manager"})
    merged_into = {"status": "merged", "merged_into": survivor.customer_id}
    states = [
        each.model_copy(update={"version": next(_versions), **merged_into, **owners}) for each in losers
    ]
    return [
        CustomersMerged(
            merge_id=new_id(),
            survivor=_ref(survivor),
            merged=[_ref(each) for each in losers],
            merged_at=datetime.now(UTC),
            merged_by="user:t",
        ),
        CustomersChanged(customers=states),
    ]


def unmerged(told: list[EventData], *losers: CustomerState) -> list[EventData]:
    merge = told[0]
    assert isinstance(merge, CustomersMerged)
    return [
        CustomersUnmerged(
            merge_id=merge.merge_id,
            survivor=merge.survivor,
            separated=[SeparatedCustomer(**_ref(each).model_dump()) for each in losers],
            unmerged_at=datetime.now(UTC),
            unmerged_by="user:t",
        ),
        CustomersChanged(customers=[each.model_copy(update={"version": next(_versions)}) for each in losers]),
    ]


def _but_versions(lines: dict[UUID, dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    return {key: {name: line[name] for name in line if name != "version"} for key, line in lines.items()}


async def test_one_person_is_contacted_once_and_undo_brings_the_other_contact_back(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    survivor, loser, *_ = desk.people
    task = next(each for each in await desk.tasks() if each["customer_id"] == str(loser.customer_id))
    next_at = (clock.now() + timedelta(days=2)).isoformat()
    call_back = {"disposition": "call_back", "minutes": 3, "next_at": next_at}
    before = await desk.post(f"/v1/tasks/{task['id']}:record", call_back)
    lines = await desk.ledger(campaign_id)
    told = merged(survivor, loser)
    await desk.tell(*told)
    line = (await desk.ledger(campaign_id))[loser.customer_id]
    assert (line["state"], line["reason"]) == ("expired", "merged")
    ledger = (await desk.balanced(campaign_id))["ledger"]
    assert (ledger["audience"], ledger["open"], ledger["expired"], ledger["suppressed"]) == (6, 5, 1, {})
    shown = [each["state"] for each in await desk.tasks(customer_id=str(survivor.customer_id))]
    assert sorted(shown) == ["assigned", "expired"]
    # Told twice, nothing more happens.
    await desk.tell(told[0])
    await desk.tell(*unmerged(told, loser))
    await desk.balanced(campaign_id)
    assert _but_versions(await desk.ledger(campaign_id)) == _but_versions(lines)
    after = next(each for each in await desk.tasks() if each["id"] == task["id"])
    assert {**after, "version": 0} == {**before, "version": 0}
    states = [
        each.split(b'"state":"')[1].split(b'"')[0] for each in await desk.outbox(ContactRecorded, task["id"])
    ]
    assert states == [b"call_back", b"expired", b"call_back"]
    done = {"disposition": "refused", "minutes": 1}
    assert (await desk.post(f"/v1/tasks/{task['id']}:record", done))["state"] == "done"


async def test_the_task_of_a_merged_customer_opens_the_survivors_file(desk: Desk) -> None:
    survivor = somebody(9, org=PUDONG, primary_manager="A", backup_manager="B")
    await desk.bank.add_customers([survivor])
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    loser = desk.people[0]
    await desk.tell(*merged(survivor, loser))
    (task,) = await desk.tasks(customer_id=str(survivor.customer_id))
    assert (task["customer_id"], task["state"]) == (str(survivor.customer_id), "assigned")
    recorded = await desk.post(f"/v1/tasks/{task['id']}:record", {"disposition": "refused", "minutes": 1})
    assert recorded["customer_id"] == str(survivor.customer_id)
    # The books and the event stay with whom it was decided for.
    assert (await desk.ledger(campaign_id))[loser.customer_id]["state"] == "done"
    (event,) = await desk.outbox(ContactRecorded, task["id"])
    assert str(loser.customer_id).encode() in event


async def test_a_merged_customer_is_suppressed_and_the_family_counts(desk: Desk) -> None:
    loser, tired, refused, free, *_ = desk.people
    survivors = [somebody(number, org=PUDONG, primary_manager="A", backup_manager="B") for number in range(3)]
    await desk.bank.add_customers(survivors)
    await desk.bank.add_segment("one", [tired.customer_id])
    only = {"scheme": EVERYBODY, "audience": {"include": ["one"]}}
    for _ in range(2):
        await desk.bank.launched(**only)
    async with desk.bank.strategist() as author:
        body = {"customer_id": str(refused.customer_id), "reason": "asked for it"}
        assert (await author.post("/v1/suppressions", json=body)).status_code == 201
    told = [merged(survivors[0], tired), merged(survivors[1], refused), merged(free, loser)]
    await desk.tell(*(event for events in told for event in events))
    everybody = [*desk.people, *survivors]
    await desk.bank.add_segment("all", [each.customer_id for each in everybody])
    campaign_id = await desk.bank.launched(scheme=EVERYBODY, audience={"include": ["all"]})
    found = {key: line["reason"] or line["state"] for key, line in (await desk.ledger(campaign_id)).items()}
    for each in (loser, tired, refused):
        assert found[each.customer_id] == "merged"
    assert found[survivors[0].customer_id] == "cap"
    assert found[survivors[1].customer_id] == "do_not_contact"
    assert found[survivors[2].customer_id] == found[free.customer_id] == "assigned"
    await desk.balanced(campaign_id)
    decisions = await desk.bank.get(f"/v1/customers/{survivors[1].customer_id}/contact-decisions")
    assert [each["reason"] for each in decisions["suppressions"]] == ["asked for it"]
    merged_check = {
        each["rule"]: each
        for each in (await desk.bank.get(f"/v1/customers/{loser.customer_id}/contact-decisions"))["checks"]
    }["merged"]
    assert (merged_check["holds"], merged_check["detail"]["survivor"]) == (False, str(free.customer_id))
    # Apart again, each has its own past.
    await desk.tell(*unmerged(told[0], tired), *unmerged(told[1], refused))
    again = await desk.bank.launched(scheme=EVERYBODY, audience={"include": ["all"]})
    found = {key: line["reason"] or line["state"] for key, line in (await desk.ledger(again)).items()}
    assert found[survivors[0].customer_id] == found[survivors[1].customer_id] == "assigned"
    assert (found[tired.customer_id], found[refused.customer_id]) == ("cap", "do_not_contact")


async def test_a_wave_after_the_merge_does_not_contact_the_person_again(desk: Desk) -> None:
    survivor, loser, *_ = desk.people
    other = somebody(9, org=PUDONG, primary_manager="A", backup_manager="B")
    await desk.bank.add_customers([other])
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    # Whoever survives without a line of their own: the line of the merged one is the person's.
    await desk.tell(*merged(other, loser))
    simulated = None
    async with desk.bank.strategist() as author:
        await desk.bank.add_segment(SEGMENT, [other.customer_id])
        answer = await author.post(f"/v1/campaigns/{campaign_id}:simulate")
        simulated = answer.json()
    assert simulated["suppressed"]["merged"] == 2
    assert survivor.customer_id in await desk.ledger(campaign_id)


async def test_who_asked_to_be_left_alone_under_one_file_is_under_all(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    survivor, loser, *_ = desk.people
    tasks = {each["customer_id"]: each["id"] for each in await desk.tasks()}
    body = {"disposition": "do_not_contact", "minutes": 1, "note": "wants peace"}
    await desk.post(f"/v1/tasks/{tasks[str(loser.customer_id)]}:record", body)
    told = merged(survivor, loser)
    await desk.tell(*told)
    line = (await desk.ledger(campaign_id))[survivor.customer_id]
    assert (line["state"], line["reason"]) == ("expired", "do_not_contact")
    await desk.tell(*unmerged(told, loser))
    assert (await desk.ledger(campaign_id))[survivor.customer_id]["state"] == "assigned"
    # Said while they are one: for the survivor's file, so the merged one's task goes too and stays open later.
    again = merged(desk.people[2], survivor)
    await desk.tell(*again)
    assert (await desk.ledger(campaign_id))[survivor.customer_id]["reason"] == "merged"
    async with desk.bank.strategist() as author:
        body = {"customer_id": str(survivor.customer_id)}
        assert (await author.post("/v1/suppressions", json=body)).status_code == 201
    assert (await desk.ledger(campaign_id))[desk.people[2].customer_id]["state"] == "expired"
    await desk.tell(*unmerged(again, survivor))
    assert (await desk.ledger(campaign_id))[survivor.customer_id]["state"] == "expired"
    await desk.balanced(campaign_id)


async def test_an_undo_heard_before_its_merge_wins(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    survivor, loser, *_ = desk.people
    told = merged(survivor, loser)
    await desk.tell(unmerged(told, loser)[0])
    await desk.tell(told[0])
    assert (await desk.ledger(campaign_id))[loser.customer_id]["state"] == "assigned"


def moved(
    states: list[CustomerState], cause: OwnershipCause, before: dict[str, Any], after: dict[str, Any]
) -> OwnershipChanged:
    return OwnershipChanged(
        changes=[
            OwnershipChange(
                customer_id=each.customer_id,
                before=Owners.model_validate({"org": PUDONG, **before}),
                after=Owners.model_validate({"org": PUDONG, **after}),
                effective_on=clock.today(),
                cause=cause,
            )
            for each in states
        ]
    )


AB = {"primary_manager": "A", "backup_manager": "B"}
BC = {"primary_manager": "B", "backup_manager": "C"}


def _handover(*, undone: bool = False) -> HandoverCompleted:
    return HandoverCompleted(
        handover_id=new_id(),
        staff="A",
        customers=6,
        receivers={"B": 6},
        undone=undone,
        completed_at=clock.now(),
    )


async def test_tasks_go_to_the_new_manager_and_come_back(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    tasks = await desk.tasks()
    accepted, begun, waiting, given, *_ = (each["id"] for each in tasks)
    await desk.post(f"/v1/tasks/{accepted}:accept", {})
    await desk.post(f"/v1/tasks/{begun}:start", {})
    next_at = (clock.now() + timedelta(days=2)).isoformat()
    await desk.post(
        f"/v1/tasks/{waiting}:record", {"disposition": "call_back", "minutes": 1, "next_at": next_at}
    )
    async with desk.bank.client(Role.branch_head, org=PUDONG, staff="H") as head:
        answer = await head.post(f"/v1/tasks/{given}:reassign", json={"manager": "B"})
        assert answer.status_code == 200, answer.text
    before = {each["id"]: each for each in [*await desk.tasks(), *await desk.tasks("B")]}
    # B was the backup and is the primary manager now: A's tasks are B's, one of which was B's already.
    await desk.tell(moved(desk.people, "handover", AB, BC), _handover())
    assert await desk.tasks() == []
    taken = {each["id"]: each for each in await desk.tasks("B")}
    assert set(taken) == set(before)
    assert {each["taken_because"] for each in taken.values()} == {"handover", None}
    assert (taken[given]["taken_from"], taken[accepted]["taken_from"]) == (None, "A")
    assert [taken[each]["state"] for each in (accepted, begun, waiting)] == [
        "assigned",
        "assigned",
        "call_back",
    ]
    assert taken[waiting]["next_at"] == before[waiting]["next_at"]
    lines = await desk.ledger(campaign_id)
    assert {line["manager"] for line in lines.values()} == {"B"}
    await desk.balanced(campaign_id)
    await desk.post(f"/v1/tasks/{begun}:accept", {}, "B")
    await desk.tell(moved(desk.people, "handover_undone", BC, AB), _handover(undone=True))
    back = {each["id"]: each for each in await desk.tasks()}
    assert set(back) == set(before) - {given}
    assert [each["id"] for each in await desk.tasks("B")] == [given]
    assert {each["taken_from"] for each in back.values()} == {None}
    # What was left untouched stands where it stood; what B had taken on, A has to take on again.
    assert [back[each]["state"] for each in (accepted, begun, waiting)] == [
        "accepted",
        "assigned",
        "call_back",
    ]
    await desk.balanced(campaign_id)


@pytest.mark.parametrize("both_in", [True, False])
async def test_a_merged_customers_task_follows_the_survivors_owners_and_returns_exactly(
    desk: Desk,
    both_in: bool,  # noqa: FBT001
) -> None:
    there = {"org": JINGAN, "primary_manager": "N", "backup_manager": None}
    survivor, loser = somebody(9, **there), desk.people[0]
    await desk.bank.add_customers([survivor])
    if both_in:
        await desk.bank.add_segment(SEGMENT, [survivor.customer_id])
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    task = next(each for each in await desk.tasks() if each["customer_id"] == str(loser.customer_id))
    before = await desk.post(f"/v1/tasks/{task['id']}:accept", {})
    lines = await desk.ledger(campaign_id)
    owners = moved([loser], "merge", AB, there)
    for owners_first in (False, True):
        told = merged(survivor, loser)
        await desk.tell(*([owners, *told] if owners_first else [*told, owners]))
        assert task["id"] not in {each["id"] for each in await desk.tasks()}
        found = await desk.tasks("N", JINGAN, customer_id=str(survivor.customer_id))
        assert sorted(each["state"] for each in found) == (
            ["assigned", "expired"] if both_in else ["assigned"]
        )
        await desk.balanced(campaign_id)
        back = [*unmerged(told, loser), moved([loser], "merge", there, AB)]
        await desk.tell(*back)
        assert _but_versions(await desk.ledger(campaign_id)) == _but_versions(lines)
        (after,) = [each for each in await desk.tasks() if each["id"] == task["id"]]
        assert {**after, "version": 0} == {**before, "version": 0}
        await desk.balanced(campaign_id)


async def test_a_merge_heard_after_all_states_leaves_nothing_when_undone(desk: Desk) -> None:
    survivor, loser, *_ = desk.people
    told = merged(survivor, loser)
    back = unmerged(told, loser)
    await desk.tell(told[1], back[1])
    await desk.tell(told[0], back[0])
    async with desk.bank.campaign.runtime.db.transaction() as session:
        known = await session.get_one(Customer, loser.customer_id)
        assert (known.merged_into, known.status) == (None, "active")


async def test_what_a_leaver_was_given_by_hand_goes_too(desk: Desk) -> None:
    owned = somebody(8, org=PUDONG, primary_manager="P", backup_manager="B")
    nobody = somebody(9, org=PUDONG, primary_manager="P", backup_manager=None)
    await desk.bank.add_customers([owned, nobody])
    await desk.bank.add_segment("two", [owned.customer_id, nobody.customer_id])
    await desk.bank.launched(scheme=EVERYBODY, audience={"include": ["two"]})
    async with desk.bank.client(Role.branch_head, org=PUDONG, staff="H") as head:
        for task in await desk.tasks("P"):
            given = await head.post(f"/v1/tasks/{task['id']}:reassign", json={"manager": "A"})
            assert given.status_code == 200, given.text
    ownerless = {"primary_manager": None, "backup_manager": None}
    changed = nobody.model_copy(update={"version": 2, **ownerless})
    await desk.tell(CustomersChanged(customers=[changed]))
    await desk.tell(_handover())
    (task,) = await desk.tasks("P")
    assert (task["customer_id"], task["taken_from"]) == (str(owned.customer_id), "A")
    # Nobody looks after the customer: the branch head finds the task among those handed back.
    (left,) = await desk.tasks()
    assert (left["customer_id"], left["state"]) == (str(nobody.customer_id), "returned")
    await desk.tell(_handover(undone=True))
    assert {each["customer_id"] for each in await desk.tasks()} == {
        str(owned.customer_id),
        str(nobody.customer_id),
    }


async def test_a_task_moves_branch_with_its_customer_and_books_balance_in_both(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    mover = desk.people[0]
    there = {"org": JINGAN, "primary_manager": "N", "backup_manager": None}
    await desk.tell(
        moved([mover], "assignment", AB, there),
        CustomersChanged(customers=[mover.model_copy(update={"version": 2, **there})]),
    )
    (task,) = await desk.tasks("N", JINGAN)
    assert (task["org"], task["taken_from"], task["taken_because"]) == (JINGAN, "A", "assignment")
    for branch, audience in ((PUDONG, 5), (JINGAN, 1)):
        async with desk.bank.client(Role.branch_head, org=branch, staff="H") as head:
            progress = (await head.get(f"/v1/campaigns/{campaign_id}/progress")).json()
            assert (progress["balanced"], progress["ledger"]["audience"]) == (True, audience)
    done = {"disposition": "refused", "minutes": 1}
    assert (await desk.post(f"/v1/tasks/{task['id']}:record", done, "N", JINGAN))["state"] == "done"


async def test_outside_the_campaigns_organisations_a_task_waits_for_the_customers_return(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    mover = desk.people[0]
    away = {"org": "hq.bj.haidian", "primary_manager": "X", "backup_manager": None}
    await desk.tell(moved([mover], "assignment", AB, away))
    line = (await desk.ledger(campaign_id))[mover.customer_id]
    assert (line["state"], line["reason"], line["manager"]) == ("expired", "moved", "A")
    await desk.balanced(campaign_id)
    await desk.tell(moved([mover], "assignment", away, BC))
    line = (await desk.ledger(campaign_id))[mover.customer_id]
    assert (line["state"], line["reason"], line["manager"]) == ("assigned", None, "B")
    await desk.balanced(campaign_id)


async def test_the_erased_are_forgotten_and_the_books_keep_their_counts(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    person, twin, *_ = desk.people
    tasks = {each["customer_id"]: each["id"] for each in await desk.tasks()}
    next_at = (clock.now() + timedelta(days=2)).isoformat()
    noted = {"disposition": "call_back", "minutes": 3, "next_at": next_at, "note": "daughter studies abroad"}
    await desk.post(f"/v1/tasks/{tasks[str(person.customer_id)]}:record", noted)
    async with desk.bank.strategist() as author:
        body = {"customer_id": str(twin.customer_id), "channel": "sms", "reason": "lives at the lake"}
        headers = {"Idempotency-Key": str(new_id())}
        assert (await author.post("/v1/suppressions", json=body, headers=headers)).status_code == 201
    await desk.tell(*merged(person, twin))
    receipt = new_id()
    erased = CustomerErased(
        receipt_id=receipt, customers=[_ref(person), _ref(twin)], erased_at=datetime.now(UTC)
    )
    await desk.tell(erased)
    progress = await desk.balanced(campaign_id)
    assert (progress["ledger"]["audience"], progress["ledger"]["open"]) == (6, 4)
    assert progress["minutes"] == "3.00"
    line = (await desk.ledger(campaign_id))[person.customer_id]
    assert (line["state"], line["reason"], line["disposition"]) == ("expired", "erased", "call_back")
    (confirmed,) = await desk.outbox(CampaignErasureConfirmed, str(receipt))
    assert b'"rows":0' not in confirmed
    # Told again, by whatever way, they do not come back.
    await desk.tell(
        CustomersChanged(customers=[each.model_copy(update={"version": 10**6}) for each in (person, twin)])
    )
    update = SegmentUpdated(
        segment_id=desk.bank.segments[SEGMENT],
        key=SEGMENT,
        version=1,
        run_id=new_id(),
        cause="full",
        evaluated_at=datetime.now(UTC),
        size=2,
        joined=[person.customer_id, twin.customer_id],
        left=[],
    )
    await desk.bank.campaign.publish(update)
    bus = desk.bank.campaign.runtime.bus

    async def heard() -> bool:
        return await bus.backlog("campaign__segments") == 0

    await eventually(heard, what="the segments' consumer")
    async with desk.bank.campaign.runtime.db.transaction() as session:
        ids = {"ids": [person.customer_id, twin.customer_id]}
        for table in ("segment_member", "suppression"):
            count = text(f"SELECT count(*) FROM {table} WHERE customer_id = ANY(:ids)")
            assert await session.scalar(count, ids) == 0
        known = (await session.scalars(select(Customer).where(Customer.id.in_(ids["ids"])))).all()
        assert {(each.status, each.primary_manager, each.risk_level) for each in known} == {
            ("erased", None, None)
        }
        for words in ("daughter", "lake"):
            for table in ("attempt", "suppression", "stored_answer", "contact", "audit_log"):
                rows = await session.execute(text(f"SELECT t.* FROM {table} t"))
                assert words not in str(
                    [[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in rows]
                )


async def test_an_attempt_can_lose_its_note_and_nothing_else(desk: Desk) -> None:
    await desk.bank.launched(scheme=EVERYBODY)
    task = (await desk.tasks())[0]
    await desk.post(f"/v1/tasks/{task['id']}:record", {"disposition": "refused", "minutes": 1, "note": "no"})
    database = desk.bank.campaign.runtime.db
    for statement in (
        "UPDATE attempt SET note = 'yes'",
        "UPDATE attempt SET note = NULL, minutes = 2",
        "DELETE FROM attempt",
        "UPDATE audience_member SET org_path = 'hq.sh', wave = 2",
        "UPDATE contact SET state = 'assigned', reason = NULL WHERE state = 'done'",
    ):
        with pytest.raises(DBAPIError):
            async with database.transaction() as session:
                await session.execute(text(statement))
