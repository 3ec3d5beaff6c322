"""Strategies: complete before they are active, a bound for their campaigns, version by version."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.campaign.domain.strategies import completeness, contradictions, missing, parts
from shared import clock
from shared.auth import Role
from shared.contracts.campaign.strategies import StrategyContent
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm, campaign_body

_FOUR_P = ("product", "price", "place", "promotion")
FOUR_C = {"customer": "Safety", "cost": "None", "convenience": "At home", "communication": "A call"}
STP = {"segmentation": "By assets", "targeting": "Over fifty", "positioning": "The bank that plans"}


def strategy_body(**changes: Any) -> dict[str, Any]:
    """A strategy with everything `:activate` asks for."""
    today = clock.today()
    body: dict[str, Any] = {
        "key": f"s{new_id().hex}",
        "name": {"zh": "财富策略", "en": "Wealth strategy"},
        "org": "hq.sh",
        "objective": {
            "statement": "Bring deposits back",
            "primary_metric": "net_inflow_30d",
            "target": "50000000.00",
            "start": today.isoformat(),
            "end": (today + timedelta(days=90)).isoformat(),
            "key_tiers": ["gold"],
        },
        "segments": [SEGMENT],
        "scenario": {"kind": "product", "products": ["W-01"]},
        "stp": STP,
        "four_c": FOUR_C,
        "channels": ["manager_task"],
        "offers": ["steady-r2"],
        "scripts": ["call@1"],
        "budget": {"amount": "1000.00", "currency": "CNY"},
    }
    return {**body, **changes}


@pytest.fixture
async def small_bank(empty_bank: Bank) -> Bank:
    """Ten customers in one segment."""
    await empty_bank.add_customers([a_customer(number) for number in range(10)])
    await empty_bank.add_segment(SEGMENT, [state.customer_id for state in empty_bank.customers])
    return empty_bank


def pointers(answer: httpx.Response) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]


async def _write(author: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    answer = await author.post("/v1/strategies", json=strategy_body(**changes))
    assert answer.status_code == 201, answer.text
    return answer


async def _active(author: httpx.AsyncClient, **changes: Any) -> str:
    key = str((await _write(author, **changes)).json()["key"])
    answer = await author.post(f"/v1/strategies/{key}:activate")
    assert answer.status_code == 200, answer.text
    return key


async def _edit(author: httpx.AsyncClient, key: str, **changes: Any) -> httpx.Response:
    path = f"/v1/strategies/{key}"
    etag = (await author.get(path)).headers["etag"]
    return await author.patch(path, json=changes, headers={"If-Match": etag})


async def _draft(author: httpx.AsyncClient, amount: str = "400.00", **changes: Any) -> str:
    body = campaign_body(**{"budget": {"amount": amount, "currency": "CNY"}, **changes})
    answer = await author.post("/v1/campaigns", json=body)
    assert answer.status_code == 201, answer.text
    return f"/v1/campaigns/{answer.json()['id']}"


def test_what_is_missing_is_named_part_by_part() -> None:
    bare = {"name": {"zh": "空", "en": "Bare"}, "org": "hq"}
    lacking = [error.pointer for error in missing(parts(StrategyContent.model_validate(bare)))]
    assert lacking == [
        *("/objective", "/stp/segmentation", "/stp/targeting", "/stp/positioning"),
        *("/segments", "/scenario", "/channels", "/offers", "/scripts"),
        *("/four_p/product", "/four_p/price", "/four_p/place", "/four_p/promotion"),
    ]
    full = strategy_body(four_r={"reward": "Points"}, four_c={**FOUR_C, "cost": None})
    del full["key"]
    content = StrategyContent.model_validate(full)
    # Of the three lists the one that is nearest to its end is asked for.
    assert [error.pointer for error in missing(parts(content))] == ["/four_c/cost"]
    # Of 22 statements the four of 4P, three of 4R and one of 4C are open.
    assert completeness(parts(content)) == pytest.approx(14 / 22)


def test_a_period_that_ends_before_it_starts_and_what_is_named_twice() -> None:
    body = strategy_body(offers=["a", "b", "a"])
    body["objective"]["end"] = "2020-01-01"
    del body["key"]
    found = contradictions(StrategyContent.model_validate(body))
    assert [error.pointer for error in found] == ["/objective/end", "/offers/2"]


async def test_a_draft_is_completed_activated_and_closed(small_bank: Bank) -> None:
    async with small_bank.strategist() as author:
        written = await _write(author, stp={"segmentation": "By assets"}, four_c={})
        key, path = written.json()["key"], written.headers["location"]
        refused = await author.post(f"{path}:activate")
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/strategy-incomplete")
        lacking = ["/stp/targeting", "/stp/positioning", *(f"/four_p/{p}" for p in _FOUR_P)]
        assert pointers(refused) == lacking == written.json()["missing"]
        stale = {"If-Match": written.headers["etag"]}
        assert (await _edit(author, key, stp=STP, four_c=FOUR_C)).json()["missing"] == []
        assert (await author.patch(path, json={"stp": STP})).status_code == 428
        assert (await author.patch(path, json={"stp": STP}, headers=stale)).status_code == 412
        assert await small_bank.all_of(f"{path}/versions") == []
        active = await author.post(f"{path}:activate")
        assert (active.json()["state"], active.json()["verbs"]) == ("active", ["edit", "close"])
        again = await author.post(f"{path}:activate")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/illegal-transition")
        # What is active stays complete.
        assert pointers(await _edit(author, key, four_c=None)) == [f"/four_p/{name}" for name in _FOUR_P]
        edited = await _edit(author, key, name={"zh": "二", "en": "Second"})
        assert edited.json()["version"] == 2
        assert (await _edit(author, key, name={"zh": "二", "en": "Second"})).json()["version"] == 2
        versions = await small_bank.all_of(f"{path}/versions")
        assert [(each["version"], each["name"]["en"]) for each in versions] == [
            (2, "Second"),
            (1, "Wealth strategy"),
        ]
        closed = await author.post(f"{path}:close", json={"reason": "The market turned"})
        assert (closed.json()["state"], closed.json()["closed_because"]) == ("closed", "The market turned")
        assert (await _edit(author, key, four_c=None)).status_code == 409
    async with small_bank.client(Role.auditor) as auditor:
        trail = (await auditor.get("/v1/audit", params={"limit": "1000"})).json()["items"]
        actions = [entry["action"] for entry in trail if entry["object"] == f"strategy/{key}"]
        assert sorted(actions) == sorted(
            ["create_strategy", "edit_strategy", "activate_strategy", "edit_strategy", "close_strategy"]
        )


_BAD: list[tuple[dict[str, Any], str]] = [
    ({"segments": [SEGMENT, "nobody"]}, "/segments/1"),
    ({"channels": ["smoke"]}, "/channels/0"),
    ({"offers": ["nothing"]}, "/offers/0"),
    ({"scripts": ["call@9"]}, "/scripts/0"),
    ({"materials": ["leaflet@1"]}, "/materials/0"),
    ({"scenario": {"kind": "product", "products": []}}, "/scenario/products"),
    ({"scenario": {"kind": "life_cycle", "stages": ["teenage"]}}, "/scenario/stages/0"),
    ({"scenario": {"kind": "weather"}}, "/scenario"),
    ({"budget": {"amount": "-1"}}, "/budget/amount"),
    ({"four_p": {"price": ""}}, "/four_p/price"),
    ({"org": "Shanghai"}, "/org"),
]


async def test_bad_input_names_its_field(small_bank: Bank) -> None:
    async with small_bank.strategist() as author:
        for changes, pointer in _BAD:
            refused = await author.post("/v1/strategies", json=strategy_body(**changes))
            assert (refused.status_code, pointers(refused)) == (422, [pointer])
        unprintable = await author.post("/v1/strategies", json=strategy_body(stp={"targeting": "\x00"}))
        assert unprintable.status_code == 422
        key = (await _write(author)).json()["key"]
        assert pointers(await _edit(author, key, name=None, org=None)) == ["/name", "/org"]
        assert pointers(await _edit(author, key, offers=["nothing"])) == ["/offers/0"]


async def test_a_campaign_stays_within_its_strategy(small_bank: Bank) -> None:
    async with small_bank.strategist() as author:
        written = await author.post("/v1/campaigns", json=campaign_body(strategy="nothing"))
        assert (written.status_code, pointers(written)) == (422, ["/strategy"])
        draft = (await _write(author, org="hq.sh.pudong")).json()
        path = await _draft(
            author,
            "1000.01",
            strategy_id=draft["id"],
            schedule={
                "start": (clock.today() + timedelta(days=91)).isoformat(),
                "end": (clock.today() + timedelta(days=99)).isoformat(),
            },
        )
        assert (await author.get(path)).json()["strategy"] == draft["key"]
        refused = await author.post(f"{path}:submit")
        assert refused.status_code == 422
        assert pointers(refused) == ["/strategy", "/schedule/start", "/people/orgs/0", "/budget/amount"]
        other = await _active(author)
        etag = (await author.get(path)).headers["etag"]
        patch = {"strategy": other, "strategy_id": draft["id"]}
        refused = await author.patch(path, json=patch, headers={"If-Match": etag})
        assert pointers(refused) == ["/strategy_id"]
        freed = await author.patch(path, json={"strategy": None}, headers={"If-Match": etag})
        assert "strategy" not in freed.json()
        assert freed.json()["strategy_id"] is None


async def test_campaigns_share_the_budget_of_their_strategy(small_bank: Bank) -> None:
    async with small_bank.strategist() as author:
        key = await _active(author)
        first, second = await _draft(author, strategy=key), await _draft(author, "600.01", strategy=key)
        assert (await author.post(f"{first}:submit")).status_code == 200
        refused = await author.post(f"{second}:submit")
        assert (refused.status_code, pointers(refused)) == (422, ["/budget/amount"])
        assert "600.00 CNY left of 1000.00" in refused.json()["errors"][0]["detail"]
        unbounded = await _draft(author, strategy=key, budget=None)
        assert pointers(await author.post(f"{unbounded}:submit")) == ["/budget"]
        foreign = await _draft(author, strategy=key, budget={"amount": "1.00", "currency": "USD"})
        assert pointers(await author.post(f"{foreign}:submit")) == ["/budget/currency"]
        below = await _edit(author, key, budget={"amount": "399.99"})
        assert (below.status_code, below.json()["type"]) == (409, "/problems/below-committed")
        closed = await author.post(f"/v1/strategies/{key}:close", json={"reason": "No"})
        assert (closed.status_code, closed.json()["type"]) == (409, "/problems/campaigns-under-way")
        # What ends without a contact gives its budget back.
        await author.post(f"{first}:abort", json={"reason": "No"})
        assert (await author.post(f"{second}:submit")).status_code == 200


async def test_two_campaigns_do_not_take_the_same_money(small_bank: Bank) -> None:
    async with small_bank.strategist() as author:
        key = await _active(author)
        paths = [await _draft(author, "600.00", strategy=key) for _ in range(4)]
        answers = await asyncio.gather(*(author.post(f"{path}:submit") for path in paths))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]


async def test_campaigns_keep_the_version_they_were_approved_with(small_bank: Bank) -> None:
    async with small_bank.strategist() as author, small_bank.approver() as checker:
        key = await _active(author)
        kept, late = await _draft(author, strategy=key), await _draft(author, strategy=key)
        assert (await author.post(f"{kept}:submit")).json()["strategy_version"] == 1
        assert (await checker.post(f"{kept}:approve", json={})).status_code == 200
        assert (await author.post(f"{late}:submit")).status_code == 200
        assert (await _edit(author, key, name={"zh": "二", "en": "Second"})).json()["version"] == 2
        # Whoever decides reads what holds now.
        refused = await checker.post(f"{late}:approve", json={})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/approval-void")
        assert (await author.post(f"{kept}:launch")).status_code == 202
        etag = (await author.get(late)).headers["etag"]
        await author.patch(late, json={"budget": None}, headers={"If-Match": etag})
        assert (await author.get(late)).json()["strategy_version"] is None
        assert (await author.get(kept)).json()["strategy_version"] == 1
        named = await small_bank.all_of("/v1/campaigns", strategy=key)
        assert [each["strategy"] for each in named] == [key, key]


async def test_a_strategy_shows_where_it_stands(small_bank: Bank) -> None:
    everybody = a_scheme(an_arm("call", 1.0), hold_out=0)
    async with small_bank.strategist() as author:
        key = await _active(author)
        await _draft(author, strategy=key)
        running = await small_bank.launched(
            strategy=key, scheme=everybody, budget={"amount": "500.00", "currency": "CNY"}
        )
        path = f"/v1/strategies/{key}"
        task = (await author.get("/v1/tasks", params={"limit": "1"})).json()["items"][0]
    async with small_bank.manager(task["manager"], "hq.sh") as manager:
        assert (await manager.post(f"/v1/tasks/{task['id']}:start")).status_code == 200
        recorded = await manager.post(
            f"/v1/tasks/{task['id']}:record",
            json={
                "disposition": "accepted",
                "minutes": 6,
                "outcome": {"offer": "steady-r2", "amount": "100.00"},
            },
        )
        assert recorded.status_code == 200, recorded.text
    newest, draft = await small_bank.all_of(f"{path}/campaigns")
    assert (newest["id"], newest["budget"]["amount"], newest["strategy_version"]) == (running, "500.00", 1)
    assert (draft["status"], draft["assigned"], float(draft["spent"])) == ("draft", 0, 0)
    progress = await small_bank.get(f"{path}/progress")
    assert progress["budget"] == {
        "amount": "1000.00",
        "currency": "CNY",
        "committed": "500.00",
        "left": "500.00",
    }
    assert progress["campaigns"] == 2
    for name in ("spent", "assigned", "open", "done", "accepted", "outcome_amount"):
        assert progress[name] == newest[name]
    assert (progress["done"], progress["accepted"], progress["outcome_amount"]) == (1, 1, "100.00")
    assert progress["assigned"] == progress["open"] + 1


async def test_branches_read_what_concerns_them_and_write_their_own(small_bank: Bank) -> None:
    branch, other = "hq.sh.pudong", "hq.bj"
    async with (
        small_bank.client(Role.strategist, org="hq.sh", staff="S1") as above,
        small_bank.client(Role.strategist, org=branch, staff="S3") as own,
        small_bank.client(Role.strategist, org=other, staff="S4") as far,
    ):
        key = (await _write(above)).json()["key"]
        path = f"/v1/strategies/{key}"
        assert (await own.get(path)).status_code == 200
        assert (await _edit(own, key, four_c={})).status_code == 403
        assert (await own.post(f"{path}:activate")).status_code == 403
        assert (await far.get(path)).status_code == 404
        assert (await far.get(f"{path}/progress")).status_code == 404
        assert key not in [each["key"] for each in (await far.get("/v1/strategies")).json()["items"]]
        hidden = await far.post("/v1/campaigns", json=campaign_body(strategy=key, people=None))
        assert pointers(hidden) == ["/strategy"]
        refused = await own.post("/v1/strategies", json=strategy_body(org="hq.sh"))
        assert (refused.status_code, pointers(refused)) == (403, ["/org"])
        assert (await _write(own, org=branch)).json()["org"] == branch
    async with small_bank.client(Role.manager, org=branch, staff="M1") as manager:
        assert (await manager.post("/v1/strategies", json=strategy_body(org=branch))).status_code == 403
