"""Journeys on real servers: what follows a first contact, by every kind of step."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update

from services.campaign.domain.journeys import contradictions
from services.campaign.models import Campaign, JourneyRun, Task
from services.campaign.usecases.draining import follow_draining
from shared import clock
from shared.contracts.campaign import CampaignContent
from tests.campaign.conftest import SEGMENT, campaign_body
from tests.campaign.desk import merged, somebody
from tests.campaign.road import BOUGHT, CALL, after, set_out
from tests.campaign.town import Town, town
from tests.support import eventually

__all__ = ["town"]


async def test_from_step_to_step(town: Town) -> None:
    road = await set_out(
        town,
        {"key": "rest", "kind": "wait", "minutes": 60, "next": "which"},
        {
            "key": "which",
            "kind": "branch",
            "cases": [{"outcomes": ["no_answer"], "next": "again"}],
            "otherwise": None,
        },
        {"key": "again", **CALL},
    )
    assert await road.where() == {}
    await road.worked("no_answer", 0, 1)
    await road.worked("refused", 2)
    await road.worked("accepted", 3)
    await road.go_on()
    waiting = ("rest", "waiting")
    assert await road.where() == {0: waiting, 1: waiting, 2: waiting, 3: ("rest", "converted")}
    await road.time_passes(59)
    await road.go_on()
    assert (await road.where())[0] == waiting
    await road.time_passes(1)
    await road.go_on()
    again = ("again", "contacting")
    assert await road.where() == {0: again, 1: again, 2: ("which", "finished"), 3: ("rest", "converted")}
    assert await road.lines() == {"first": Counter(done=4, assigned=2), "again": Counter(assigned=2)}
    told = await town.told()
    assert len(told) == len(set(told)) == 8
    # The second call is a task like any other, with the script of its step.
    await road.worked("no_answer", 0)
    await road.go_on()
    assert (await road.where())[0] == ("again", "finished")
    progress = await road.progress()
    assert progress["running"] == 1
    assert progress["endings"] == {"finished": 2, "converted": 1}
    steps = {each["step"]: each for each in progress["steps"]}
    assert [steps[key]["reached"] for key in ("rest", "which", "again")] == [4, 3, 2]
    assert (steps["again"]["contacts"], steps["again"]["outcomes"]) == (2, {"no_answer": 1})
    # The books are those of first contacts, and do not close before the last journey has ended.
    books = await town.bank.get(f"/v1/campaigns/{road.campaign_id}/progress")
    assert (books["balanced"], books["ledger"]["assigned"], books["ledger"]["follow_ups"]) == (True, 6, 2)
    async with town.bank.strategist() as author:
        refused = await author.post(f"/v1/campaigns/{road.campaign_id}:complete", json={})
        assert refused.status_code == 409
        assert "1 customers are still on their journey" in refused.json()["detail"]
        closed = await author.post(f"/v1/campaigns/{road.campaign_id}:complete", json={"expire_open": True})
        assert closed.status_code == 200, closed.text
    assert (await road.where())[1] == ("again", "stopped")


async def test_a_rule_that_forbids_leads_elsewhere(town: Town) -> None:
    """The policy is asked again at every contact; whom it forbids has a line that says why."""
    road = await set_out(
        town,
        {"key": "pause", "kind": "wait", "minutes": 60, "next": "again"},
        {"key": "again", **CALL, "next": None, "otherwise": "rest"},
        {"key": "rest", "kind": "wait", "minutes": 5, "next": None},
    )
    await road.worked("no_answer", 0, 1)
    await road.go_on()
    async with town.bank.strategist() as author:
        body = {"customer_id": str(town.ids[0])}
        assert (await author.post("/v1/suppressions", json=body)).status_code == 201
    await road.time_passes(60)
    await road.go_on()
    assert await road.where() == {0: ("rest", "waiting"), 1: ("again", "contacting")}
    assert (await road.lines())["again"] == Counter(do_not_contact=1, assigned=1)
    again = next(each for each in (await road.progress())["steps"] if each["step"] == "again")
    assert (again["refused"], again["contacts"]) == ({"do_not_contact": 1}, 1)
    # Nor may an open one begin for whoever asked to be left alone since.
    async with town.bank.strategist() as author:
        body = {"customer_id": str(town.ids[1])}
        assert (await author.post("/v1/suppressions", json=body)).status_code == 201
    await road.go_on()
    assert (await road.where())[1] == ("rest", "waiting")


async def test_the_cap_counts_contacts_of_journeys(town: Town) -> None:
    async with town.bank.strategist() as author:
        written = await author.post(
            "/v1/contact-policies",
            json={
                "key": "twice",
                "name": {"zh": "两次", "en": "Twice"},
                "cap": {"contacts": 2, "days": 30},
                "cool_down_days": 0,
            },
        )
        assert written.status_code == 201, written.text
    road = await set_out(
        town,
        {"key": "second", **CALL, "next": "third", "otherwise": None},
        {"key": "third", **CALL},
        scheme_changes={"contact_policy": "twice"},
    )
    await road.worked("no_answer", 0)
    await road.go_on()
    await road.worked("no_answer", 0)
    await road.go_on()
    assert await road.where() == {0: ("third", "finished")}
    assert (await road.lines())["third"] == Counter(cap=1)


async def test_until_a_segment_says_so(town: Town) -> None:
    await town.bank.add_segment(BOUGHT, [])
    until = {"key": "until", "kind": "until", "segment": BOUGHT, "minutes": 600}
    road = await set_out(town, {**until, "next": "thanks", "otherwise": None}, {"key": "thanks", **CALL})
    await road.worked("interested", 0, 1)
    await road.go_on()
    assert await road.where() == {0: ("until", "waiting"), 1: ("until", "waiting")}
    await town.tell(town.change([town.ids[0]], key=BOUGHT))
    await road.go_on()
    assert await road.where() == {0: ("thanks", "contacting"), 1: ("until", "waiting")}
    await road.time_passes(600)
    await road.go_on()
    assert (await road.where())[1] == ("until", "finished")


async def test_nobody_is_bothered_who_has_what_was_offered(town: Town) -> None:
    """A segment that ends journeys ends them at once, and keeps open contacts from beginning."""
    await town.bank.add_segment(BOUGHT, [])
    road = await set_out(
        town,
        {"key": "rest", "kind": "wait", "minutes": 60, "next": "again"},
        {"key": "again", **CALL},
        scheme_changes={"exit_segments": [BOUGHT]},
    )
    await road.worked("no_answer", 0)
    await road.go_on()
    await town.tell(town.change(town.ids[:2], key=BOUGHT))
    await road.go_on()
    assert await road.where() == {0: ("rest", "exit")}
    person = town.people[1]
    async with town.bank.manager(person.primary_manager or "", person.org) as manager:
        items = (await manager.get("/v1/tasks?state=assigned")).json()["items"]
        (task,) = [each for each in items if each["customer_id"] == str(person.customer_id)]
        closed = (await manager.post(f"/v1/tasks/{task['id']}:start")).json()
    assert (closed["state"], closed["reason"]) == ("expired", "converted")
    await road.go_on()
    assert (await road.where())[1] == ("rest", "exit")


async def test_a_split_is_by_hash(town: Town) -> None:
    crowd = [somebody(100 + number) for number in range(200)]
    await town.bank.add_customers(crowd)
    await town.bank.add_segment(SEGMENT, [each.customer_id for each in crowd])
    road = await set_out(
        town,
        {
            "key": "halves",
            "kind": "split",
            "paths": [{"share": 0.25, "next": "short"}, {"share": 0.75, "next": "long"}],
        },
        {"key": "short", "kind": "wait", "minutes": 5, "next": None},
        {"key": "long", "kind": "wait", "minutes": 50, "next": None},
    )
    async with town.bank.strategist() as author:
        dropped = await author.post(
            f"/v1/campaigns/{road.campaign_id}:pause",
            json={"reason": "one after another", "open_contacts": "drop"},
        )
        assert dropped.status_code == 200, dropped.text
        assert (await road.lines())["first"] == Counter(paused=206)
        await author.post(f"/v1/campaigns/{road.campaign_id}:resume")
    await road.go_on()
    steps = {each["step"]: each for each in (await road.progress())["steps"]}
    assert steps["halves"]["reached"] == 206
    assert steps["short"]["here"] + steps["long"]["here"] == 206
    assert 30 <= steps["short"]["here"] <= 75


async def test_a_pause_lengthens_waits(town: Town) -> None:
    road = await set_out(town, {"key": "rest", "kind": "wait", "minutes": 60, "next": None})
    await road.worked("no_answer", 0)
    await road.go_on()
    until = await _deadline(town)
    async with town.bank.strategist() as author:
        await author.post(f"/v1/campaigns/{road.campaign_id}:pause", json={"reason": "holidays"})
        async with town.bank.campaign.runtime.db.transaction() as session:
            await session.execute(
                update(Campaign)
                .where(Campaign.id == UUID(road.campaign_id))
                .values(paused_at=clock.now() - timedelta(hours=2))
            )
        await road.time_passes(60)
        await road.go_on()
        assert await road.where() == {0: ("rest", "waiting")}
        await author.post(f"/v1/campaigns/{road.campaign_id}:resume")
    assert timedelta(hours=1) <= await _deadline(town) - until <= timedelta(hours=1, minutes=5)


async def _deadline(town: Town) -> Any:
    async with town.bank.campaign.runtime.db.transaction() as session:
        return await session.scalar(select(JourneyRun.deadline).where(JourneyRun.state == "waiting"))


async def test_draining_ends_by_itself(town: Town) -> None:
    """No entries any more; the open ones go on, and with the last of them the campaign is complete."""
    road = await set_out(
        town,
        {"key": "again", **CALL},
        schedule={
            "start": clock.today().isoformat(),
            "end": (clock.today() + timedelta(days=30)).isoformat(),
            "waves": 2,
            "wave_gap_minutes": 600,
        },
    )
    view = await town.verb(road.campaign_id, "drain")
    assert (view["status"], view["verbs"]) == ("draining", ["abort", "complete"])
    first = (await road.lines())["first"]
    assert first["not_released"] + first["assigned"] == 6
    database = town.bank.campaign.runtime.db
    for _ in range(2):
        async with database.transaction() as session:
            await follow_draining(session)
        assert (await town.bank.get(f"/v1/campaigns/{road.campaign_id}"))["status"] == "draining"
        async with database.transaction() as session:
            open_tasks = set(await session.scalars(select(Task.customer_id).where(Task.state == "assigned")))
        await road.worked("no_answer", *(n for n, each in enumerate(town.ids) if each in open_tasks))
        await road.go_on()
    async with database.transaction() as session:
        await follow_draining(session)

    async def completed() -> bool:
        view = await town.bank.get(f"/v1/campaigns/{road.campaign_id}")
        return bool(view["status"] == "completed")

    # The running service's clock may hold the campaign for the same purpose.
    await eventually(completed, what="the end of the campaign")
    # `completed_at` is told, with the books.
    async with database.transaction() as session:
        told = await session.scalar(
            text("SELECT payload FROM outbox WHERE subject LIKE 'campaign.campaign_completed%'")
        )
    assert b'"follow_ups"' in bytes(told)


async def test_after_its_last_day_a_campaign_drains(town: Town) -> None:
    road = await set_out(town, {"key": "rest", "kind": "wait", "minutes": 60, "next": None})
    await road.worked("no_answer", 0)
    await road.go_on()
    task = await road.started(1)
    yesterday = clock.today() - timedelta(days=1)
    async with town.bank.campaign.runtime.db.transaction() as session:
        await session.execute(update(Campaign).values(ends_on=yesterday))
        await follow_draining(session)
    view = await town.bank.get(f"/v1/campaigns/{road.campaign_id}")
    assert (view["status"], view["status_reason"]) == ("draining", "its last day has passed")
    assert await road.where() == {0: ("rest", "stopped")}
    assert (await road.lines())["first"] == Counter(done=1, assigned=1, expired=4)
    # What was begun may still be recorded, and is the last.
    await road.recorded(1, task, "refused")

    async def completed() -> bool:
        return bool((await town.bank.get(f"/v1/campaigns/{road.campaign_id}"))["status"] == "completed")

    await eventually(completed, what="the end of the campaign")


async def test_a_merged_person_goes_one_way(town: Town) -> None:
    road = await set_out(
        town, {"key": "rest", "kind": "wait", "minutes": 5, "next": "again"}, {"key": "again", **CALL}
    )
    await road.worked("no_answer", 0, 1)
    await road.go_on()
    survivor, other = town.people[:2]
    for told in merged(survivor, other):
        await town.bank.campaign.publish(told)

    async def one_way() -> bool:
        return await road.where() == {0: ("rest", "waiting"), 1: ("rest", "merged")}

    await eventually(one_way, what="the end of the second journey")
    await road.time_passes(5)
    await road.go_on()
    # Both files' contacts are the person's: the cap is reached.
    assert (await road.lines())["again"] == Counter(cap=1)


def test_what_is_wrong_with_a_journey_is_named() -> None:
    steps: list[dict[str, Any]] = [
        {"key": "first", "kind": "wait", "minutes": 5, "next": "nowhere"},
        {"key": "lost", "kind": "wait", "minutes": 5, "next": "first"},
        {
            "key": "lost",
            "kind": "split",
            "paths": [{"share": 0.5, "next": None}, {"share": 0.4, "next": None}],
        },
        {"key": "which", "kind": "branch", "cases": [{"next": None}]},
    ]
    body = campaign_body(**after(*steps))
    body.pop("key")
    found = {each.pointer: each.detail for each in contradictions(CampaignContent.model_validate(body))}
    at = "/scheme/arms/0/journey/steps"
    assert found == {
        f"{at}/0/key": "first is the arm's own contact",
        f"{at}/0/next": "there is no later step nowhere",
        f"{at}/1": "no step leads here",
        f"{at}/1/next": "there is no later step first",
        f"{at}/2/key": "there is a step lost already",
        f"{at}/2/paths": "shares add up to 0.9, not 1",
        f"{at}/3": "no step leads here",
        f"{at}/3/cases/0": "names neither outcomes nor a segment",
    }
