"""Visits and the contact policy: they count against the cap, and whom it protects is visited for service only."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from services.campaign.domain.split import GLOBAL_SALT, position
from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomerErased, CustomerState
from shared.ids import new_id
from tests.campaign.board import Board, board
from tests.campaign.conftest import a_customer
from tests.campaign.desk import AB, EVERYBODY, PUDONG, desk, merged, ref

__all__ = ["board", "desk"]


async def _plan(board: Board, customer: CustomerState, days: int, **changes: Any) -> Any:
    at = (clock.now() + timedelta(days=days)).isoformat()
    body = {"customer_id": str(customer.customer_id), "at": at, "purpose": "Talk", **changes}
    return await board.call("A", "POST", "/visits", body)


async def _made(board: Board, customer: CustomerState, days: int = -1, **changes: Any) -> dict[str, Any]:
    planned = (await _plan(board, customer, days, **changes)).json()
    path = f"/visits/{planned['id']}:record"
    answer = await board.call("A", "POST", path, {"minutes": 30, "result": "Said hello"}, version=1)
    assert answer.status_code == 200, answer.text
    assert (await board.call("A", "POST", path, {"minutes": 30, "result": "x"}, version=2)).status_code == 409
    return dict(answer.json())


async def test_visits_count_against_the_cap_once(board: Board) -> None:
    desk = board.desk
    visited, once, file, *_ = desk.people
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    await _made(board, visited)
    await _made(board, file, days=-2, for_service=True)
    await _made(board, once)
    await _made(board, once, days=-40)
    await desk.tell(*merged(visited, file))
    states = {}
    for task in await desk.tasks(state="assigned"):
        begun = await desk.post(f"/v1/tasks/{task['id']}:start", {})
        states[begun["customer_id"]] = (begun["state"], begun["reason"])
    assert states[str(visited.customer_id)] == ("expired", "cap")
    assert states[str(once.customer_id)] == ("started", None)
    line = (await desk.ledger(campaign_id))[visited.customer_id]
    assert line["evidence"]["contacts"] == 2
    await desk.tell(CustomerErased(receipt_id=new_id(), customers=[ref(once)], erased_at=clock.now()))
    async with desk.bank.campaign.runtime.db.transaction() as session:
        kept = await session.scalars(text("SELECT DISTINCT customer_id FROM outside_contact"))
        assert set(kept) == {visited.customer_id, file.customer_id}


async def test_whom_the_policy_protects_is_visited_for_service_only(board: Board) -> None:
    desk = board.desk
    asked, capped, file, *_ = desk.people
    held_out = next(
        state
        for state in (a_customer(number, org=PUDONG, **AB) for number in range(10, 5_000))
        if position(GLOBAL_SALT, state.customer_id) < 0.02
    )
    await desk.bank.add_customers([held_out])
    sale = (await _plan(board, asked, 2)).json()
    service = (await _plan(board, asked, 2, for_service=True)).json()
    sms_only = {"customer_id": str(asked.customer_id), "kind": "do_not_contact", "channel": "sms"}
    async with desk.bank.client(Role.branch_head, org=PUDONG, staff="HEAD") as head:
        assert (await head.post("/v1/suppressions", json=sms_only)).status_code == 201
        assert (await board.call("A", "GET", f"/visits/{sale['id']}")).json()["state"] == "planned"
        assert (await head.post("/v1/suppressions", json={**sms_only, "channel": None})).status_code == 201
    assert (await board.call("A", "GET", f"/visits/{sale['id']}")).json()["state"] == "cancelled"
    assert (await board.call("A", "GET", f"/visits/{service['id']}")).json()["state"] == "planned"
    assert [each["visits"] for each in await desk.audited("call_off_visits")] == [1]
    for _ in range(2):
        await _made(board, capped)
    other = (await _plan(board, file, 3)).json()
    await desk.tell(*merged(file, asked))
    assert (await board.call("A", "GET", f"/visits/{other['id']}")).json()["state"] == "cancelled"
    for customer in (file, capped, held_out):
        refused = await _plan(board, customer, 2)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/service-only"), refused.text
        [error] = refused.json()["errors"]
        assert error["pointer"] == "/for_service"
        assert "held" not in error["detail"]
        allowed = await _plan(board, customer, 2, for_service=True)
        assert (allowed.status_code, allowed.json()["for_service"]) == (201, True)
    path = f"/visits/{allowed.json()['id']}"
    turned = await board.call("A", "PATCH", path, {"for_service": False}, version=1)
    assert turned.json()["errors"][0]["pointer"] == "/for_service"
    # After a month the two visits do not count any more.
    assert (await _plan(board, capped, 40)).status_code == 201
    # What was made is not undone by refusing to note it; the trail says what it went against.
    await _made(board, file)
    assert [each.get("against") for each in await desk.audited("record_visit")][-1] == "do_not_contact"
