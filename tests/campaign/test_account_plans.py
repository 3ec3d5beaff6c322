"""Key-account plans with their actions, and visits, through the API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from services.campaign.domain.account_plans import Measured, measure
from shared import clock
from shared.contracts.campaign.account_plans import Objective
from shared.contracts.events import CustomerErased, ValuesCalculated
from shared.ids import new_id
from tests.campaign.board import Board, a_month, board
from tests.campaign.desk import AB, JINGAN, desk, merged, moved, ref

__all__ = ["board", "desk"]


def test_what_is_not_known_is_not_nothing() -> None:
    def of(what: str, measured: Measured, *, has_model: bool = True) -> tuple[object, ...]:
        objective = Objective.model_validate({"measure": what, "target": "200.00"})
        shown = measure(objective, measured, has_model=has_model)
        return shown.measured, shown.unmeasured, shown.attainment

    known = Measured(Decimal("50.00"), 3, Decimal("300.00"))
    assert of("contribution", known) == (Decimal("50.00"), None, 0.25)
    assert of("won", known) == (Decimal("300.00"), None, 1.5)
    assert of("deposits", known) == (None, "not_measured_here", None)
    assert of("contribution", Measured(None, 0, Decimal(0))) == (None, "no_figures", None)
    assert of("contribution", Measured(None, 0, Decimal(0)), has_model=False) == (
        None,
        "no_value_model",
        None,
    )


def a_plan(board: Board, number: int = 0, **changes: Any) -> dict[str, Any]:
    body = {
        "customer_id": str(board.desk.people[number].customer_id),
        "year": clock.today().year,
        "team": ["B", "A"],
        "value_model": "standard",
        "objectives": [
            {"measure": "won", "target": "1000.00"},
            {"measure": "deposits", "target": "5000.00"},
        ],
        "strategy": "Be the main bank by the lake",
    }
    return {**body, **changes}


async def post(board: Board, path: str, body: Any, who: str = "A", version: int | None = None) -> Any:
    answer = await board.call(who, "POST", path, body, version=version)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def test_a_plan_runs_through_its_year(board: Board) -> None:
    created = await post(board, "/account-plans", a_plan(board, strategy=""))
    assert (created["status"], created["owner"], created["team"], created["rad"]) == (
        "draft",
        "A",
        ["B"],
        "acquire",
    )
    twice = await board.call("A", "POST", "/account-plans", a_plan(board))
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/plan-exists")
    path = f"/account-plans/{created['id']}"
    early = await board.call("A", "POST", f"{path}:activate", version=1)
    assert [each["pointer"] for each in early.json()["errors"]] == ["/strategy"]
    assert (await board.call("J", "PATCH", path, {}, version=1)).status_code == 404
    edited = await board.call("B", "PATCH", path, {"strategy": "Be the main bank"}, version=1)
    assert edited.json()["version"] == 2, edited.text
    assert (await board.call("A", "PATCH", path, {"team": None}, version=2)).status_code == 422
    active = await post(board, f"{path}:activate", None, version=2)
    late, soon = (clock.today() + timedelta(days=days) for days in (-1, 5))
    first = await post(
        board, f"{path}/actions", {"name": "Meet the board", "owner": "B", "due_on": str(late)}
    )
    await post(board, f"{path}/actions", {"name": "Write it up", "owner": "A", "due_on": str(soon)})
    stranger = {"name": "x", "owner": "J", "due_on": str(soon)}
    assert (await board.call("A", "POST", f"{path}/actions", stranger)).status_code == 422
    overdue = (await board.call("HEAD", "GET", "/account-actions?overdue=true")).json()["items"]
    assert [each["id"] for each in overdue] == [first["id"]]
    [listed] = (await board.call("A", "GET", "/account-plans?member=B&status=active")).json()["items"]
    assert [listed[name] for name in ("id", "actions", "done", "overdue")] == [active["id"], 2, 0, 1]
    action = f"/account-actions/{first['id']}"
    assert (await board.call("B", "PATCH", action, {"due_on": str(soon)}, version=1)).status_code == 200
    done = await post(board, f"{action}:complete", {"result": "They agree"}, "B", 2)
    assert (done["overdue"], done["result"], done["done_by"]) == (False, "They agree", "user:B")
    again = await board.call("B", "POST", f"{action}:complete", {"result": "x"}, version=3)
    assert again.status_code == 409
    won = await board.opened()
    await board.act(won, "win", {"amount": "250.00"})
    shown = (await board.call("A", "GET", path)).json()
    assert [each["measured"] for each in shown["objectives"]] == ["250.00", None]
    closed = await post(board, f"{path}:close", {"conclusion": "A good year"}, version=active["version"])
    assert closed["objectives"][0]["attainment"] == 0.25
    more = await board.opened()
    await board.act(more, "win", {"amount": "50.00"})
    assert (await board.call("A", "GET", path)).json()["objectives"] == closed["objectives"]
    refused = await board.call("A", "PATCH", path, {"strategy": "x"}, version=closed["version"])
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/illegal-transition")


async def test_a_plan_measures_the_whole_family_in_its_year(board: Board) -> None:
    survivor, file, *_ = board.desk.people
    month = clock.today().replace(day=1)
    await board.desk.tell(*merged(survivor, file))
    told: list[ValuesCalculated] = [a_month(survivor, file, month, "70.00")]
    await board.store(*told)
    objective = [{"measure": "contribution", "target": "140.00"}]
    plan = await post(board, "/account-plans", a_plan(board, objectives=objective))
    assert plan["objectives"] == [
        {
            "measure": "contribution",
            "target": "140.00",
            "measured": "70.00",
            "unmeasured": None,
            "attainment": 0.5,
            "months": 1,
        }
    ]
    other = a_plan(board, year=clock.today().year + 1, objectives=objective)
    assert (await post(board, "/account-plans", other))["objectives"][0]["unmeasured"] == "no_figures"


async def test_a_person_has_one_plan_a_year_by_whichever_file(board: Board) -> None:
    survivor, file, *_ = board.desk.people
    kept = await post(board, "/account-plans", a_plan(board, number=1))
    await board.desk.tell(*merged(survivor, file))
    second = await board.call("A", "POST", "/account-plans", a_plan(board))
    assert (second.status_code, second.json()["type"]) == (409, "/problems/plan-exists")
    assert kept["id"] in second.json()["detail"]


async def test_a_visit_is_planned_made_or_called_off(board: Board) -> None:
    before = (clock.now() - timedelta(hours=2)).isoformat()
    later = (clock.now() + timedelta(days=2)).isoformat()
    opportunity = await board.opened()
    body = {"customer_id": str(board.desk.people[0].customer_id), "at": later, "purpose": "Get to know"}
    planned = await post(board, "/visits", {**body, "opportunity_id": opportunity["id"]})
    wrong = {**body, "customer_id": str(board.desk.people[1].customer_id)}
    refused = await board.call("A", "POST", "/visits", {**wrong, "opportunity_id": opportunity["id"]})
    assert refused.json()["errors"][0]["pointer"] == "/opportunity_id"
    path = f"/visits/{planned['id']}"
    result = {"minutes": "45", "result": "They want a loan", "next_step": "Offer", "next_on": "2030-01-01"}
    early = await board.call("A", "POST", f"{path}:record", result, version=1)
    assert early.json()["errors"][0]["pointer"] == "/at"
    assert (
        await board.call("B", "POST", f"{path}:record", {**result, "at": before}, version=1)
    ).status_code == 403
    participants = {"participants": ["Their director", "13900001111"]}
    made = await post(board, f"{path}:record", {**result, "at": before, **participants}, version=1)
    assert (made["state"], made["participants"]) == ("made", ["Their director", "▇▇▇"])
    assert (await board.call("A", "PATCH", path, {"purpose": "x"}, version=2)).status_code == 409
    other = await post(board, "/visits", {**body, "at": before})
    assert other["overdue"]
    moved_on = await board.call("A", "PATCH", f"/visits/{other['id']}", {"at": later}, version=1)
    assert not moved_on.json()["overdue"]
    off = await post(board, f"/visits/{other['id']}:cancel", {"reason": "They are ill"}, version=2)
    assert (off["state"], off["result"]) == ("cancelled", "They are ill")
    found = (await board.call("HEAD", "GET", "/visits?state=made&manager=A")).json()["items"]
    assert [each["id"] for each in found] == [made["id"]]


async def test_plans_and_visits_follow_the_owners_and_go_with_the_erased(board: Board) -> None:
    people = board.desk.people
    plan = await post(board, "/account-plans", a_plan(board))
    action = {"name": "Row on the lake", "owner": "B", "due_on": "2030-01-01"}
    await post(board, f"/account-plans/{plan['id']}/actions", action)
    body = {"customer_id": str(people[0].customer_id), "at": clock.now().isoformat()}
    planned = await post(board, "/visits", {**body, "purpose": "See the lake"})
    made = await post(board, "/visits", {**body, "purpose": "Swim in the lake"})
    record = {"minutes": 5, "result": "Wet", "participants": ["The lady of the lake"]}
    made = await post(board, f"/visits/{made['id']}:record", record, version=1)
    away = {"org": JINGAN, "primary_manager": "J", "backup_manager": None}
    await board.desk.tell(moved(people[:1], "assignment", AB, away))
    assert (await board.call("J", "GET", f"/account-plans/{plan['id']}")).json()["owner"] == "J"
    assert (await board.call("J", "GET", f"/visits/{planned['id']}")).json()["manager"] == "J"
    assert (await board.call("A", "GET", f"/visits/{made['id']}")).json()["manager"] == "A"
    erased = CustomerErased(receipt_id=new_id(), customers=[ref(people[0])], erased_at=datetime.now(UTC))
    await board.desk.tell(erased)
    assert (await board.call("J", "GET", f"/account-plans/{plan['id']}")).status_code == 404
    assert (await board.call("J", "GET", f"/visits/{planned['id']}")).json()["state"] == "cancelled"
    kept = (await board.call("A", "GET", f"/visits/{made['id']}")).json()
    assert (kept["purpose"], kept["participants"], kept["minutes"]) == ("", [], "5.00")
    async with board.desk.bank.campaign.runtime.db.transaction() as session:
        for table in ("visit", "account_plan", "account_action", "audit_log"):
            left = await session.scalar(text(f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%lake%'"))
            assert left == 0, table


ODD: list[tuple[str, dict[str, Any], str]] = [
    ("/account-plans", {"year": 1}, "/year"),
    ("/account-plans", {"objectives": [{"measure": "won", "target": "1.00"}] * 2}, "/objectives/1/measure"),
    ("/account-plans", {"strategy": "a\x00b"}, "/strategy"),
    ("/account-plans", {"customer_id": str(new_id())}, "/customer_id"),
    ("/visits", {"at": "2020-01-01T00:00:00"}, "/at"),
    ("/visits", {"purpose": ""}, "/purpose"),
]


async def test_odd_input_is_pointed_at(board: Board) -> None:
    visit = {"customer_id": str(board.desk.people[0].customer_id), "at": "2030-01-01T00:00:00Z"}
    for path, changes, pointer in ODD:
        body = a_plan(board) if path == "/account-plans" else {**visit, "purpose": "Talk"}
        answer = await board.call("A", "POST", path, {**body, **changes})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
