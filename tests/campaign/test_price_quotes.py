"""Quotes through the API: priced, granted, checked by others, subsidised by what was measured."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared import clock
from shared.contracts.events import (
    CustomerErased,
    CustomersChanged,
)
from shared.ids import new_id
from tests.campaign.desk import JINGAN, merged, ref
from tests.campaign.price_counter import Counter, counter, month_back, told
from tests.campaign.prices import PRICES, a_line

__all__ = ["counter"]


async def test_a_simulation_saves_nothing(counter: Counter) -> None:
    lines = [a_line("LOAN-WC", "1000000.00", "0.0415"), a_line("TRANSFER", "120.00")]
    body = counter.body(None, lines=lines, bundle="settlement")
    answer = await counter.call("M1", "POST", "/price-quotes:simulate", body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    total = found["total"]
    assert [total[name] for name in ("revenue", "cost", "contribution")] == [
        "47500.00",
        "39378.00",
        "8122.00",
    ]
    assert [(each["bundle"], each["revenue"]) for each in found["alternatives"]] == [
        (None, "50700.00"),
        ("settlement", "49500.00"),
    ]
    assert found["decision"] == {
        "needs_approval": False,
        "concerns": [],
        "approvers": ["manager", "branch_head", "approver"],
    }
    assert found["measured"] == {"months": 0, "through": None, "contribution": "0.00", "committed": "0.00"}
    listed = await counter.call("S1", "GET", "/price-quotes")
    assert listed.json()["items"] == []


async def test_a_manager_grants_a_small_discount_alone_and_it_stays(counter: Counter) -> None:
    quote = await counter.draft("0.0415")
    assert (quote["status"], quote["verbs"], quote["valid_until"]) == ("draft", ["edit", "submit"], None)
    granted = await counter.act("M1", quote, "submit")
    assert (granted["status"], granted["decided_by"], granted["verbs"]) == ("approved", None, [])
    assert granted["valid_until"] == (clock.today() + timedelta(days=30)).isoformat()
    path = f"/price-quotes/{quote['id']}"
    edited = await counter.call("M1", "PATCH", path, {"months": 6}, version=granted["version"])
    assert (edited.status_code, edited.json()["type"]) == (409, "/problems/illegal-transition")
    await refused_by_the_database(counter, "UPDATE price_quote SET note = 'x'")
    entries = await audited(counter, f"price_quote/{quote['id']}")
    assert entries == [("create_quote", "draft"), ("submit_quote", "approved")]


async def test_a_larger_discount_takes_somebody_else_with_the_authority(counter: Counter) -> None:
    quote = await counter.draft("0.0370", note="competitor offers 3.7 %")
    assert quote["decision"]["concerns"] == ["discount", "below_cost", "below_floor"]
    waiting = await counter.act("M1", quote, "submit")
    assert (waiting["status"], waiting["verbs"]) == ("in_review", ["edit", "approve", "reject"])
    await counter.act("M1", waiting, "approve", status=403)
    refused = await counter.act("B1", waiting, "approve", status=403)
    assert refused["type"] == "/problems/beyond-authority"
    stale = await counter.act("A1", quote, "approve", status=412)
    assert stale["type"] == "/problems/stale-version"
    rejected = await counter.act("A1", waiting, "reject", {"reason": "not at this price"})
    assert (rejected["status"], rejected["decision_comment"]) == ("rejected", "not at this price")
    path = f"/price-quotes/{quote['id']}"
    better = {"lines": [a_line("LOAN-WC", "1000000.00", "0.0374")]}
    edited = await counter.call("M1", "PATCH", path, better, version=rejected["version"])
    assert edited.status_code == 200, edited.text
    assert (edited.json()["status"], edited.json()["decided_by"]) == ("draft", None)
    again = await counter.act("M1", edited.json(), "submit")
    granted = await counter.act("A1", again, "approve", {"comment": "once"})
    assert (granted["status"], granted["decided_by"]) == ("approved", "user:A1")


async def test_whoever_made_it_does_not_decide_on_it_even_as_administrator(counter: Counter) -> None:
    quote = await counter.draft("0.0200", who="ADM")
    waiting = await counter.act("ADM", quote, "submit")
    assert waiting["status"] == "in_review"  # whatever the authority, not below cost alone
    refused = await counter.act("ADM", waiting, "approve", status=403)
    assert refused["type"] == "/problems/maker-is-checker"
    for statement in (
        "UPDATE price_quote SET status = 'approved'",
        "UPDATE price_quote SET status = 'approved', needs_approval = false",
        "UPDATE price_quote SET status = 'approved', decided_by = submitted_by",
        "UPDATE price_quote SET status = 'approved', decided_by = 'user:B', revenue = cost",
        "UPDATE price_quote SET status = 'draft', submitted_by = NULL, valid_until = NULL, decided_by = 'user:B'",
    ):
        await refused_by_the_database(counter, statement)
    await refused_by_the_database(counter, "UPDATE price_list SET content = '{}'")


async def test_prices_hold_once_somebody_else_has_approved_them(counter: Counter) -> None:
    loan, _, transfer = PRICES["products"]
    authority = [{"role": "manager", "discount": "0.1"}, *PRICES["authority"][1:]]
    body = {**PRICES, "products": [{**loan, "pd": "0.02"}, transfer], "authority": authority, "bundles": []}
    second, third = await counter.propose(body, who="ADM"), await counter.propose({**body, "hurdle": "0.1"})
    quote = await counter.draft("0.0415")
    assert quote["price_list"] == "corporate@1"
    changed = (await counter.call("A1", "GET", f"/price-lists/{second}/preview")).json()
    assert (changed["ref"], changed["base"], changed["dropped"]) == (second, "corporate@1", ["TD-1Y"])
    told = [
        (each["part"], each["key"], each["term"], each["before"], each["after"])
        for each in changed["changes"]
    ]
    assert told[:2] == [
        ("product", "LOAN-WC", "pd", "0.012", "0.02"),
        ("authority", "manager", "discount", "0.05", "0.1"),
    ]
    assert {each[:3] for each in told[2:] if each[4] is None} >= {
        ("product", "TD-1Y", "list_price"),
        ("bundle", "settlement", "monthly_fee"),
        ("bundle_price", "settlement/TRANSFER", "price"),
    }
    for who in ("M1", "B1", "S1"):
        await counter.decide(who, second, status=403)
    own = await counter.decide("ADM", second, status=403)
    assert own["type"] == "/problems/maker-is-checker"
    for statement in (
        "UPDATE price_list SET state = 'approved', decided_by = created_by WHERE version = 2",
        "UPDATE price_list SET state = 'approved' WHERE version = 2",
        "UPDATE price_list SET state = 'retired' WHERE version = 1",
    ):
        await refused_by_the_database(counter, statement)
    approved = await counter.decide("A1", third)
    assert (approved["state"], approved["decided_by"], approved["comment"]) == (
        "approved",
        "user:A1",
        "as agreed",
    )
    late = await counter.decide("A1", second, status=409)
    assert late["type"] == "/problems/price-list-superseded"
    assert (await counter.decide("A1", second, "reject"))["state"] == "rejected"
    again = await counter.decide("ADM", third, "reject", status=409)
    assert again["type"] == "/problems/illegal-transition"
    superseded = await counter.act("M1", quote, "submit", status=409)
    assert superseded["type"] == "/problems/price-list-superseded"
    in_force = (await counter.call("M1", "GET", "/price-lists?newest=true")).json()["items"]
    assert [each["ref"] for each in in_force] == ["corporate@3"]
    rejected = (await counter.call("M1", "GET", "/price-lists?state=rejected")).json()["items"]
    assert [(each["ref"], each["comment"]) for each in rejected] == [("corporate@2", "too cheap")]
    entries = await audited(counter, f"price_list/{third}")
    assert [action for action, _ in entries] == ["create_price_list", "approve_price_list"]


async def test_a_list_that_was_never_approved_prices_nothing(counter: Counter) -> None:
    await counter.propose({**PRICES, "key": "small"})
    answer = await counter.call("M1", "POST", "/price-quotes", counter.body("0.04", price_list="small"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/price_list")


async def test_nobody_may_approve_what_the_list_gives_nobody(counter: Counter) -> None:
    written = {**PRICES, "authority": [{"role": "manager", "discount": "0.05"}]}
    assert await counter.price(written) == "corporate@2"
    refused = await counter.act("M1", await counter.draft("0.0200"), "submit", status=422)
    assert refused["type"] == "/problems/beyond-authority"


async def test_new_prices_make_open_quotes_stale(counter: Counter) -> None:
    draft, waiting = await counter.draft("0.0415"), await counter.draft("0.0400")
    waiting = await counter.act("M1", waiting, "submit")
    dearer = [{**PRICES["products"][0], "funding_rate": "0.03"}, *PRICES["products"][1:]]
    await counter.price({**PRICES, "products": dearer})
    for who, quote, verb in (("M1", draft, "submit"), ("A1", waiting, "approve")):
        refused = await counter.act(who, quote, verb, status=409)
        assert refused["type"] == "/problems/price-list-superseded"
    path = f"/price-quotes/{draft['id']}"
    assert (await counter.call("M1", "PATCH", path, {})).status_code == 428
    assert (await counter.call("M1", "PATCH", path, {}, version=7)).status_code == 412
    anew = (await counter.call("M1", "PATCH", path, {}, version=draft["version"])).json()
    assert (anew["price_list"], anew["total"]["cost"]) == ("corporate@2", "46650.00")
    assert (await counter.act("M1", anew, "submit"))["status"] == "in_review"
    newest = await counter.call("M1", "GET", "/price-lists", None)
    assert [each["ref"] for each in newest.json()["items"]] == ["corporate@1", "corporate@2"]
    newest = await counter.call("M1", "GET", "/price-lists?newest=true")
    assert [each["ref"] for each in newest.json()["items"]] == ["corporate@2"]
    first = await counter.call("M1", "GET", "/price-lists/corporate@1")
    assert first.json()["products"][0]["funding_rate"] == "0.021"


async def test_a_preview_says_what_new_prices_change_and_writes_nothing(counter: Counter) -> None:
    loan, _, transfer = PRICES["products"]
    body = {**PRICES, "products": [{**loan, "list_price": "0.03"}, transfer]}
    answer = await counter.call("S1", "POST", "/price-lists:preview", body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["ref"], found["base"], found["dropped"]) == ("corporate@2", "corporate@1", ["TD-1Y"])
    assert [(each["list_price"], each["before"], each["floor_price"]) for each in found["products"]] == [
        ("0.03", "0.0435", "0.037650"),
        ("5", "5", "1.200000"),
    ]
    wrong = {**body, "products": [{**loan, "pd": "2"}]}
    refused = await counter.call("S1", "POST", "/price-lists:preview", wrong)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/products/0/pd"]
    kept = (await counter.call("S1", "GET", "/price-lists?key=corporate")).json()["items"]
    assert [each["ref"] for each in kept] == ["corporate@1"]
    assert (await counter.call("M1", "POST", "/price-lists:preview", body)).status_code == 403


async def test_measured_contribution_lowers_the_floor_once(counter: Counter) -> None:
    """30 % of 5,000 in the last twelve months: 1,500 a year may be given away, by all quotes together."""
    await counter.tell(
        *merged(counter.one, counter.other),
        told(counter.one, "3000.00", back=1),
        told(counter.one, "9999.00", back=2),
        told(counter.one, "1.00", back=2, edition=3, products=0),
        told(counter.one, "8888.00", back=2, edition=2),
        told(counter.other, "2000.00", back=12),
        told(counter.other, "7777.00", back=13),
        told(counter.other, "6666.00", back=0),
        told(counter.one, "5555.00", back=3, model="other"),
        told(counter.one, "4444.00", back=4, currency="USD"),
    )
    quote = await counter.draft("0.0370")
    assert quote["measured"] == {
        "months": 2,
        "through": month_back(1).isoformat(),
        "contribution": "5000.00",
        "committed": "0.00",
    }
    # 37,650 cost, 37,000 revenue: between floor and cost, which a branch head may approve.
    assert (quote["total"]["subsidy"], quote["total"]["floor"]) == ("1500.00", "36150.00")
    assert quote["decision"]["concerns"] == ["discount", "below_cost"]
    second = await counter.draft("0.0370")
    both = await asyncio.gather(counter.act("M1", quote, "submit"), counter.act("M1", second, "submit"))
    assert sorted(each["measured"]["committed"] for each in both) == ["0.00", "650.00"]
    assert sorted(each["total"]["subsidy"] for each in both) == ["1500.00", "850.00"]
    third = await counter.draft("0.0370")
    assert third["measured"]["committed"] == "1300.00"
    assert third["total"]["floor"] == "37450.00"
    assert third["decision"]["concerns"][-1] == "below_floor"


async def test_the_quotes_of_the_merged_are_seen_with_the_survivor_and_made_no_more(counter: Counter) -> None:
    quote = await counter.draft("0.0370", customer_id=str(counter.other.customer_id))
    waiting = await counter.act("M1", quote, "submit")
    await counter.tell(*merged(counter.one, counter.other))
    listed = await counter.call("M1", "GET", f"/price-quotes?customer_id={counter.one.customer_id}")
    assert [each["id"] for each in listed.json()["items"]] == [quote["id"]]
    refused = await counter.act("A1", waiting, "approve", status=422)
    assert refused["errors"][0]["pointer"] == "/customer_id"
    body = counter.body("0.0415", customer_id=str(counter.other.customer_id))
    assert (await counter.call("M1", "POST", "/price-quotes", body)).status_code == 422
    assert (await counter.act("A1", waiting, "reject", {"reason": "merged"}))["status"] == "rejected"


async def test_nothing_is_left_of_the_erased(counter: Counter) -> None:
    await counter.tell(told(counter.one, "3000.00"))
    quote = await counter.draft("0.0370", note="lives at the lake")
    waiting = await counter.act("M1", quote, "submit")
    await counter.act("A1", waiting, "approve", {"comment": "for the lake"})
    kept = await counter.draft("0.0415", customer_id=str(counter.other.customer_id))
    erased = CustomerErased(receipt_id=new_id(), customers=[ref(counter.one)], erased_at=datetime.now(UTC))
    await counter.tell(erased, told(counter.one, "3000.00", edition=2))
    listed = await counter.call("S1", "GET", "/price-quotes")
    assert [each["id"] for each in listed.json()["items"]] == [kept["id"]]
    assert (await counter.call("M1", "POST", "/price-quotes", counter.body("0.0415"))).status_code == 422
    async with counter.bank.campaign.runtime.db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM known_contribution")) == 0
        assert (
            await session.scalar(text("SELECT count(*) FROM audit_log WHERE detail::text LIKE '%lake%'")) == 0
        )


async def test_quotes_stay_in_their_branch(counter: Counter) -> None:
    quote = await counter.draft("0.0415")
    path = f"/price-quotes/{quote['id']}"
    assert (await counter.call("M2", "GET", path)).status_code == 404
    assert (await counter.call("M2", "GET", "/price-quotes")).json()["items"] == []
    assert (await counter.call("M2", "POST", "/price-quotes", counter.body("0.0415"))).status_code == 422
    await counter.act("M2", quote, "submit", status=404)
    moved = counter.one.model_copy(update={"version": 2, "org": JINGAN})
    await counter.tell(CustomersChanged(customers=[moved]))
    assert (await counter.call("M2", "GET", path)).status_code == 200
    assert (await counter.call("M1", "GET", path)).status_code == 404


async def test_a_quote_expires(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = await counter.act("M1", await counter.draft("0.0415"), "submit")
    waiting = await counter.act("M1", await counter.draft("0.0400"), "submit")
    monkeypatch.setattr(clock._clock, "_offset", timedelta(days=31))
    refused = await counter.act("A1", waiting, "approve", status=409)
    assert refused["type"] == "/problems/illegal-transition"
    listed = await counter.call("S1", "GET", "/price-quotes?status=expired")
    assert {each["id"] for each in listed.json()["items"]} == {granted["id"], waiting["id"]}
    assert (await counter.call("S1", "GET", "/price-quotes?status=approved")).json()["items"] == []


ODD: list[tuple[dict[str, Any], str]] = [
    ({"price_list": "nothing"}, "/price_list"),
    ({"customer_id": str(new_id())}, "/customer_id"),
    ({"lines": [a_line("LOAN-WC", "0.001")]}, "/lines/0/volume"),
    ({"lines": [a_line("LOAN-WC", "NaN")]}, "/lines/0/volume"),
    ({"lines": [a_line("LOAN-WC", "1.00", "0.0000001")]}, "/lines/0/price"),
    ({"lines": [a_line("TRANSFER", "999999999999", "999999")]}, "/lines"),
    ({"bundle": "settlement"}, "/bundle"),
    ({"months": 361}, "/months"),
    ({"note": "a\x00b"}, "/note"),
]


async def test_odd_input_is_pointed_at(counter: Counter) -> None:
    for changes, pointer in ODD:
        answer = await counter.call("M1", "POST", "/price-quotes:simulate", counter.body("0.0415", **changes))
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_only_strategists_write_prices_and_only_sellers_quote(counter: Counter) -> None:
    for who in ("M1", "B1", "A1"):
        assert (await counter.call(who, "POST", "/price-lists", PRICES)).status_code == 403
    for who in ("S1", "A1"):  # who writes or checks prices may try them, and does not sell by them
        tried = await counter.call(who, "POST", "/price-quotes:simulate", counter.body("0.0415"))
        assert tried.status_code == 200, tried.text
        assert (await counter.call(who, "POST", "/price-quotes", counter.body("0.0415"))).status_code == 403


async def refused_by_the_database(counter: Counter, statement: str) -> None:
    with pytest.raises(DBAPIError):
        async with counter.bank.campaign.runtime.db.transaction() as session:
            await session.execute(text(statement))


async def audited(counter: Counter, named: str) -> list[tuple[str, str]]:
    query = text("SELECT action, detail->>'status' FROM audit_log WHERE object = :object ORDER BY seq")
    async with counter.bank.campaign.runtime.db.transaction() as session:
        rows = await session.execute(query, {"object": named})
        return [(row[0], row[1]) for row in rows]
