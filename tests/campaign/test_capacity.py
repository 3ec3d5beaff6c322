"""A manager's days are filled as far as they go, and what is late is told."""

from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from services.campaign.models import Campaign, Task
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.escalation import escalate_overdue
from services.campaign.usecases.launch import launch
from shared import clock
from shared.auth import Role
from tests.campaign.conftest import SEGMENT, Bank
from tests.campaign.desk import EVERYBODY, JINGAN, PUDONG, somebody

WORKS = CampaignSettings().office_hours.works


def _days(length: int) -> list[date]:
    """So many working days from today on."""
    days = (clock.today() + timedelta(days=offset) for offset in range(60))
    return [day for day in days if WORKS(day)][:length]


def _until(day: date) -> dict[str, str]:
    return {"start": clock.today().isoformat(), "end": day.isoformat()}


async def _staffed(bank: Bank, **customers: int) -> None:
    people = [
        somebody(number, org=PUDONG, primary_manager=manager, backup_manager=None)
        for manager, count in customers.items()
        for number in range(count)
    ]
    await bank.add_customers(people)
    await bank.add_segment(SEGMENT, [state.customer_id for state in people])


async def _set_capacity(bank: Bank, manager: str, minutes: int, version: int = 0) -> Any:
    async with bank.client(Role.branch_head, org=PUDONG, staff="H1") as head:
        headers = {"If-Match": f'"v{version}"'}
        return await head.put(
            f"/v1/managers/{manager}/capacity", json={"minutes_per_day": minutes}, headers=headers
        )


async def _planned(bank: Bank, campaign_id: str) -> dict[str, Counter[date]]:
    tasks = await bank.all_of("/v1/tasks", campaign_id=campaign_id)
    planned: dict[str, Counter[date]] = {}
    for task in tasks:
        if not task["beyond_capacity"]:
            planned.setdefault(task["manager"], Counter())[date.fromisoformat(task["due_on"])] += 1
    return planned


async def _try_to_set_capacity(bank: Bank) -> None:
    """As somebody else, at another version, of somebody unknown."""
    path = "/v1/managers/P/capacity"
    async with bank.manager("P", PUDONG) as manager:
        shown = await manager.get(path)
        assert (shown.json()["minutes_per_day"], shown.json()["own"]) == (60, False)
        assert shown.headers["etag"] == '"v0"'
        refused = await manager.put(path, json={"minutes_per_day": 5}, headers={"If-Match": '"v0"'})
        assert refused.status_code == 403
    assert (await _set_capacity(bank, "P", 30)).json()["version"] == 1
    assert (await _set_capacity(bank, "P", 20)).status_code == 412
    assert (await _set_capacity(bank, "nobody", 20)).status_code == 404
    async with bank.client(Role.branch_head, org=JINGAN, staff="H2") as stranger:
        answer = await stranger.put(path, json={"minutes_per_day": 5}, headers={"If-Match": '"v2"'})
        assert answer.status_code == 404
        # Also who looks after some of their customers does not say it over the manager's own branch.
        await bank.add_customers([somebody(1, org=JINGAN, primary_manager="P", backup_manager=None)])
        answer = await stranger.put(path, json={"minutes_per_day": 5}, headers={"If-Match": '"v0"'})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/set-elsewhere")


async def test_days_are_filled_over_campaigns_and_what_does_not_fit_is_told(empty_bank: Bank) -> None:
    """Calls take six minutes: P has room for two a day, Q for ten, as the settings say."""
    bank, days = empty_bank, _days(3)
    await _staffed(bank, P=7, Q=7)
    await _try_to_set_capacity(bank)
    assert (await _set_capacity(bank, "P", 13, version=1)).json()["minutes_per_day"] == 13
    first = await bank.approved(scheme=EVERYBODY, schedule=_until(days[-1]))
    async with bank.strategist() as author:
        simulated = (await author.post(f"/v1/campaigns/{first}:simulate")).json()
    assert (simulated["beyond_capacity"], simulated["managers"]) == (1, 2)
    first = await bank.launched(scheme=EVERYBODY, schedule=_until(days[-1]))
    assert await _planned(bank, first) == {
        "P": Counter({days[0]: 2, days[1]: 2, days[2]: 2}),
        "Q": Counter({days[0]: 7}),
    }
    late = await bank.all_of("/v1/tasks", beyond_capacity="true")
    assert [(task["manager"], task["due_on"]) for task in late] == [("P", days[-1].isoformat())]
    # The next campaign sees what is planned already; wave by wave it is counted anew.
    second = await bank.launched(scheme=EVERYBODY, schedule=_until(_days(5)[-1]))
    planned = await _planned(bank, second)
    assert planned["Q"] == Counter({days[0]: 3, days[1]: 4})
    assert planned["P"] == Counter({_days(5)[3]: 2, _days(5)[4]: 2})
    async with bank.client(Role.branch_head, org=PUDONG, staff="H1") as head:
        load = {each["manager"]: each for each in (await head.get("/v1/workload")).json()["items"]}
    assert (load["P"]["open"], load["P"]["beyond_capacity"], load["P"]["minutes_per_day"]) == (14, 4, 13)
    assert (load["Q"]["open"], load["Q"]["overdue"], load["Q"]["minutes_per_day"]) == (14, 0, 60)


async def test_parts_of_a_release_share_the_days(empty_bank: Bank) -> None:
    """A chunk of two customers each: together they fill the days as one would."""
    bank, days = empty_bank, _days(3)
    await _staffed(bank, P=7)
    await _set_capacity(bank, "P", 18)
    campaign_id = await bank.approved(scheme=EVERYBODY, schedule=_until(_days(20)[-1]))
    db = bank.campaign.runtime.db
    # Launched by hand, so that no job of the running service takes part.
    async with db.transaction() as session:
        (await session.get_one(Campaign, campaign_id)).status = "launching"

    async def silent(_fraction: float, _step: str) -> None: ...

    outcome = await launch(db, CampaignSettings(launch_chunk=2), UUID(campaign_id), silent)
    assert outcome == {"status": "running", "audience": 7, "beyond_capacity": 0}
    assert await _planned(bank, campaign_id) == {"P": Counter({days[0]: 3, days[1]: 3, days[2]: 1})}


async def test_what_is_overdue_is_shown_and_escalated_once(empty_bank: Bank) -> None:
    bank = empty_bank
    await _staffed(bank, P=3)
    responsibility = {"accountable": "S1", "escalate_after_days": 2}
    campaign_id = await bank.launched(scheme=EVERYBODY, responsibility=responsibility)
    tasks = await bank.all_of("/v1/tasks")
    db, today = bank.campaign.runtime.db, clock.today()
    for task, days in zip(tasks, (0, 2, 3), strict=True):
        async with db.transaction() as session:
            due = today - timedelta(days=days)
            await session.execute(update(Task).where(Task.id == task["id"]).values(due_on=due))
    async with db.transaction() as session:
        assert await escalate_overdue(session) == 1
        assert await escalate_overdue(session) == 0
    overdue = await bank.all_of("/v1/tasks", overdue="true")
    assert [task["id"] for task in overdue] == [tasks[2]["id"], tasks[1]["id"]]
    escalated = await bank.all_of("/v1/tasks", escalated="true")
    assert [(task["id"], task["version"]) for task in escalated] == [(tasks[2]["id"], 1)]
    load = (await bank.get("/v1/workload"))["items"]
    assert [(each["overdue"], each["escalated"], each["due_today"]) for each in load] == [(2, 1, 1)]
    view = await bank.get(f"/v1/campaigns/{campaign_id}")
    assert view["responsibility"]["escalate_after_days"] == 2
