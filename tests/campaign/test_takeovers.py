"""Open tasks follow their customers to new owners and come back, over the real broker."""

from datetime import timedelta

import pytest

from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    CustomersChanged,
    HandoverCompleted,
)
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT
from tests.campaign.desk import (
    AB,
    BC,
    EVERYBODY,
    JINGAN,
    PUDONG,
    Desk,
    but_versions,
    desk,
    merged,
    moved,
    somebody,
    unmerged,
)

__all__ = ["desk"]


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
    await desk.record(waiting, {"disposition": "call_back", "minutes": 1, "next_at": next_at})
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
    assert [each["moved"] for each in await desk.audited("move_tasks")] == [5, 5]
    # What was left untouched stands where it stood; what B had taken on, A has to take on again.
    assert [back[each]["state"] for each in (accepted, begun, waiting)] == [
        "accepted",
        "assigned",
        "call_back",
    ]
    await desk.balanced(campaign_id)


async def test_what_began_is_begun_again_when_it_comes_back(desk: Desk) -> None:
    """Handed over and back, or withdrawn and brought back: meanwhile a rule may have come to refuse it."""
    await desk.bank.launched(scheme=EVERYBODY)
    away = {"org": "hq.bj.haidian", "primary_manager": "X", "backup_manager": None}
    handed, gone, *_ = desk.people
    tasks = {each["customer_id"]: each["id"] for each in await desk.tasks()}
    begun = [tasks[str(each.customer_id)] for each in (handed, gone)]
    for task in begun:
        await desk.post(f"/v1/tasks/{task}:start", {})
    await desk.tell(moved([handed], "handover", AB, BC), moved([gone], "assignment", AB, away))
    await desk.tell(moved([handed], "handover_undone", BC, AB), moved([gone], "assignment", away, AB))
    states = {each["id"]: each["state"] for each in await desk.tasks()}
    assert [states[task] for task in begun] == ["accepted", "accepted"]


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
        assert but_versions(await desk.ledger(campaign_id)) == but_versions(lines)
        (after,) = [each for each in await desk.tasks() if each["id"] == task["id"]]
        assert {**after, "version": 0} == {**before, "version": 0}
        await desk.balanced(campaign_id)


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
    assert (await desk.record(task["id"], done, "N", JINGAN))["state"] == "done"


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
