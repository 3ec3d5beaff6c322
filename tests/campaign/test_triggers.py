"""Campaigns with a trigger on real servers: who moves is decided on at once, once, by the rules of a launch."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from services.campaign.domain.split import GLOBAL_SALT, contact_key, position, salt_of, slot_of, slots
from services.campaign.models import Campaign, Contact, Task, TriggerEntry
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.release import decide_on
from services.campaign.usecases.triggered import decide_entries
from services.campaign.usecases.triggers import MOVED
from shared import clock
from shared.contracts.campaign import Arm
from shared.contracts.events import CustomerErased, CustomersChanged
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, a_customer, a_scheme, an_arm, campaign_body
from tests.campaign.desk import merged, ref, somebody
from tests.campaign.town import COMING, EVERYBODY, Cause, Town, audience, town
from tests.support import eventually

__all__ = ["town"]


async def test_who_enters_gets_a_task_at_once(town: Town) -> None:
    campaign_id = await town.opened()
    view = await town.bank.get(f"/v1/campaigns/{campaign_id}")
    assert (view["status"], view["waves"]) == ("running", [])
    assert view["audience"]["trigger"] == {"segment": COMING, "on": "enter", "on_pause": "hold"}
    comer = town.people[0]
    await town.bank.campaign.publish(town.change([comer.customer_id]))

    async def assigned() -> bool:
        async with town.bank.manager(comer.primary_manager or "", comer.org) as manager:
            tasks = (await manager.get("/v1/tasks")).json()["items"]
        return [task["customer_id"] for task in tasks] == [str(comer.customer_id)]

    await eventually(assigned, what="the task")
    (entry,) = await town.bank.all_of(f"/v1/campaigns/{campaign_id}/triggered")
    assert (entry["customer_id"], entry["state"], entry["arm"]) == (
        str(comer.customer_id),
        "assigned",
        "call",
    )
    assert entry["moved_at"] < entry["decided_at"]
    progress = await town.bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["balanced"], progress["imbalances"]
    assert (progress["ledger"]["audience"], progress["planned"], progress["trigger"]["waiting"]) == (1, 0, 0)
    assert progress["trigger"]["last_moved_at"] == entry["moved_at"]
    assert await town.told() == [contact_key(UUID(campaign_id), 1, comer.customer_id)]
    completed = await town.verb(campaign_id, "complete", expire_open=True)
    assert completed["status"] == "completed"
    await town.tell(town.change([town.ids[1]]))
    await town.decided()
    assert list(await town.lines(campaign_id)) == [comer.customer_id]


async def test_the_rules_of_a_launch_decide(town: Town) -> None:
    """Hold-outs by the same hash, the same reasons, the same ids as if they were released in a wave."""
    refused: dict[str, dict[str, Any]] = {
        "inactive": {"status": "closed"},
        "consent": {"consents": {}},
        "suitability": {"risk_level": "C1"},
        "no_manager": {"primary_manager": None, "backup_manager": None},
        "elsewhere": {"org": "hq.bj.haidian"},
        "do_not_contact": {},
    }
    cases = {name: somebody(10 + number, **each) for number, (name, each) in enumerate(refused.items())}
    crowd = [a_customer(20 + number) for number in range(120)]
    everybody = [*cases.values(), *crowd]
    await town.bank.add_customers(everybody)
    stranger = somebody(200)
    await town.bank.add_customers([stranger])
    await town.bank.add_segment(SEGMENT, [state.customer_id for state in everybody])
    async with town.bank.strategist() as author:
        body = {"customer_id": str(cases["do_not_contact"].customer_id)}
        assert (await author.post("/v1/suppressions", json=body)).status_code == 201
    campaign_id = UUID(await town.opened(scheme=a_scheme(an_arm("call", 0.7), hold_out=0.3)))
    await town.tell(town.change([state.customer_id for state in [*everybody, stranger]]))
    await town.decided()
    lines = await town.lines(str(campaign_id))
    # Outside the audience or its organisations: nobody is written down.
    assert stranger.customer_id not in lines
    assert cases["elsewhere"].customer_id not in lines
    for name in set(refused) - {"elsewhere"}:
        line = lines[cases[name].customer_id]
        assert (line["state"], line["reason"]) == ("suppressed", name)
    cut = slots(0.3, [Arm.model_validate(an_arm("call", 0.7))])
    for state in crowd:
        line = lines[state.customer_id]
        assert line["contact_id"] == str(contact_key(campaign_id, 1, state.customer_id))
        if position(GLOBAL_SALT, state.customer_id) < CampaignSettings().global_hold_out:
            assert line["reason"] == "global_hold_out"
            continue
        slot = slot_of(position(salt_of("arm", campaign_id), state.customer_id), cut)
        assert (line["arm"], line["propensity"]) == (slot.arm, slot.propensity)
        assert line["state"] == ("held_out" if slot.arm is None else "assigned")
    heard = await town.told()
    assert Counter(heard).most_common(1)[0][1] == 1
    assert set(heard) == {
        UUID(each["contact_id"]) for each in lines.values() if each["state"] != "suppressed"
    }


async def test_the_cap_holds_over_campaigns_that_share_a_segment(town: Town) -> None:
    campaigns = [await town.opened() for _ in range(3)]
    await town.bank.campaign.publish(town.change(town.ids))

    async def all_decided() -> bool:
        return all([len(await town.lines(each)) == len(town.ids) for each in campaigns])

    await eventually(all_decided, what="three decisions on each")
    found = [await town.lines(each) for each in campaigns]
    for customer in town.ids:
        outcomes = Counter((lines[customer]["state"], lines[customer]["reason"]) for lines in found)
        assert outcomes == {("assigned", None): 2, ("suppressed", "cap"): 1}


async def test_once_per_customer_whatever_is_told_again(town: Town) -> None:
    campaign_id = await town.opened()
    first, late, back, *others = town.ids
    entered = town.change([first])
    await town.tell(entered)
    await town.decided()
    lines = await town.lines(campaign_id)
    assert list(lines) == [first]
    # Out and in again, and the first event once more.
    await town.tell(town.change([], [first]), town.change([first]), entered)
    # Told in the wrong order: gone before it was known that they had come.
    came = town.change([late])
    await town.tell(town.change([], [late]), came)
    # Gone again before anybody looked.
    async with town.bank.campaign.runtime.db.transaction() as session:
        await session.execute(select(Campaign).where(Campaign.id == UUID(campaign_id)).with_for_update())
        await town.tell(town.change([back]), town.change([], [back]))
    causes: tuple[Cause, ...] = ("edit", "full", "merge")
    await town.tell(
        *(town.change([other], cause=cause) for cause, other in zip(causes, others, strict=True)),
        town.change(others, at=clock.now() - timedelta(hours=1)),
        town.change(others, version=2),
        town.change(others, at=clock.now() + timedelta(days=40)),
    )
    await town.decided()
    assert await town.lines(campaign_id) == lines
    await town.tell(town.change(others, cause="expiry"))
    await town.decided()
    assert set(await town.lines(campaign_id)) == {first, *others}


@pytest.mark.parametrize("on_pause", ["hold", "drop"])
async def test_a_pause_holds_moves_or_lets_them_go_by(town: Town, on_pause: str) -> None:
    campaign_id = await town.opened(audience=audience(trigger={"on_pause": on_pause}))
    before, during, gone, after, *_ = town.ids
    delayed = town.change([before])
    await town.verb(campaign_id, "pause", reason="rain")
    await town.tell(town.change([during, gone]), town.change([], [gone]))
    await town.decided()
    assert await town.lines(campaign_id) == {}
    progress = await town.bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["trigger"]["waiting"] == (2 if on_pause == "hold" else 0)
    assert progress["balanced"]
    await town.verb(campaign_id, "resume")
    # It came before the pause, however late it is told.
    await town.tell(delayed, town.change([after]))
    await town.decided()
    held = {during} if on_pause == "hold" else set()
    assert set(await town.lines(campaign_id)) == {before, after, *held}
    await town.verb(campaign_id, "pause", reason="snow")
    await town.tell(town.change([town.ids[4]]))
    assert (await town.verb(campaign_id, "complete", expire_open=True))["status"] == "completed"
    await town.decided()
    async with town.bank.campaign.runtime.db.transaction() as session:
        assert not await session.scalar(select(func.count()).select_from(TriggerEntry))


async def test_who_is_not_known_yet_waits(town: Town) -> None:
    campaign_id = await town.opened()
    newcomer, erased, loser = (somebody(number) for number in (10, 11, 12))
    people = [newcomer.customer_id, erased.customer_id, loser.customer_id]
    await town.tell(town.change(people, key=SEGMENT), town.change(people))
    await town.decided()
    assert await town.lines(campaign_id) == {}
    progress = await town.bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["trigger"]["waiting"] == 3
    survivor = town.people[0]
    await town.bank.campaign.publish(
        CustomerErased(receipt_id=new_id(), customers=[ref(erased)], erased_at=clock.now())
    )
    await town.tell(town.change([survivor.customer_id], [loser.customer_id], cause="merge"))
    await town.bank.campaign.publish(CustomersChanged(customers=[newcomer, erased]), *merged(survivor, loser))

    async def decided() -> bool:
        return len(await town.lines(campaign_id)) == 2

    await eventually(decided, what="the decision on who became known")
    # The person of several files is called under the file that survives.
    lines = await town.lines(campaign_id)
    assert {customer: line["state"] for customer, line in lines.items()} == {
        newcomer.customer_id: "assigned",
        survivor.customer_id: "assigned",
    }
    progress = await town.bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["trigger"]["waiting"] == 0


async def test_segments_of_one_move_are_waited_for(town: Town) -> None:
    """The audience's segment is told after the trigger's; who is in neither a moment later is left alone."""
    late, never = somebody(10), somebody(11)
    await town.bank.add_customers([late, never])
    campaign_id = await town.opened()
    await town.tell(town.change([late.customer_id, never.customer_id]))
    await town.decided()
    await town.tell(town.change([late.customer_id], key=SEGMENT))
    async with town.bank.campaign.runtime.db.transaction() as session:
        await session.execute(update(TriggerEntry).values(due_at=clock.now()))

    async def settled() -> bool:
        await town.decided()
        progress = await town.bank.get(f"/v1/campaigns/{campaign_id}/progress")
        return bool(progress["trigger"]["waiting"] == 0)

    await eventually(settled, what="the second look")
    assert set(await town.lines(campaign_id)) == {late.customer_id}


class _KilledError(Exception):
    pass


async def test_campaigns_take_turns_and_do_not_fail_each_other(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaigns = [UUID(await town.opened()) for _ in range(2)]
    turns: list[UUID] = []

    async def recorded(*arguments: Any) -> Any:
        turns.append(arguments[2])
        if len(turns) > 4 and arguments[2] == campaigns[0]:
            raise _KilledError
        return await decide_on(*arguments)

    idle = asyncio.Event()

    async def nothing(*_arguments: Any) -> int:
        idle.set()
        return 0

    with monkeypatch.context() as patched:
        patched.setattr("services.campaign.jobs.decide_triggered", nothing)
        patched.setattr("services.campaign.usecases.triggered.decide_on", recorded)
        async with town.bank.campaign.runtime.db.transaction() as session:
            await session.execute(select(func.pg_notify(MOVED, "")))
        await idle.wait()
        await town.tell(town.change(town.ids[:2]))
        await town.decided(launch_chunk=1)
        assert turns == campaigns * 2
        await town.tell(town.change(town.ids[2:4]))
        with pytest.raises(ExceptionGroup):
            await town.decided(launch_chunk=1)
        assert turns[4:] == [*campaigns, campaigns[1]]
        assert [len(await town.lines(str(each))) for each in campaigns] == [2, 4]
    await town.decided()
    assert [len(await town.lines(str(each))) for each in campaigns] == [4, 4]


async def test_a_worker_killed_while_deciding_leaves_nothing_half(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = UUID(await town.opened(audience=audience(limit=4)))

    async def killed(*arguments: Any) -> None:
        await decide_on(*arguments)
        raise _KilledError

    database, settings = town.bank.campaign.runtime.db, CampaignSettings(launch_chunk=3)
    # Not by way of `tell`: the running worker must not be faster.
    with monkeypatch.context() as patched:
        patched.setattr("services.campaign.usecases.triggered.decide_on", killed)
        await town.tell(town.change(town.ids[:3]))
        with pytest.raises(_KilledError):
            async with database.transaction() as session:
                await decide_entries(session, settings, campaign_id)
        async with database.transaction() as session:
            assert not await session.scalar(select(func.count()).select_from(Contact))
            assert await session.scalar(select(func.count()).select_from(TriggerEntry)) == 3
    await town.tell(town.change(town.ids[3:]))
    await town.decided(launch_chunk=3)
    async with database.transaction() as session:
        tasks = await session.scalar(select(func.count()).select_from(Task))
    lines = await town.lines(str(campaign_id))
    # The first four, as they came.
    assert set(town.ids[:3]) < set(lines)
    assert len(lines) == tasks == 4
    assert len(await town.told()) == 4


async def test_who_leaves_is_reached_in_the_segments_they_are_in(town: Town) -> None:
    stays, leaves, returns, *_ = town.ids
    await town.bank.add_segment(COMING, [stays, leaves, returns])
    campaign_id = await town.opened(audience=audience("exit"))
    await town.tell(town.change([], [leaves, returns]))
    await town.decided()
    lines = await town.lines(campaign_id)
    assert {customer: line["segment"] for customer, line in lines.items()} == {
        leaves: SEGMENT,
        returns: SEGMENT,
    }


async def test_nothing_is_submitted_that_a_trigger_cannot_carry_out(town: Town) -> None:
    async with town.bank.strategist() as author:

        async def errors(**changes: Any) -> set[str]:
            body = {"key": f"c{new_id().hex}", "name": {"zh": "触", "en": "Triggered"}, **changes}
            created = await author.post("/v1/campaigns", json={**campaign_body(scheme=EVERYBODY), **body})
            assert created.status_code == 201, created.text
            answer = await author.post(f"/v1/campaigns/{created.json()['id']}:submit")
            assert answer.status_code == 422, answer.text
            return {error["pointer"] for error in answer.json()["errors"]}

        today = clock.today()
        waves = {"start": today.isoformat(), "end": today.isoformat(), "waves": 2}
        assert await errors(audience=audience(), schedule=waves) == {"/schedule/waves"}
        assert await errors(audience=audience(exclude=[COMING])) == {"/audience/exclude/0"}
        assert await errors(audience=audience("exit", include=[SEGMENT, COMING])) == {"/audience/include/1"}
        unknown = audience(trigger={"segment": "nowhere"})
        assert await errors(audience=unknown) == {"/audience/trigger/segment"}


async def test_a_simulation_counts_who_came_lately(town: Town) -> None:
    first, second, gone, old, evaluated, _ = town.ids
    await town.tell(
        town.change([evaluated], cause="full", at=clock.now() - timedelta(days=10)),
        town.change([old], at=clock.now() - timedelta(days=31)),
        town.change([first, second, gone], at=clock.now() - timedelta(days=3)),
        town.change([], [gone], at=clock.now() - timedelta(days=2)),
    )
    campaign_id = await town.bank.approved(scheme=EVERYBODY, audience=audience())
    async with town.bank.strategist() as author:
        answer = await author.post(f"/v1/campaigns/{campaign_id}:simulate")
    assert answer.status_code == 200, answer.text
    simulated = answer.json()
    assert (simulated["audience"], simulated["arms"]) == (2, {"call": 2})
    assert simulated["trigger"]["moved"] == 2
    assert simulated["trigger"]["since"] is not None
    assert await town.told() == []
