"""Scripts at a manager's desk: read with the customer's values, told the way, counted; no value is kept."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.campaign.domain.split import GLOBAL_SALT, position
from shared.auth import Role
from shared.db import AuditEntry, Outbox, StoredAnswer
from tests.campaign.conftest import SEGMENT, Bank, a_scheme, an_arm
from tests.campaign.desk import PUDONG, somebody
from tests.campaign.texts import BRANCHING, LEAFLET, words
from tests.customer.conftest import Bank as CustomerBank
from tests.customer.conftest import bank as customer_bank
from tests.support import Running

__all__ = ["customer_bank"]


@pytest.fixture
async def customer_file(
    empty_bank: Bank, customer: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """The real customer service answers the campaign service."""
    transport = httpx.ASGITransport(customer.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://customer") as client:
        monkeypatch.setitem(empty_bank.campaign.runtime._clients, "customer", client)
        yield


async def test_a_manager_reads_the_script_with_its_values_and_tells_the_way(
    empty_bank: Bank, customer_bank: CustomerBank, customer_file: None
) -> None:
    owners = {"org": PUDONG, "primary_manager": "S1", "backup_manager": "S2"}
    made = await customer_bank.customer(name="欧阳娜", gender="F", **owners)
    while somebody_is_held_out(made["id"]):
        made = await customer_bank.customer(name="欧阳娜", gender="F", **owners)
    state = somebody(0, **owners).model_copy(update={"customer_id": made["id"], "version": 99})
    await empty_bank.add_customers([state])
    await empty_bank.add_segment(SEGMENT, [state.customer_id])
    await empty_bank.wording("scripts", BRANCHING)
    await empty_bank.wording("materials", LEAFLET)
    arm = an_arm("call", 1.0, script="branching@1", materials=["leaflet@1"])
    await empty_bank.launched(scheme=a_scheme(arm, hold_out=0))
    async with empty_bank.manager("S1", PUDONG) as manager:
        task = (await manager.get("/v1/tasks")).json()["items"][0]
        path = f"/v1/tasks/{task['id']}"
        said = (await manager.get(f"{path}/script")).json()
        assert said["steps"][0]["text"]["zh"] == "您好欧阳娜女士，我是tester"
        assert said["steps"][0]["text"]["en"] == "Hello Ms 欧阳娜"
        assert [answer["key"] for answer in said["steps"][0]["answers"]] == ["yes", "no"]
        assert said["steps"][1]["text"]["zh"] == "稳健 2.85%"
        assert said["materials"][0]["body"]["zh"] == "<p>欧阳娜女士</p>"
        assert (await manager.post(f"{path}:start")).status_code == 200
        way = [{"step": "hello", "answer": "yes"}, {"step": "offer", "answer": None}]
        skipped = {"disposition": "refused", "minutes": 3, "path": way[1:]}
        wrong = await manager.post(f"{path}:record", json=skipped)
        assert wrong.json()["errors"] == [
            {"pointer": "/path/0/step", "detail": "the way leads to hello here"}
        ]
        sold = {"offer": "steady-r2", "amount": "100000.00"}
        told = {"disposition": "accepted", "minutes": 3, "outcome": sold, "path": way}
        for _ in range(2):
            recorded = await manager.post(f"{path}:record", json=told)
            assert (recorded.status_code, recorded.json()["attempts"]) == (200, 1), recorded.text
        assert (await manager.get(path)).json()["history"][0]["path"] == way
    async with empty_bank.client(Role.branch_head, org="hq.bj", staff="H") as stranger:
        assert (await stranger.get(f"{path}/script")).status_code == 404
        assert (await stranger.get("/v1/scripts/branching/effect")).json()["items"] == []
    (effect,) = (await empty_bank.get("/v1/scripts/branching/effect"))["items"]
    assert effect == {
        "ref": "branching@1",
        "campaigns": 1,
        "contacts": 1,
        "open": 0,
        "done": 1,
        "expired": 0,
        "attempts": 1,
        "minutes": "3.00",
        "dispositions": {"accepted": 1},
        "conversions": 1,
        "outcome_amount": "100000.00",
    }
    assert await kept_anywhere(empty_bank, "branching")
    assert await kept_anywhere(empty_bank, "欧阳娜") == []


def somebody_is_held_out(customer_id: str) -> bool:
    return position(GLOBAL_SALT, UUID(customer_id)) < 0.02


async def kept_anywhere(bank: Bank, secret: str) -> list[str]:
    """Where the campaign service wrote it down: audit, outbox, stored answers."""
    async with bank.campaign.runtime.db.transaction() as session:
        rows = [
            str(row)
            for table in (AuditEntry, Outbox, StoredAnswer)
            for row in (await session.execute(text(f"SELECT * FROM {table.__tablename__}"))).all()
        ]
    marks = (secret, secret.encode().hex(), secret.encode("unicode_escape").decode())
    return [row for row in rows if any(mark in row for mark in marks) or repr(secret.encode())[2:-1] in row]


async def test_a_value_that_nobody_knows_is_named(empty_bank: Bank, customer_file: None) -> None:
    owners = {"org": PUDONG, "primary_manager": "S1", "backup_manager": "S2"}
    state = somebody(0, **owners)
    await empty_bank.add_customers([state])
    await empty_bank.add_segment(SEGMENT, [state.customer_id])
    limit = {"key": "limit", "text": words("起点{{ offer.minimum | money }}")}
    await empty_bank.wording("scripts", {**BRANCHING, "key": "limits", "steps": [limit]})
    await empty_bank.wording("scripts", BRANCHING)
    for script, value in (("limits@1", "offer.minimum"), ("branching@1", "customer.salutation")):
        scheme = a_scheme(an_arm("call", 1.0, script=script), hold_out=0)
        campaign_id = await empty_bank.launched(scheme=scheme)
        async with empty_bank.manager("S1", PUDONG) as manager:
            tasks = (await manager.get(f"/v1/tasks?campaign_id={campaign_id}")).json()["items"]
            refused = await manager.get(f"/v1/tasks/{tasks[0]['id']}/script")
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/value-not-known")
        assert refused.json()["errors"] == [
            {"pointer": "/steps/0/text/zh", "detail": f"a value is not known: {value}"}
        ]


async def test_old_scripts_are_shown_as_they_stand(empty_bank: Bank) -> None:
    """What was written before texts could name values may hold brackets; it is no template."""
    async with empty_bank.campaign.runtime.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO script (key, version, name, steps, minutes, created_at, created_by) VALUES"
                ' (\'old\', 1, \'{"zh": "旧", "en": "Old"}\','
                ' \'[{"key": "a", "text": {"zh": "{{ 7*7 }}", "en": "{% for"}}]\', 5, now(), \'user:S1\')'
            )
        )
    async with empty_bank.approver() as checker:
        approved = await checker.post("/v1/scripts/old@1:approve", json={})
        assert (approved.status_code, approved.json()["personalised"]) == (200, False), approved.text
    state = somebody(0, org=PUDONG, primary_manager="S1")
    await empty_bank.add_customers([state])
    await empty_bank.add_segment(SEGMENT, [state.customer_id])
    await empty_bank.launched(scheme=a_scheme(an_arm("call", 1.0, script="old@1"), hold_out=0))
    async with empty_bank.manager("S1", PUDONG) as manager:
        task = (await manager.get("/v1/tasks")).json()["items"][0]
        said = (await manager.get(f"/v1/tasks/{task['id']}/script")).json()
    assert said["steps"][0]["text"] == {"zh": "{{ 7*7 }}", "en": "{% for"}
