"""Merged and erased customers in the ledger, over the real broker."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from services.campaign.models import Customer
from shared import clock
from shared.contracts.events import (
    CampaignErasureConfirmed,
    ContactRecorded,
    CustomerErased,
    CustomersChanged,
    SegmentUpdated,
)
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT
from tests.campaign.desk import EVERYBODY, PUDONG, Desk, but_versions, desk, merged, ref, somebody, unmerged

__all__ = ["desk"]


async def test_one_person_is_contacted_once_and_undo_brings_the_other_contact_back(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    survivor, loser, *_ = desk.people
    tasks = {each["customer_id"]: each for each in await desk.tasks()}
    task = tasks[str(loser.customer_id)]
    next_at = (clock.now() + timedelta(days=2)).isoformat()
    call_back = {"disposition": "call_back", "minutes": 3, "next_at": next_at}
    await desk.record(tasks[str(survivor.customer_id)]["id"], call_back)
    before = await desk.record(task["id"], call_back)
    lines = await desk.ledger(campaign_id)
    told = merged(survivor, loser)
    await desk.tell(*told)
    line = (await desk.ledger(campaign_id))[loser.customer_id]
    assert (line["state"], line["reason"]) == ("expired", "merged")
    ledger = (await desk.balanced(campaign_id))["ledger"]
    assert (ledger["audience"], ledger["open"], ledger["expired"], ledger["suppressed"]) == (6, 5, 1, {})
    shown = [each["state"] for each in await desk.tasks(customer_id=str(survivor.customer_id))]
    assert sorted(shown) == ["call_back", "expired"]
    # Told twice, nothing more happens.
    await desk.tell(told[0])
    await desk.tell(*unmerged(told, loser))
    await desk.balanced(campaign_id)
    assert but_versions(await desk.ledger(campaign_id)) == but_versions(lines)
    after = next(each for each in await desk.tasks() if each["id"] == task["id"])
    assert {**after, "version": 0} == {**before, "version": 0}
    states = [
        each.split(b'"state":"')[1].split(b'"')[0] for each in await desk.outbox(ContactRecorded, task["id"])
    ]
    assert states == [b"call_back", b"expired", b"call_back"]
    done = {"disposition": "refused", "minutes": 1}
    assert (await desk.record(task["id"], done))["state"] == "done"


async def test_whoever_was_contacted_by_another_file_is_not_contacted_again(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    survivor, loser, *_ = desk.people
    task = next(each for each in await desk.tasks() if each["customer_id"] == str(loser.customer_id))
    await desk.record(task["id"], {"disposition": "no_answer", "minutes": 1})
    told = merged(survivor, loser)
    await desk.tell(*told)
    lines = await desk.ledger(campaign_id)
    assert (lines[survivor.customer_id]["state"], lines[survivor.customer_id]["reason"]) == (
        "expired",
        "merged",
    )
    assert lines[loser.customer_id]["state"] == "done"
    await desk.tell(*unmerged(told, loser))
    assert (await desk.ledger(campaign_id))[survivor.customer_id]["state"] == "assigned"
    await desk.balanced(campaign_id)


@pytest.mark.parametrize("handed_on", [False, True])
async def test_whoever_may_have_been_called_by_another_file_is_not_called_again(
    desk: Desk, *, handed_on: bool
) -> None:
    """Nothing was recorded yet of the call that began; it is somebody else's by now, or not."""
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    survivor, loser, *_ = desk.people
    task = next(each for each in await desk.tasks() if each["customer_id"] == str(loser.customer_id))
    await desk.post(f"/v1/tasks/{task['id']}:start", {})
    if handed_on:
        await desk.post(f"/v1/tasks/{task['id']}:return", {"reason": "ill"})
    await desk.tell(*merged(survivor, loser))
    lines = await desk.ledger(campaign_id)
    found = {
        lines[each.customer_id]["state"]: lines[each.customer_id]["reason"] for each in (survivor, loser)
    }
    assert found == {"expired": "merged", "assigned": None}
    assert lines[loser.customer_id]["state"] == "assigned"


async def test_the_task_of_a_merged_customer_opens_the_survivors_file(desk: Desk) -> None:
    survivor = somebody(9, org=PUDONG, primary_manager="A", backup_manager="B")
    await desk.bank.add_customers([survivor])
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    loser = desk.people[0]
    await desk.tell(*merged(survivor, loser))
    (task,) = await desk.tasks(customer_id=str(survivor.customer_id))
    assert (task["customer_id"], task["state"]) == (str(survivor.customer_id), "assigned")
    recorded = await desk.record(task["id"], {"disposition": "refused", "minutes": 1})
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
    await desk.record(tasks[str(loser.customer_id)], body)
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


async def test_a_merge_heard_after_all_states_leaves_nothing_when_undone(desk: Desk) -> None:
    survivor, loser, *_ = desk.people
    told = merged(survivor, loser)
    back = unmerged(told, loser)
    await desk.tell(told[1], back[1])
    await desk.tell(told[0], back[0])
    async with desk.bank.campaign.runtime.db.transaction() as session:
        known = await session.get_one(Customer, loser.customer_id)
        assert (known.merged_into, known.status) == (None, "active")


async def test_the_erased_are_forgotten_and_the_books_keep_their_counts(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    person, twin, *_ = desk.people
    tasks = {each["customer_id"]: each["id"] for each in await desk.tasks()}
    next_at = (clock.now() + timedelta(days=2)).isoformat()
    noted = {"disposition": "call_back", "minutes": 3, "next_at": next_at, "note": "daughter studies abroad"}
    await desk.record(tasks[str(person.customer_id)], noted)
    async with desk.bank.strategist() as author:
        body = {"customer_id": str(twin.customer_id), "channel": "sms", "reason": "lives at the lake"}
        headers = {"Idempotency-Key": str(new_id())}
        assert (await author.post("/v1/suppressions", json=body, headers=headers)).status_code == 201
    await desk.tell(*merged(person, twin))
    receipt = new_id()
    erased = CustomerErased(
        receipt_id=receipt, customers=[ref(person), ref(twin)], erased_at=datetime.now(UTC)
    )
    await desk.tell(erased)
    progress = await desk.balanced(campaign_id)
    assert (progress["ledger"]["audience"], progress["ledger"]["open"]) == (6, 4)
    assert progress["minutes"] == "3.00"
    line = (await desk.ledger(campaign_id))[person.customer_id]
    assert (line["state"], line["reason"], line["disposition"]) == ("expired", "erased", "call_back")
    (confirmed,) = await desk.outbox(CampaignErasureConfirmed, str(receipt))
    assert b'"rows":0' not in confirmed
    (detail,) = await desk.audited("forget_customers")
    assert f'"rows":{detail["rows"]}'.encode() in confirmed
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
    await desk.bank.campaign.heard("campaign__segments")
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
    await desk.record(task["id"], {"disposition": "refused", "minutes": 1, "note": "no"})
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
