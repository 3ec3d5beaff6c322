"""Who is away hands tasks over and gets back what nobody has touched."""

from datetime import timedelta
from typing import Any

from services.campaign.models import Absence
from services.campaign.usecases.absences import follow_absences
from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomersChanged
from tests.campaign.conftest import SEGMENT, Bank
from tests.campaign.desk import AB, EVERYBODY, JINGAN, PUDONG, Desk, desk, moved, somebody
from tests.support import eventually

__all__ = ["desk"]


def away(days: int = 30, start: int = 0, **more: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "starts_on": (today + timedelta(days=start)).isoformat(),
        "ends_on": (today + timedelta(days=start + days)).isoformat(),
        **more,
    }


IMPOSSIBLE = [
    (away(-1), "/ends_on"),
    (away(-5, start=2), "/ends_on"),
    (away(9_000), "/ends_on"),
    (away(substitute="A"), "/substitute"),
    (away(substitute="Z"), "/substitute"),
]


async def _enter(bank: Bank, body: dict[str, Any], code: str = "A") -> dict[str, Any]:
    async with bank.manager(code, PUDONG) as manager:
        answer = await manager.post("/v1/absences", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def _reassign(bank: Bank, absence: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    async with bank.client(Role.branch_head, org=PUDONG, staff="H1") as head:
        answer = await head.post(f"/v1/absences/{absence['id']}:reassign", json={"dry_run": dry_run})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _shown(bank: Bank, absence: dict[str, Any]) -> dict[str, Any]:
    async with bank.client(Role.branch_head, org=PUDONG, staff="H1") as head:
        return dict((await head.get(f"/v1/absences/{absence['id']}")).json())


async def _cancel(bank: Bank, absence: dict[str, Any], code: str = "A") -> None:
    async with bank.manager(code, PUDONG) as manager:
        headers = {"If-Match": f'"v{absence["version"]}"'}
        answer = await manager.post(f"/v1/absences/{absence['id']}:cancel", headers=headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled"), answer.text


async def test_open_tasks_move_in_one_step_and_come_back_untouched(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    first, second, *_ = await desk.tasks()
    await desk.post(f"/v1/tasks/{first['id']}:start", {})
    next_at = (clock.now() + timedelta(days=2)).isoformat()
    await desk.record(second["id"], {"disposition": "call_back", "minutes": 3, "next_at": next_at})
    lines = await desk.ledger(campaign_id)
    absence = await _enter(desk.bank, away(60))
    assert (absence["state"], absence["due"], absence["moved"]) == ("now", 6, 0)
    counted = await _reassign(desk.bank, absence, dry_run=True)
    assert counted == {
        "dry_run": True,
        "tasks": 6,
        "moved": [{"manager": "B", "tasks": 6}],
        "returned": 0,
    }
    assert len(await desk.tasks()) == 6
    assert await _reassign(desk.bank, absence, dry_run=False) == {**counted, "dry_run": False}
    assert await desk.tasks() == []
    taken = {task["id"]: task for task in await desk.tasks("B")}
    assert taken[first["id"]]["state"] == "assigned"
    assert (taken[second["id"]]["state"], taken[second["id"]]["next_at"] is None) == ("call_back", False)
    assert {line["manager"] for line in (await desk.ledger(campaign_id)).values()} == {"B"}
    # One is worked on meanwhile: it stays.
    touched = next(task for task in taken if task not in {first["id"], second["id"]})
    await desk.post(f"/v1/tasks/{touched}:accept", {}, "B")
    await _cancel(desk.bank, absence)
    assert [task["id"] for task in await desk.tasks("B")] == [touched]
    back = {task["id"]: task["state"] for task in await desk.tasks()}
    assert (len(back), back[first["id"]], back[second["id"]]) == (5, "accepted", "call_back")
    after = await desk.ledger(campaign_id)
    assert sum(line["manager"] == "A" for line in after.values()) == 5
    assert after.keys() == lines.keys()
    await desk.balanced(campaign_id)
    assert [entry["tasks"] for entry in await desk.audited("reassign_tasks")] == [6]
    assert [entry["tasks"] for entry in await desk.audited("cancel_absence")] == [5]


async def test_tasks_go_back_when_it_is_over_and_only_to_who_still_looks_after_the_customer(
    desk: Desk,
) -> None:
    await desk.bank.launched(scheme=EVERYBODY)
    # A and B are away, nobody else looks after these customers: the branch head gets them.
    other, absence = await _enter(desk.bank, away(60), "B"), await _enter(desk.bank, away(60))
    outcome = await _reassign(desk.bank, absence, dry_run=False)
    assert (outcome["moved"], outcome["returned"]) == ([], 6)
    assert {task["state"] for task in await desk.tasks()} == {"returned"}
    await _cancel(desk.bank, absence)
    await _cancel(desk.bank, other, "B")
    assert {task["state"] for task in await desk.tasks()} == {"assigned"}

    # One that has passed gives back by itself.
    absence = await _enter(desk.bank, away(60, substitute="B"))
    await _reassign(desk.bank, absence, dry_run=False)
    assert await desk.tasks() == []
    db = desk.bank.campaign.runtime.db
    async with db.transaction() as session:
        stored = await session.get_one(Absence, absence["id"])
        stored.starts_on = clock.today() - timedelta(days=9)
        stored.ends_on = clock.today() - timedelta(days=1)
    async with db.transaction() as session:
        await follow_absences(session)

    async def back() -> bool:
        return len(await desk.tasks()) == 6

    await eventually(back, what="the end of the absence")
    async with desk.bank.manager("A", PUDONG) as manager:
        shown = (await manager.get(f"/v1/absences/{absence['id']}")).json()
        assert (shown["state"], shown["moved"]) == ("over", 0)
        headers = {"If-Match": f'"v{shown["version"]}"'}
        late = await manager.post(f"/v1/absences/{absence['id']}:cancel", headers=headers)
        assert (late.status_code, late.json()["type"]) == (409, "/problems/absence-over")

    # Meanwhile C has taken A's customers over.
    absence = await _enter(desk.bank, away(60))
    await _reassign(desk.bank, absence, dry_run=False)
    after = {"primary_manager": "C", "backup_manager": "B"}
    changed = [each.model_copy(update={"version": 9, **after}) for each in desk.people]
    await desk.tell(moved(desk.people, "assignment", AB, after), CustomersChanged(customers=changed))
    await _cancel(desk.bank, absence)
    assert await desk.tasks() == []
    assert len(await desk.tasks("B")) == 6


async def test_planning_gives_the_work_to_whoever_is_there(empty_bank: Bank) -> None:
    """Of each pair: primary there; away with a substitute; away with a backup, twice; everybody away; away
    briefly. What nobody has touched goes back with the absence.
    """
    pairs = [("A", "B"), ("S", "B"), ("N", "B"), ("N", "B"), ("X", "Y"), ("K", "B")]
    people = [
        somebody(number, org=PUDONG, primary_manager=pair[0], backup_manager=pair[1])
        for number, pair in enumerate(pairs)
    ]
    await empty_bank.add_customers(people)
    await empty_bank.add_segment(SEGMENT, [state.customer_id for state in people])
    absences = {"S": await _enter(empty_bank, away(60, substitute="A"), "S")}
    for code in ("N", "X", "Y"):
        absences[code] = await _enter(empty_bank, away(60), code)
    await _enter(empty_bank, away(2), "K")
    campaign_id = await empty_bank.approved(scheme=EVERYBODY)
    async with empty_bank.strategist() as author:
        simulated = (await author.post(f"/v1/campaigns/{campaign_id}:simulate")).json()
    assert (simulated["away"], simulated["nobody_there"]) == (4, 1)
    assert simulated["suppressed"] == {}
    await empty_bank.launched(scheme=EVERYBODY)
    tasks = await empty_bank.all_of("/v1/tasks")
    whose = {task["customer_id"]: (task["manager"], task["state"]) for task in tasks}
    assert [whose[str(state.customer_id)] for state in people] == [
        ("A", "assigned"),
        ("A", "assigned"),
        ("B", "assigned"),
        ("B", "assigned"),
        ("X", "returned"),
        ("K", "assigned"),
    ]
    briefly = next(task for task in tasks if task["manager"] == "K")
    assert briefly["due_on"] > (clock.today() + timedelta(days=2)).isoformat()

    touched = next(task for task in tasks if task["customer_id"] == str(people[2].customer_id))
    async with empty_bank.manager("B", PUDONG) as manager:
        assert (await manager.post(f"/v1/tasks/{touched['id']}:accept")).status_code == 200
    assert [(await _shown(empty_bank, absences[code]))["moved"] for code in "SNXY"] == [1, 1, 1, 0]
    for code in "SNX":
        await _cancel(empty_bank, absences[code], code)
    tasks = await empty_bank.all_of("/v1/tasks")
    whose = {task["customer_id"]: (task["manager"], task["state"]) for task in tasks}
    assert [whose[str(state.customer_id)] for state in people[1:5]] == [
        ("S", "assigned"),
        ("B", "accepted"),
        ("N", "assigned"),
        ("X", "assigned"),
    ]


async def test_absences_are_the_managers_own_or_of_the_branch(desk: Desk) -> None:
    async with desk.bank.manager("A", PUDONG) as manager:
        for body, pointer in IMPOSSIBLE:
            answer = await manager.post("/v1/absences", json=body)
            assert answer.status_code == 422, answer.text
            assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    absence = await _enter(desk.bank, away(5, start=3))
    path = f"/v1/absences/{absence['id']}"
    assert absence["state"] == "coming"
    later = {"ends_on": (clock.today() + timedelta(days=20)).isoformat()}
    async with desk.bank.manager("B", PUDONG) as other:
        assert (await other.post("/v1/absences", json=away(manager="A"))).status_code == 403
        assert (await other.get(path)).status_code == 404
        assert (await other.patch(path, json=later, headers={"If-Match": '"v1"'})).status_code == 404
        assert (await other.get("/v1/absences")).json()["items"] == []
    async with desk.bank.client(Role.manager, org=PUDONG) as nobody:
        assert (await nobody.get("/v1/absences")).json()["items"] == []
        assert (await nobody.get(path)).status_code == 404
    async with desk.bank.client(Role.branch_head, org=JINGAN, staff="H2") as stranger:
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(f"{path}:reassign", json={})).status_code == 404
        assert (await stranger.post("/v1/absences", json=away(manager="A"))).status_code == 422
    async with desk.bank.client(Role.branch_head, org=PUDONG, staff="H1") as head:
        twice = await head.post("/v1/absences", json=away(manager="A"))
        assert (twice.status_code, twice.json()["type"]) == (409, "/problems/absence-overlaps")
        assert (await head.patch(path, json=later)).status_code == 428
        assert (
            await head.patch(path, json={"ends_on": None}, headers={"If-Match": '"v1"'})
        ).status_code == 422
        changed = await head.patch(path, json=later, headers={"If-Match": '"v1"'})
        assert (changed.status_code, changed.json()["ends_on"]) == (200, later["ends_on"])
        assert (await head.patch(path, json=later, headers={"If-Match": '"v1"'})).status_code == 412
        listed = (await head.get("/v1/absences?manager=A&to_come=true")).json()["items"]
        assert [(each["id"], each["version"]) for each in listed] == [(absence["id"], 2)]
