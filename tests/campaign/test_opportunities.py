"""Opportunities through the API: opened, moved, closed, counted, handed on, merged and forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared import clock
from shared.contracts.events import (
    CustomerErased,
    HandoverCompleted,
)
from shared.ids import new_id
from tests.campaign.board import Board, a_month, board
from tests.campaign.desk import AB, BC, EVERYBODY, JINGAN, PUDONG, desk, merged, moved, ref

__all__ = ["board", "desk"]


async def test_an_opportunity_runs_its_way_and_its_history_stays(board: Board) -> None:
    soon = clock.today() + timedelta(days=3)
    one = await board.opened(name="Call 13900001111", next_action="Visit", next_action_on=soon.isoformat())
    assert (one["stage"], one["probability"], one["weighted"]) == ("lead", "0.1", "100.00")
    assert (one["name"], one["rad"], one["source"]) == ("Call ▇▇▇", "acquire", "hand")
    path = f"/opportunities/{one['id']}"
    assert (await board.call("A", "PATCH", path, {"amount": "5.00"})).status_code == 428
    assert (await board.call("A", "PATCH", path, {"amount": None}, version=1)).status_code == 422
    edited = (await board.call("A", "PATCH", path, {"amount": "2000.00"}, version=1)).json()
    assert (edited["version"], edited["weighted"]) == (2, "200.00")
    await board.act(one, "move", {"stage": "proposal"}, status=412)
    await board.act(edited, "move", {"stage": "lead"}, status=422)
    await board.act(edited, "move", {"stage": "nothing"}, status=422)
    proposal = await board.act(edited, "move", {"stage": "proposal"})
    lost = await board.act(proposal, "lose", {"reason": "price", "note": "2 % elsewhere"})
    assert (lost["status"], lost["weighted"], lost["verbs"]) == ("lost", "0.00", ["reopen"])
    await board.act(lost, "win", {"amount": "5.00"}, status=409)
    again = await board.act(lost, "reopen", {"stage": "negotiation"})
    assert (again["status"], again["lost_reason"], again["weighted"]) == ("open", None, "1500.00")
    won = await board.act(again, "win", {"amount": "1800.00"})
    detail = (await board.call("A", "GET", path)).json()
    assert [(each["from_stage"], each["to_stage"]) for each in detail["moves"]] == [
        (None, "lead"),
        ("lead", "proposal"),
        ("proposal", "lost"),
        ("lost", "negotiation"),
        ("negotiation", "won"),
    ]
    told = await board.told(one)
    assert [(each.to_stage, each.version) for each in told] == [
        ("lead", 1),
        ("proposal", 3),
        ("lost", 4),
        ("negotiation", 5),
        ("won", won["version"]),
    ]
    assert str(told[-1].won_amount) == "1800.00"
    assert [each["stage"] for each in await board.desk.audited("win_opportunity")][-1] == "negotiation"
    with pytest.raises(DBAPIError, match="append-only"):
        async with board.desk.bank.campaign.runtime.db.transaction() as session:
            await session.execute(text("UPDATE opportunity_move SET moved_by = 'nobody'"))


async def test_a_contact_that_met_interest_opens_one_opportunity(board: Board) -> None:
    await board.desk.bank.launched(scheme=EVERYBODY)
    good, bad, *_ = await board.desk.tasks()
    accepted = {
        "disposition": "accepted",
        "minutes": 5,
        "outcome": {"offer": "steady-r2", "amount": "900.00"},
    }
    await board.desk.record(good["id"], accepted)
    await board.desk.record(bad["id"], {"disposition": "refused", "minutes": 1})
    body = {"name": "Follows the call", "expected_close": clock.today().isoformat()}
    refused = await board.call("A", "POST", "/opportunities", {**body, "contact_id": bad["id"]})
    assert refused.json()["errors"][0]["pointer"] == "/contact_id"
    foreign = await board.call("B", "POST", "/opportunities", {**body, "contact_id": good["id"]})
    assert foreign.status_code == 403
    answer = await board.call("A", "POST", "/opportunities", {**body, "contact_id": good["id"]})
    one = answer.json()
    assert (one["source"], one["contact_id"], one["customer_id"]) == ("task", good["id"], good["customer_id"])
    assert (one["offer"], one["product"], one["amount"]) == ("steady-r2", "W-01", "900.00")
    twice = await board.call("A", "POST", "/opportunities", {**body, "contact_id": good["id"]})
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/opportunity-exists")


async def test_an_accepted_referral_opens_one_opportunity(board: Board) -> None:
    referral = {
        "customer_id": str(board.desk.people[0].customer_id),
        "from_line": "corporate",
        "to": {"line": "personal", "org": PUDONG, "manager": "B"},
        "offer": "steady-r2",
    }
    made = await board.call("A", "POST", "/referrals", referral)
    assert made.status_code == 201, made.text
    path = f"/referrals/{made.json()['id']}"
    body = {"name": "Handed on", "amount": "5.00", "expected_close": "2030-01-01"}
    body["referral_id"] = made.json()["id"]
    early = await board.call("B", "POST", "/opportunities", body)
    assert early.json()["errors"][0]["detail"] == "is made, not accepted"
    accepted = await board.call("B", "POST", f"{path}:accept", version=made.json()["version"])
    assert accepted.status_code == 200, accepted.text
    assert (await board.call("A", "POST", "/opportunities", body)).status_code == 403
    one = (await board.call("B", "POST", "/opportunities", body)).json()
    assert (one["source"], one["referral_id"], one["product"]) == ("referral", body["referral_id"], "W-01")
    assert (await board.call("B", "POST", "/opportunities", body)).status_code == 409


async def test_stages_are_head_offices_and_none_in_use_goes(board: Board) -> None:
    one = await board.opened()

    def body(*keys: str) -> dict[str, Any]:
        names = {"name": {"zh": "阶段", "en": "Stage"}}
        return {"stages": [{"key": key, "probability": f"0.{n}", **names} for n, key in enumerate(keys, 1)]}

    assert (await board.call("TIER", "POST", "/opportunity-stages", body("lead"))).status_code == 403
    kept = await board.call("S1", "POST", "/opportunity-stages", body("first", "second"))
    assert (kept.status_code, kept.json()["type"]) == (409, "/problems/stage-in-use")
    twice = await board.call("S1", "POST", "/opportunity-stages", body("lead", "lead"))
    assert twice.json()["errors"][0]["pointer"] == "/stages/1/key"
    new = (await board.call("S1", "POST", "/opportunity-stages", body("first", "lead", "last"))).json()
    assert (new["version"], (await board.call("A", "GET", "/opportunity-stages/current")).json()) == (1, new)
    path = f"/opportunities/{one['id']}"
    assert (await board.call("A", "GET", path)).json()["weighted"] == "200.00"
    assert (await board.opened(1))["stage"] == "first"


async def test_the_funnel_counts_what_stands_and_what_came_through(board: Board) -> None:
    """Six opened: one lead, two proposals of which one is lost, one in talks, two won; in A's and B's hands."""
    ones = [await board.opened(n, who="B" if n == 5 else "A") for n in range(6)]
    moves = [[], ["proposal"], ["proposal"], ["proposal", "negotiation"], ["negotiation"], []]
    for n, stages in enumerate(moves):
        for stage in stages:
            ones[n] = await board.act(ones[n], "move", {"stage": stage}, "B" if n == 5 else "A")
    await board.act(ones[2], "lose", {"reason": "competitor"})
    await board.act(ones[4], "win", {"amount": "700.00"})
    await board.act(ones[5], "win", {"amount": "300.00"}, "B")
    shown = (await board.call("HEAD", "GET", "/opportunities/funnel")).json()
    [whole] = shown["groups"]
    assert (whole["open"], whole["amount"], whole["weighted"]) == (3, "3000.00", "1350.00")
    assert (whole["opened"], whole["won"], whole["won_amount"], whole["lost"]) == (6, 2, "1000.00", 1)
    assert whole["win_rate"] == pytest.approx(2 / 3)
    names = ("reached", "advanced", "lost", "open", "weighted")
    assert [[each[name] for name in names] for each in whole["stages"]] == [
        [6, 5, 0, 1, "100.00"],
        [5, 5, 0, 0, "0.00"],
        [5, 3, 1, 1, "500.00"],
        [3, 2, 0, 1, "750.00"],
    ]
    assert whole["stages"][2]["conversion"] == 0.75
    assert 0 <= whole["stages"][0]["median_days"] < 1
    by = (await board.call("HEAD", "GET", "/opportunities/funnel?by=manager")).json()["groups"]
    assert [(each["group"], each["opened"], each["won_amount"]) for each in by] == [
        ("A", 5, "700.00"),
        ("B", 1, "300.00"),
    ]
    mine = (await board.call("B", "GET", "/opportunities/funnel")).json()["groups"]
    assert [each["opened"] for each in mine] == [1]
    for query, opened in (("currency=USD", 0), ("org=hq.sh", 6), ("org=hq.sh.pudon", 0), ("rad=retain", 0)):
        found = (await board.call("S1", "GET", f"/opportunities/funnel?{query}")).json()["groups"]
        assert sum(each["opened"] for each in found) == opened, query
    backwards = await board.call("S1", "GET", "/opportunities/funnel?opened_from=2030-01-01")
    assert backwards.status_code == 400
    assert (await board.call("J", "GET", "/opportunities/funnel")).json()["groups"][0]["opened"] == 0


async def test_lists_show_what_is_asked_for_page_by_page(board: Board) -> None:
    late = (clock.today() - timedelta(days=1)).isoformat()
    first = await board.opened(0, expected_close=late, rad="retain", offer="steady-r2")
    second = await board.opened(1, who="B")
    assert first["overdue"]
    assert await board.found() == [first["id"]]
    assert await board.found("HEAD") == [first["id"], second["id"]]
    assert await board.found("HEAD", "manager=B") == [second["id"]]
    assert await board.found("HEAD", "rad=retain&offer=steady-r2&status=open&stage=lead") == [first["id"]]
    assert await board.found("HEAD", f"close_before={clock.today()}") == [first["id"]]
    assert await board.found("HEAD", f"customer_id={board.desk.people[1].customer_id}") == [second["id"]]
    page = (await board.call("HEAD", "GET", "/opportunities?limit=1")).json()
    rest = (await board.call("HEAD", "GET", f"/opportunities?limit=1&cursor={page['next_cursor']}")).json()
    assert [each["id"] for each in rest["items"]] == [second["id"]]
    assert (await board.call("J", "GET", f"/opportunities/{first['id']}")).status_code == 404
    await board.act(first, "move", {"stage": "proposal"}, "B", status=403)
    given = await board.act(first, "assign", {"manager": "B"}, "HEAD")
    assert given["manager"] == "B"
    await board.act(given, "assign", {"manager": "NOBODY"}, "HEAD", status=422)


async def test_open_opportunities_follow_the_customers_owners_and_come_back(board: Board) -> None:
    mine, given, closed = [await board.opened(n) for n in range(3)]
    given = await board.act(given, "assign", {"manager": "B"}, "HEAD")
    await board.act(closed, "win", {"amount": "5.00"})
    people = board.desk.people

    def handover(*, undone: bool) -> HandoverCompleted:
        return HandoverCompleted(
            handover_id=new_id(),
            staff="A",
            customers=6,
            receivers={"B": 6},
            undone=undone,
            completed_at=clock.now(),
        )

    await board.desk.tell(moved(people, "handover", AB, BC), handover(undone=False))
    assert await board.found("A") == [closed["id"]]
    assert set(await board.found("B")) == {mine["id"], given["id"]}
    await board.desk.tell(moved(people, "handover_undone", BC, AB), handover(undone=True))
    assert set(await board.found("A")) == {mine["id"], closed["id"]}
    assert await board.found("B") == [given["id"]]
    away = {"org": JINGAN, "primary_manager": "J", "backup_manager": None}
    await board.desk.tell(moved(people[:1], "assignment", AB, away))
    assert await board.found("J") == [mine["id"]]
    assert (await board.call("HEAD", "GET", f"/opportunities/{mine['id']}")).status_code == 404


async def test_the_merged_are_read_with_the_survivor(board: Board) -> None:
    survivor, loser, *_ = board.desk.people
    one = await board.opened(1)
    await board.desk.tell(*merged(survivor, loser))
    assert await board.found("A", f"customer_id={survivor.customer_id}") == [one["id"]]
    shown = (await board.call("A", "GET", f"/opportunities/{one['id']}")).json()
    assert shown["customer_id"] == str(survivor.customer_id)
    body = {"customer_id": str(loser.customer_id), "name": "x", "amount": "1.00"}
    refused = await board.call("A", "POST", "/opportunities", {**body, "expected_close": "2030-01-01"})
    assert refused.json()["errors"][0]["detail"] == "is merged: name the survivor"


async def test_figures_stay_of_the_erased_and_no_words(board: Board) -> None:
    one = await board.opened(name="lives at the lake", next_action="row on the lake")
    lost = await board.act(await board.opened(), "lose", {"reason": "other", "note": "moved from the lake"})
    kept = await board.opened(1, name="beside the lake")
    customer = ref(board.desk.people[0])
    erased = CustomerErased(receipt_id=new_id(), customers=[customer], erased_at=datetime.now(UTC))
    await board.desk.tell(erased)
    shown = (await board.call("A", "GET", f"/opportunities/{one['id']}")).json()
    assert (shown["status"], shown["lost_reason"], shown["name"]) == ("lost", "erased", "")
    assert shown["moves"][-1]["moved_by"] == "system:erasure"
    assert (shown["next_action"], shown["amount"]) == (None, "1000.00")
    assert [each.lost_reason for each in await board.told(one)] == [None, "erased"]
    again = await board.act({**lost, "version": lost["version"]}, "reopen", {"stage": "lead"}, status=409)
    assert again["type"] == "/problems/customer-gone"
    async with board.desk.bank.campaign.runtime.db.transaction() as session:
        left = await session.scalars(text("SELECT name FROM opportunity o WHERE o::text LIKE '%lake%'"))
        assert list(left) == [kept["name"]]


async def test_a_customers_state_is_what_was_measured(board: Board) -> None:
    customer, file, new, *_ = board.desk.people
    month = clock.today().replace(day=1)
    await board.desk.tell(*merged(customer, file))
    for back, amount in enumerate(("50.00", "60.00", "70.00", "100.00", "80.00", "90.00"), 1):
        year, number = divmod(month.year * 12 + month.month - 1 - back, 12)
        earlier = month.replace(year=year, month=number + 1)
        await board.store(a_month(customer, file, earlier, amount))
    shown = (await board.call("A", "GET", f"/customers/{customer.customer_id}/rad")).json()
    assert shown == {
        "customer_id": str(customer.customer_id),
        "rad": "retain",
        "months": 6,
        "recent": "60.00",
        "before": "90.00",
        "won": 0,
    }
    assert (await board.opened())["rad"] == "retain"
    other = (await board.call("A", "GET", f"/customers/{new.customer_id}/rad")).json()
    assert (other["rad"], other["months"]) == ("acquire", 0)
    assert (await board.call("J", "GET", f"/customers/{customer.customer_id}/rad")).status_code == 404


ODD: list[tuple[dict[str, Any], str]] = [
    ({"amount": "0.00"}, "/amount"),
    ({"amount": "NaN"}, "/amount"),
    ({"amount": "1e40"}, "/amount"),
    ({"amount": None}, "/amount"),
    ({"name": "a\x00b"}, "/name"),
    ({"customer_id": str(new_id())}, "/customer_id"),
    ({"customer_id": "x"}, "/customer_id"),
    ({"offer": "nothing"}, "/offer"),
    ({"stage": "nothing"}, "/stage"),
    ({"contact_id": str(new_id())}, ""),
    ({"rad": "keep"}, "/rad"),
]


async def test_odd_input_is_pointed_at(board: Board) -> None:
    body = {
        "customer_id": str(board.desk.people[0].customer_id),
        "name": "A loan",
        "amount": "10.00",
        "expected_close": "2030-01-01",
    }
    for changes, pointer in ODD:
        answer = await board.call("A", "POST", "/opportunities", {**body, **changes})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text
    assert (await board.call("A", "POST", "/opportunities", {**body, "manager": "B"})).status_code == 403
    assert (await board.call("S1", "POST", "/opportunities", body)).status_code == 403
