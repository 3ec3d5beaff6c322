"""Quotas and budgets: many managers at once, what is given back, and what exhaustion withdraws."""

import asyncio
from collections import Counter
from typing import Any

from sqlalchemy import text

from shared.contracts.events import QuotaExhausted
from shared.db import Outbox
from tests.campaign.conftest import SEGMENT, Bank, a_scheme, an_arm
from tests.campaign.desk import PUDONG, somebody
from tests.support import eventually

ACCEPTED = {"disposition": "accepted", "minutes": 6, "outcome": {"offer": "steady-r2", "amount": "1000.00"}}
REFUSED = {"disposition": "refused", "minutes": 6}


async def _staffed(bank: Bank, managers: int, each: int = 1, **changes: Any) -> str:
    """A running campaign in which so many managers have so many tasks each."""
    people = [
        somebody(number, org=PUDONG, primary_manager=f"M-{number % managers}", backup_manager=None)
        for number in range(managers * each)
    ]
    await bank.add_customers(people)
    await bank.add_segment(SEGMENT, [state.customer_id for state in people])
    return await bank.launched(scheme=a_scheme(an_arm("call", 1.0), hold_out=0), **changes)


async def _quota(bank: Bank, units: int) -> None:
    async with bank.strategist() as author:
        answer = await author.post("/v1/quotas", json={"offer": "steady-r2", "units": units})
        assert answer.status_code == 201, answer.text


async def _left(bank: Bank) -> tuple[int, int, int]:
    quota = await bank.get("/v1/quotas/steady-r2")
    return quota["sold"], quota["reserved"], quota["left"]


async def _post(bank: Bank, task: dict[str, Any], verb: str, body: dict[str, Any] | None = None) -> Any:
    async with bank.manager(task["manager"], PUDONG) as manager:
        return await manager.post(f"/v1/tasks/{task['id']}:{verb}", json=body or {})


async def _at_once(
    bank: Bank, tasks: list[dict[str, Any]], verb: str, body: dict[str, Any] | None = None
) -> Any:
    return await asyncio.gather(*(_post(bank, task, verb, body) for task in tasks))


async def _open_tasks(bank: Bank) -> list[dict[str, Any]]:
    tasks = await bank.all_of("/v1/tasks")
    return [task for task in tasks if task["state"] not in {"done", "expired"}]


async def _told(bank: Bank) -> list[bytes]:
    async with bank.campaign.runtime.db.transaction() as session:
        rows = await session.execute(text(f"SELECT payload FROM {Outbox.__tablename__} ORDER BY seq"))
        return [bytes(row[0]) for row in rows if QuotaExhausted.type_name().encode() in bytes(row[0])]


async def test_fifty_managers_sell_no_more_than_there_is(empty_bank: Bank) -> None:
    bank = empty_bank
    campaign_id = await _staffed(bank, 50)
    await _quota(bank, 7)
    tasks = await _open_tasks(bank)
    answers = await _at_once(bank, tasks, "start")
    assert Counter(answer.status_code for answer in answers) == {200: 7, 409: 43}
    assert {a.json()["type"].rsplit("/", 1)[-1] for a in answers if a.status_code == 409} == {
        "quota-exhausted"
    }
    assert await _left(bank) == (0, 7, 0)
    begun = [task for task, answer in zip(tasks, answers, strict=True) if answer.status_code == 200]
    assert (await _post(bank, begun[0], "record", REFUSED)).status_code == 200
    assert await _left(bank) == (0, 6, 1)
    waiting = [task for task in tasks if task not in begun]
    assert (await _post(bank, waiting[0], "start")).status_code == 200
    selling = [*begun[1:], waiting[0]]
    assert {answer.status_code for answer in await _at_once(bank, selling, "record", ACCEPTED)} == {200}
    assert await _left(bank) == (7, 0, 0)
    (told,) = await _told(bank)
    assert b'"steady-r2"' in told

    async def withdrawn() -> bool:
        return await _open_tasks(bank) == []

    await eventually(withdrawn, what="the withdrawal of what cannot be sold")
    lines = await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger", state="expired")
    assert Counter(line["reason"] for line in lines) == {"quota": 42}
    assert (await bank.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]
    assert (await _post(bank, waiting[1], "start")).status_code == 409

    async with bank.strategist() as author:
        tag = (await author.get("/v1/quotas/steady-r2")).headers["etag"]
        refused = await author.patch("/v1/quotas/steady-r2", json={"units": 6}, headers={"If-Match": tag})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/units")
        raised = await author.patch("/v1/quotas/steady-r2", json={"units": 9}, headers={"If-Match": tag})
        assert (raised.status_code, raised.json()["left"], raised.json()["exhausted_at"]) == (200, 2, None)

    async def back() -> bool:
        return len(await _open_tasks(bank)) == 42

    await eventually(back, what="the return of what can be sold again")
    assert (await _post(bank, waiting[1], "start")).status_code == 200
    assert (await _post(bank, waiting[1], "record", REFUSED)).status_code == 200
    async with bank.strategist() as author:
        tag = (await author.get("/v1/quotas/steady-r2")).headers["etag"]
        lowered = await author.patch("/v1/quotas/steady-r2", json={"units": 7}, headers={"If-Match": tag})
        assert lowered.status_code == 200, lowered.text
    assert len(await _told(bank)) == 2
    assert (await bank.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]


