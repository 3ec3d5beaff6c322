"""Activity targets, and attainment counted from what was recorded."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.campaign.domain.activity import attained, days_of
from shared import clock
from shared.auth import Role
from shared.contracts.campaign.activity_targets import ActivityPeriod
from tests.campaign.board import Board, a_month, board
from tests.campaign.desk import EVERYBODY, PUDONG, desk, merged

__all__ = ["board", "desk"]


@pytest.mark.parametrize(
    ("period", "on", "days"),
    [
        ("day", date(2026, 11, 22), (date(2026, 11, 22), date(2026, 11, 22))),
        ("week", date(2026, 11, 22), (date(2026, 11, 16), date(2026, 11, 22))),
        ("week", date(2026, 11, 23), (date(2026, 11, 23), date(2026, 11, 29))),
        ("month", date(2028, 2, 10), (date(2028, 2, 1), date(2028, 2, 29))),
        ("month", date(2026, 12, 31), (date(2026, 12, 1), date(2026, 12, 31))),
    ],
)
def test_periods(period: ActivityPeriod, on: date, days: tuple[date, date]) -> None:
    assert days_of(period, on) == days


def test_attainment_needs_a_target() -> None:
    assert [attained("calls", 3, target).attainment for target in (4, None, 0)] == [0.75, None, None]


def counts(item: dict[str, Any]) -> list[int]:
    return [each["done"] for each in item["activities"]]


async def test_what_was_done_is_counted_once_and_beside_its_target(board: Board) -> None:
    """A calls four, two of them one person with figures of last month, and one in vain; A and B visit the same
    new customer; B opens an opportunity.
    """
    desk, people = board.desk, board.desk.people
    last_month = (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)
    await board.store(a_month(people[0], people[0], last_month, "5.00"))
    await desk.bank.launched(scheme=EVERYBODY)
    tasks = {task["customer_id"]: task["id"] for task in await desk.tasks()}
    await desk.post(f"/v1/tasks/{tasks[str(people[5].customer_id)]}:accept", {})
    said = ("refused", "refused", "interested", "no_answer")
    for person, disposition in zip(people, said, strict=False):
        await desk.record(tasks[str(person.customer_id)], {"disposition": disposition, "minutes": 1})
    await desk.tell(*merged(people[0], people[1]))
    for who in ("A", "B"):
        visit = {"customer_id": str(people[4].customer_id), "at": clock.now().isoformat(), "purpose": "Talk"}
        planned = (await board.call(who, "POST", "/visits", visit)).json()
        record = {"minutes": 5, "result": "Well"}
        made = await board.call(who, "POST", f"/visits/{planned['id']}:record", record, version=1)
        assert made.status_code == 200, made.text
    await board.opened(4, who="B")

    begins = (clock.today() - timedelta(days=9)).isoformat()
    of_a = {"org": PUDONG, "manager": "A", "period": "day", "valid_from": begins, "calls": 5}
    target = await board.call("HEAD", "POST", "/activity-targets", of_a)
    assert target.status_code == 201, target.text
    for body, status in (
        (of_a, 409),
        ({**of_a, "manager": "NOBODY"}, 422),
        ({**of_a, "org": "hq.sh"}, 403),
        ({**of_a, "calls": None}, 422),
        ({**of_a, "calls": -1}, 422),
    ):
        assert (await board.call("HEAD", "POST", "/activity-targets", body)).status_code == status
    assert (await board.call("A", "POST", "/activity-targets", of_a)).status_code == 403
    whole = {**of_a, "manager": None, "calls": None, "visits": 4}
    assert (await board.call("HEAD", "POST", "/activity-targets", whole)).status_code == 201
    later = {**of_a, "valid_from": (clock.today() + timedelta(days=1)).isoformat(), "calls": 9}
    assert (await board.call("HEAD", "POST", "/activity-targets", later)).status_code == 201
    path = f"/activity-targets/{target.json()['id']}"
    changed = await board.call("HEAD", "PATCH", path, {"calls": 8, "new_customers": 2}, version=1)
    assert changed.json()["version"] == 2, changed.text
    assert (await board.call("HEAD", "PATCH", path, {}, version=1)).status_code == 412
    assert (await board.call("A", "GET", path)).status_code == 200
    assert (await board.call("B", "GET", path)).status_code == 404
    mine = (await board.call("A", "GET", "/activity-targets")).json()["items"]
    assert [each["calls"] for each in mine] == [9, 8]

    shown = (await board.call("HEAD", "GET", "/activity-attainment")).json()
    all_of, a, b = shown["items"]
    # Calls, visits, new and existing customers, opportunities.
    assert (all_of["manager"], counts(all_of)) == (None, [4, 2, 2, 1, 1])
    assert (a["manager"], counts(a)) == ("A", [4, 1, 2, 1, 0])
    assert (b["manager"], counts(b)) == ("B", [0, 1, 1, 0, 1])
    assert [each["target"] for each in a["activities"]] == [8, None, 2, None, None]
    assert (a["activities"][0]["attainment"], all_of["activities"][1]["attainment"]) == (0.5, 0.5)
    own = (await board.call("A", "GET", "/activity-attainment?period=month")).json()
    assert [each["manager"] for each in own["items"]] == ["A"]
    assert own["items"][0]["activities"][0]["target"] is None
    assert (await board.call("J", "GET", f"/activity-attainment?org={PUDONG}")).json()["items"] == []
    yesterday = (clock.today() - timedelta(days=1)).isoformat()
    before = (await board.call("S1", "GET", f"/activity-attainment?on={yesterday}")).json()["items"]
    assert [counts(each) for each in before] == [[0] * 5] * 2
    assert (await board.call("S1", "GET", "/activity-attainment?on=0001-01-01")).status_code == 400
    await every_unit_is_told(board)


async def every_unit_is_told(board: Board) -> None:
    """To whoever compares them, branches with what lies deeper, managers by branch."""
    path, org = "/v1/activity-attainment", PUDONG.rpartition(".")[0]
    async with board.desk.bank.client(Role.integrator) as system:
        branches, above, staff = [
            (await system.get(f"{path}/{unit}", params={"period": "day", "org": org, **more})).json()
            for unit, more in (("branch", {}), ("branch", {"depth": 1}), ("staff", {}))
        ]
        assert (await system.get(f"{path}/teller")).status_code == 422
        assert (await system.get(f"{path}/staff", params={"on": "0001-01-01"})).status_code == 400
    (whole,) = (each for each in branches["items"] if each["org"] == PUDONG)
    assert (whole["manager"], counts(whole)) == (None, [4, 2, 2, 1, 1])
    assert [each["target"] for each in whole["activities"]] == [None, 4, None, None, None]
    (deeper,) = above["items"]
    assert (deeper["org"], counts(deeper)) == (org, counts(whole))
    assert deeper["activities"][1]["target"] is None
    of = {each["manager"]: each for each in staff["items"]}
    assert (counts(of["A"]), counts(of["B"])) == ([4, 1, 2, 1, 0], [0, 1, 1, 0, 1])
    assert (of["A"]["org"], of["A"]["activities"][0]["target"]) == (PUDONG, 8)
    assert (await board.call("A", "GET", "/activity-attainment/staff")).status_code == 403
