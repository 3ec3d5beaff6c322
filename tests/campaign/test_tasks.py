"""Managers at work, the books while they work, and what other branches see of it: nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared import clock
from shared.auth import Role
from shared.ids import new_id
from tests.campaign.conftest import Bank, a_scheme, an_arm

PUDONG, JINGAN = "hq.sh.pudong", "hq.sh.jingan"


async def _running(bank: Bank) -> str:
    return await bank.launched(scheme=a_scheme(an_arm("call", 0.9)))


async def _own_tasks(bank: Bank, code: str, org: str) -> list[dict[str, Any]]:
    async with bank.manager(code, org) as manager:
        answer = await manager.get("/v1/tasks?limit=1000")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])


async def test_a_manager_works_through_a_task(bank: Bank) -> None:
    campaign_id = await _running(bank)
    tasks = await _own_tasks(bank, "DONG-0", PUDONG)
    assert tasks
    assert {task["manager"] for task in tasks} == {"DONG-0"}
    path = f"/v1/tasks/{tasks[0]['id']}"
    async with bank.manager("DONG-0", PUDONG) as manager:
        script = await manager.get(f"{path}/script")
        assert script.json()["steps"][0]["text"]["zh"] == "您好"
        for verb, state in (("accept", "accepted"), ("accept", "accepted"), ("start", "started")):
            moved = await manager.post(f"{path}:{verb}")
            assert (moved.status_code, moved.json()["state"]) == (200, state)
        illegal = await manager.post(f"{path}:accept")
        assert illegal.status_code == 409
        assert "legal now: record, return, reassign" in illegal.json()["detail"]
        next_at = (clock.now() + timedelta(days=2)).isoformat()
        call_back = {"disposition": "call_back", "minutes": 3, "next_at": next_at, "note": "ring 13812345678"}
        again = await manager.post(f"{path}:record", json=call_back)
        assert (again.json()["state"], again.json()["attempts"]) == ("call_back", 1)
        assert (await manager.post(f"{path}:record", json=call_back)).json()["attempts"] == 1
        accepted = {
            "disposition": "accepted",
            "minutes": 9.5,
            "outcome": {"offer": "steady-r2", "amount": "100000.00"},
        }
        early = await manager.post(f"{path}:record", json=accepted)
        assert (early.status_code, early.json()["type"][-18:]) == (409, "illegal-transition")
        assert (await manager.post(f"{path}:start")).status_code == 200
        done = await manager.post(f"{path}:record", json=accepted)
        assert (done.status_code, done.json()["state"], done.json()["next_at"]) == (200, "done", None)
        assert (await manager.post(f"{path}:record", json=accepted)).json()["attempts"] == 2
        other = await manager.post(f"{path}:record", json={"disposition": "refused", "minutes": 1})
        assert other.status_code == 409
        detail = (await manager.get(path)).json()
    assert [attempt["disposition"] for attempt in detail["history"]] == ["call_back", "accepted"]
    assert detail["history"][0]["note"] == "ring ▇▇▇"
    entries = await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger", state="done")
    assert [(entry["minutes"], entry["cost"], entry["outcome_amount"]) for entry in entries] == [
        ("12.50", "18.75", "100000.00")
    ]


async def test_contradictory_records_name_the_field(bank: Bank) -> None:
    await _running(bank)
    task = (await _own_tasks(bank, "DONG-0", PUDONG))[0]
    async with bank.manager("DONG-0", PUDONG) as manager:
        assert (await manager.post(f"/v1/tasks/{task['id']}:start")).status_code == 200
        refused = await manager.post(
            f"/v1/tasks/{task['id']}:record", json={"disposition": "call_back", "minutes": 1}
        )
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"pointer": "/next_at", "detail": "is required with call_back"}]


@pytest.mark.parametrize(("disposition", "for_good"), [("do_not_contact", True), ("complaint", False)])
async def test_who_asks_to_be_left_alone_is(bank: Bank, disposition: str, for_good: bool) -> None:  # noqa: FBT001
    scheme = a_scheme(an_arm("call", 1.0), hold_out=0)
    first, second = await bank.launched(scheme=scheme), await bank.launched(scheme=scheme)
    tasks = await _own_tasks(bank, "DONG-0", PUDONG)
    chosen = next(task for task in tasks if task["campaign_id"] == first)
    customer = chosen["customer_id"]
    assert sum(task["customer_id"] == customer for task in tasks) == 2
    async with bank.manager("DONG-0", PUDONG) as manager:
        body = {"disposition": disposition, "minutes": 1}
        assert (await manager.post(f"/v1/tasks/{chosen['id']}:start")).status_code == 200
        for _ in range(2):
            answer = await manager.post(f"/v1/tasks/{chosen['id']}:record", json=body)
            assert (answer.status_code, answer.json()["state"]) == (200, "done")
    left = [task for task in await _own_tasks(bank, "DONG-0", PUDONG) if task["customer_id"] == customer]
    assert sorted(task["state"] for task in left) == ["done", "expired"]
    decisions = await bank.get(f"/v1/customers/{customer}/contact-decisions")
    assert [entry["kind"] for entry in decisions["suppressions"]] == [disposition]
    assert (decisions["suppressions"][0]["until"] is None) == for_good
    assert not decisions["contactable"]
    for campaign_id in (first, second):
        assert (await bank.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]


async def test_completion_waits_for_the_books(bank: Bank) -> None:
    campaign_id = await _running(bank)
    path = f"/v1/campaigns/{campaign_id}"
    tasks = await _own_tasks(bank, "DONG-0", PUDONG)
    async with bank.manager("DONG-0", PUDONG) as manager:
        for task in tasks:
            body = {"disposition": "refused", "minutes": 2}
            assert (await manager.post(f"/v1/tasks/{task['id']}:start")).status_code == 200
            assert (await manager.post(f"/v1/tasks/{task['id']}:record", json=body)).status_code == 200
    open_ = (await bank.get(f"{path}/progress"))["ledger"]["open"]
    async with bank.strategist() as author:
        refused = await author.post(f"{path}:complete")
        assert refused.status_code == 409
        assert f"{open_} contacts are still open" in refused.json()["detail"]
        completed = await author.post(f"{path}:complete", json={"expire_open": True})
        assert completed.status_code == 200, completed.text
        assert completed.json()["status"] == "completed"
        assert (await author.post(f"{path}:complete", json={})).status_code == 409
    progress = await bank.get(f"{path}/progress")
    ledger = progress["ledger"]
    assert (ledger["open"], ledger["done"], ledger["expired"]) == (0, len(tasks), open_)
    assert ledger["dispositions"] == {"refused": len(tasks)}
    async with bank.manager("DONG-4", PUDONG) as manager:
        late = (await manager.get("/v1/tasks?state=expired&limit=1")).json()["items"][0]["id"]
        refused = await manager.post(
            f"/v1/tasks/{late}:record", json={"disposition": "refused", "minutes": 2}
        )
    assert refused.status_code == 409


async def test_a_pause_stops_starting_but_not_telling(bank: Bank) -> None:
    campaign_id = await _running(bank)
    tasks = await _own_tasks(bank, "DONG-0", PUDONG)
    async with bank.strategist() as author, bank.manager("DONG-0", PUDONG) as manager:
        assert (await manager.post(f"/v1/tasks/{tasks[0]['id']}:start")).status_code == 200
        paused = await author.post(f"/v1/campaigns/{campaign_id}:pause", json={"reason": "rates move"})
        assert paused.json()["status"] == "paused"
        assert (await manager.post(f"/v1/tasks/{tasks[1]['id']}:start")).status_code == 409
        told = await manager.post(
            f"/v1/tasks/{tasks[0]['id']}:record", json={"disposition": "refused", "minutes": 2}
        )
        assert told.status_code == 200
        resumed = await author.post(f"/v1/campaigns/{campaign_id}:resume")
        assert resumed.json()["status"] == "running"
        assert (await manager.post(f"/v1/tasks/{tasks[1]['id']}:start")).status_code == 200
        aborted = await author.post(f"/v1/campaigns/{campaign_id}:abort", json={"reason": "recalled"})
        assert aborted.json()["status"] == "aborted"
    progress = await bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert (progress["ledger"]["open"], progress["balanced"]) == (0, True)


async def test_a_branch_head_moves_tasks_within_the_branch(bank: Bank) -> None:
    await _running(bank)
    task = (await _own_tasks(bank, "DONG-0", PUDONG))[0]
    path = f"/v1/tasks/{task['id']}"
    async with bank.manager("DONG-0", PUDONG) as manager:
        returned = await manager.post(f"{path}:return", json={"reason": "on leave"})
        assert returned.json()["state"] == "returned"
        assert (await manager.post(f"{path}:reassign", json={"manager": "DONG-2"})).status_code == 403
    async with bank.client(Role.branch_head, org=PUDONG, staff="H1") as head:
        seen = (await head.get("/v1/tasks?limit=1000")).json()["items"]
        assert {item["org"] for item in seen} == {PUDONG}
        assert len({item["manager"] for item in seen}) > 1
        outside = await head.post(f"{path}:reassign", json={"manager": "NGAN-1"})
        assert outside.status_code == 422
        assert outside.json()["errors"][0]["pointer"] == "/manager"
        moved = await head.post(f"{path}:reassign", json={"manager": "DONG-2"})
        assert (moved.json()["state"], moved.json()["manager"]) == ("assigned", "DONG-2")
    assert task["id"] in {item["id"] for item in await _own_tasks(bank, "DONG-2", PUDONG)}


async def test_a_branch_sees_nothing_of_another_by_any_route(bank: Bank) -> None:
    campaign_id = await _running(bank)
    task = (await _own_tasks(bank, "DONG-0", PUDONG))[0]
    path, customer = f"/v1/tasks/{task['id']}", task["customer_id"]
    async with bank.strategist() as author:
        body = {"customer_id": customer, "channel": "sms"}
        assert (await author.post("/v1/suppressions", json=body)).status_code == 201
    everything = [Role.manager, Role.branch_head, Role.strategist, Role.auditor]
    async with bank.client(*everything, org=JINGAN, staff="DONG-0") as stranger:
        assert {item["org"] for item in (await stranger.get("/v1/tasks?limit=1000")).json()["items"]} <= {
            JINGAN
        }
        for method, url, json in (
            ("GET", path, None),
            ("GET", f"{path}/script", None),
            ("POST", f"{path}:accept", {}),
            ("POST", f"{path}:start", {}),
            ("POST", f"{path}:record", {"disposition": "refused", "minutes": 1}),
            ("POST", f"{path}:return", {"reason": "x"}),
            ("POST", f"{path}:reassign", {"manager": "NGAN-1"}),
            ("GET", f"/v1/customers/{customer}/contact-decisions", None),
        ):
            answer = await stranger.request(method, url, json=json)
            assert answer.status_code == 404, (method, url, answer.text)
        refused = await stranger.post("/v1/suppressions", json={"customer_id": customer})
        assert refused.status_code == 422
        assert (await stranger.get("/v1/suppressions")).json()["items"] == []
        for part in ("ledger", "audience"):
            page = (await stranger.get(f"/v1/campaigns/{campaign_id}/{part}?limit=1000")).json()
            assert page["items"]
            assert {item["branch"] for item in page["items"]} == {JINGAN}
        progress = (await stranger.get(f"/v1/campaigns/{campaign_id}/progress")).json()
        assert [tally["key"] for tally in progress["branches"]] == [JINGAN]
        assert progress["balanced"]
        assert (await stranger.post(f"/v1/campaigns/{campaign_id}:simulate")).json()["audience"] == 500
        # A branch cannot steer what also belongs to others.
        for verb in ("pause", "abort"):
            answer = await stranger.post(f"/v1/campaigns/{campaign_id}:{verb}", json={"reason": "x"})
            assert answer.status_code == 403
    async with bank.manager("DONG-4", PUDONG) as colleague:
        assert (await colleague.get(path)).status_code == 404
        assert (await colleague.post(f"{path}:accept")).status_code == 403


async def test_nobody_is_in_a_ledger_twice_and_nothing_reopens(bank: Bank) -> None:
    campaign_id = await _running(bank)
    database = bank.campaign.runtime.db
    again = (
        "INSERT INTO contact (id, campaign_id, customer_id, wave, segment, org_path, state, arm, manager,"
        " propensity, decided_at) SELECT gen_random_uuid(), campaign_id, customer_id, 2, segment, org_path,"
        " state, arm, manager, propensity, decided_at FROM contact LIMIT 1"
    )
    for statement in (
        again,
        "UPDATE contact SET state = 'assigned', arm = 'call', manager = 'X' WHERE state = 'held_out'",
        "UPDATE contact SET customer_id = gen_random_uuid()",
        "UPDATE audience_member SET wave = 2",
        "DELETE FROM audience_member",
        "DELETE FROM contact",
        "DELETE FROM campaign",
        "UPDATE task SET id = gen_random_uuid()",
    ):
        with pytest.raises(DBAPIError):
            async with database.transaction() as session:
                await session.execute(text(statement))
    assert (await bank.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]


async def test_nobody_has_a_task_without_a_line_in_a_ledger(bank: Bank) -> None:
    await _running(bank)
    database = bank.campaign.runtime.db
    task = (
        "INSERT INTO task (id, campaign_id, customer_id, org_path, manager, arm, state, due_on, assigned_at)"
        " SELECT gen_random_uuid(), campaign_id, customer_id, org_path, manager, arm, state, due_on,"
        " assigned_at FROM task"
    )
    member = (
        "INSERT INTO audience_member (campaign_id, customer_id, wave, segment, org_path)"
        " SELECT gen_random_uuid(), customer_id, wave, segment, org_path FROM audience_member"
    )
    for statement, refusal in (
        (task, "a task without a contact"),
        (member, "without a campaign"),
        ("DELETE FROM contact", "a contact stays"),
        ("UPDATE task SET id = gen_random_uuid()", "a task stays, and keeps its id"),
        ("DELETE FROM campaign", "a campaign stays"),
    ):
        with pytest.raises(DBAPIError, match=refusal):
            async with database.transaction() as session:
                await session.execute(text(statement))


async def test_a_record_is_kept_with_its_idempotency_key(bank: Bank) -> None:
    await _running(bank)
    task = (await _own_tasks(bank, "DONG-0", PUDONG))[0]
    headers = {"Idempotency-Key": str(new_id())}
    body = {"disposition": "no_answer", "minutes": 1}
    async with bank.manager("DONG-0", PUDONG) as manager:
        await manager.post(f"/v1/tasks/{task['id']}:start")
        first = await manager.post(f"/v1/tasks/{task['id']}:record", json=body, headers=headers)
        again = await manager.post(f"/v1/tasks/{task['id']}:record", json=body, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