async def test_what_lapsed_is_sold_by_others(empty_bank: Bank) -> None:
    bank = empty_bank
    await _staffed(bank, 3)
    await _quota(bank, 1)
    first, second, third = await _open_tasks(bank)
    assert (await _post(bank, first, "start")).status_code == 200
    assert (await _post(bank, second, "start")).status_code == 409
    async with bank.campaign.runtime.db.transaction() as session:
        await session.execute(text("UPDATE reservation SET lapses_at = now() - interval '1 minute'"))

    async def free() -> bool:
        return await _left(bank) == (0, 0, 1)

    await eventually(free, what="the lapse")
    assert (await _post(bank, second, "start")).status_code == 200
    late = await _post(bank, first, "record", ACCEPTED)
    assert (late.status_code, late.json()["type"].rsplit("/", 1)[-1]) == (409, "quota-exhausted")
    handed = await _post(bank, second, "return", {"reason": "away"})
    assert handed.status_code == 200
    assert await _left(bank) == (0, 0, 1)
    assert (await _post(bank, first, "record", ACCEPTED)).status_code == 200
    assert await _left(bank) == (1, 0, 0)
    assert (await _post(bank, third, "start")).status_code == 409


async def test_a_budget_pays_for_so_many_contacts(empty_bank: Bank) -> None:
    """A call of 6 minutes costs 9.00: a budget of 40.00 pays for four."""
    bank = empty_bank
    campaign_id = await _staffed(bank, 10, budget={"amount": "40.00", "currency": "CNY"})
    tasks = await _open_tasks(bank)
    answers = await _at_once(bank, tasks, "start")
    assert Counter(answer.status_code for answer in answers) == {200: 4, 409: 6}
    budget = await bank.get(f"/v1/campaigns/{campaign_id}/budget")
    assert (budget["reserved"], budget["spent"], budget["left"]) == ("36.00", "0.00", "4.00")
    begun = [task for task, answer in zip(tasks, answers, strict=True) if answer.status_code == 200]
    short = {"disposition": "refused", "minutes": 1}
    assert (await _post(bank, begun[0], "record", short)).status_code == 200
    waiting = next(task for task in tasks if task not in begun)
    assert (await _post(bank, waiting, "start")).status_code == 200
    ending = [*begun[1:], waiting]
    assert {answer.status_code for answer in await _at_once(bank, ending, "record", REFUSED)} == {200}
    budget = await bank.get(f"/v1/campaigns/{campaign_id}/budget")
    assert (budget["reserved"], budget["spent"], budget["left"]) == ("0.00", "37.50", "2.50")
    assert budget["exhausted_at"] is not None
    (told,) = await _told(bank)
    assert campaign_id.encode() in told

    async def withdrawn() -> bool:
        return await _open_tasks(bank) == []

    await eventually(withdrawn, what="the withdrawal of what cannot be paid for")
    lines = await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger", state="expired")
    assert Counter(line["reason"] for line in lines) == {"budget": 5}
    assert (await bank.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]


async def test_quotas_name_what_is_wrong(empty_bank: Bank) -> None:
    async with empty_bank.strategist() as author:
        unknown = await author.post("/v1/quotas", json={"offer": "nothing", "units": 1})
        assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/offer")
        for units in (-1, 1.5, "many", 10**12):
            wrong = await author.post("/v1/quotas", json={"offer": "steady-r2", "units": units})
            assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/units")
        assert (await author.get("/v1/quotas/steady-r2")).status_code == 404
        await _quota(empty_bank, 0)
        assert (await author.get("/v1/quotas/steady-r2")).json()["exhausted_at"] is not None
        assert len(await _told(empty_bank)) == 1
        again = await author.post("/v1/quotas", json={"offer": "steady-r2", "units": 1})
        assert again.status_code == 409
        unseen = await author.patch("/v1/quotas/steady-r2", json={"units": 2})
        assert unseen.status_code == 428
    async with empty_bank.manager("M-0", PUDONG) as manager:
        assert (await manager.post("/v1/quotas", json={"offer": "steady-r2", "units": 1})).status_code == 403
        assert [each["units"] for each in (await manager.get("/v1/quotas")).json()["items"]] == [0]
