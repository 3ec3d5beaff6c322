"""Churn through the API: a model is trained, warns, is worked through, and follows who is whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.segmentation.usecases.feed import STREAM, CustomerFeed
from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    CustomerErased,
    CustomerEventsRecorded,
    CustomerRef,
    CustomersChanged,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    EventData,
    HoldingsChanged,
    Owners,
    OwnershipChange,
    OwnershipChanged,
    SeparatedCustomer,
)
from shared.ids import new_id
from shared.pagination import encode_cursor
from tests.segmentation.churn_world import PERIOD, World, day_of, make_world
from tests.segmentation.conftest import Bank, Live
from tests.support import Running, eventually

FEATURES = ["aum", "txn_count_30d", "login_count_30d", "last_login_days", "discontent"]
DISCONTENT = {
    "key": "discontent",
    "name": {"zh": "不满", "en": "Discontent"},
    "expression": "2 * complaint_count_180d",
}
BODY: dict[str, Any] = {
    "key": "leaving",
    "name": {"zh": "流失", "en": "Leaving"},
    "kind": "churn",
    "parameters": {
        "horizon_days": PERIOD,
        "features": FEATURES,
        "top_share": 0.15,
        "least_probability": 0.2,
    },
}


@dataclass
class Left:
    """The bank of `churn_world` as the service knows it, and the first run of its model."""

    running: Running
    world: World
    customers: list[CustomerState]
    model: str
    run: dict[str, Any]

    def known(self, places: Sequence[int]) -> set[UUID]:
        return {self.customers[place].customer_id for place in places}

    async def warnings(self, org: str = "hq.leave", **filters: Any) -> list[dict[str, Any]]:
        async with self.running.client(Role.manager, org=org) as client:
            answer = await client.get("/v1/churn-warnings", params={"limit": 1000, **filters})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def warning_of(self, customer: UUID, **filters: Any) -> dict[str, Any]:
        found = await self.warnings(customer_id=str(customer), **filters)
        assert len(found) == 1, found
        return found[0]

    async def job(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Posts, and waits for the job's end."""
        async with self.running.client(Role.strategist) as client:
            answer = await client.post(path, json=body)
            assert answer.status_code == 202, answer.text
            job = answer.headers["Location"]

            async def ended() -> bool:
                return (await client.get(job)).json()["state"] in {"succeeded", "failed"}

            await eventually(ended, seconds=90, what=path)
            found: dict[str, Any] = (await client.get(job)).json()
        assert found["state"] == "succeeded", found
        return found

    async def told(self) -> list[tuple[str, str]]:
        """(run, customer) of each warning published, in order."""
        async with self.running.runtime.db.transaction() as session:
            rows = await session.execute(
                text(
                    "SELECT w ->> 'run_id', w ->> 'customer_id' FROM outbox, jsonb_array_elements("
                    "convert_from(payload, 'UTF8')::jsonb -> 'data' -> 'warnings') w "
                    "WHERE subject LIKE 'segmentation.churn_warning_raised.%' ORDER BY seq"
                )
            )
            return [(run, customer) for run, customer in rows]

    async def publish(self, *events: EventData) -> None:
        """And wait until the store has them."""
        last = await self.running.publish(*events)
        feed = self.running.runtime.resource(CustomerFeed)

        async def applied() -> bool:
            return feed.watermark(STREAM) >= last

        await eventually(applied, what="the feed")


def _batches(items: list[Any], size: int = 500) -> list[list[Any]]:
    return [items[low : low + size] for low in range(0, len(items), size)]


@pytest.fixture(scope="module")
async def left(segmentation: Running) -> Left:
    world, bank, today = make_world(500), Bank(segmentation), clock.today()
    customers = [
        bank.customer(
            org=f"hq.leave.b{place % 2}",
            primary_manager=f"M{place % 4}",
            customer_since=today - timedelta(days=400),
        )
        for place in range(world.size)
    ]
    holdings = [
        bank.holding(customers[who], str(balance), as_of=day_of(today, age))
        for who, balance, age in world.holdings
    ]
    events = [
        bank.event(customers[who], type_, dict(data), days_ago=age) for who, type_, age, data in world.events
    ]
    found = Left(segmentation, world, customers, "", {})
    await found.publish(
        *(CustomersChanged(customers=part) for part in _batches(customers)),
        *(HoldingsChanged(holdings=part) for part in _batches(holdings)),
        *(CustomerEventsRecorded(events=part) for part in _batches(events)),
    )
    async with segmentation.client(Role.strategist) as client:
        defined = await client.post("/v1/features", json=DISCONTENT)
        assert defined.status_code == 201, defined.text
        created = await client.post("/v1/models", json=BODY)
        assert created.status_code == 201, created.text
        found.model = created.json()["id"]
        job = await found.job(f"/v1/models/{found.model}/runs")
        found.run = (await client.get(f"/v1/model-runs/{job['result']['run_id']}")).json()
    return found


async def test_only_the_past_is_learnt_from(segmentation: Running) -> None:
    keys = ["aum", "risk_level", "nope", "aum", "consent_sms"]
    body = {**BODY, "key": "refused", "parameters": {**BODY["parameters"], "features": keys}}
    async with segmentation.client(Role.strategist) as client:
        refused = await client.post("/v1/models", json=body)
    assert refused.status_code == 422
    pointers = [error["pointer"] for error in refused.json()["errors"]]
    assert pointers == [f"/parameters/features/{place}" for place in (1, 2, 3, 4)]


async def test_the_run_tells_how_good_it_is(left: Left) -> None:
    assert left.run["state"] == "succeeded"
    metrics = left.run["metrics"]
    assert metrics["auc"] > 0.75
    assert metrics["brier"] < metrics["brier_reference"]
    async with left.running.client(Role.manager) as client:
        answer = await client.get(f"/v1/model-runs/{left.run['id']}/validation")
        assert answer.status_code == 200, answer.text
        other = await client.get(f"/v1/model-runs/{new_id()}/validation")
    report = answer.json()
    assert report["validation"]["auc"] == metrics["auc"]
    lost = [who for who, period in left.world.left.items() if period == 0]
    assert report["validation"]["outcomes"] == len(lost)
    assert (
        sum(each["customers"] for each in report["validation"]["calibration"])
        == report["validation"]["customers"]
    )
    assert {each["feature"] for each in report["stability"]} == {"score", *FEATURES}
    levels = {each["level"] for each in report["stability"]}
    assert levels <= {"stable", "moderate", "shifted"}
    assert other.status_code == 404


async def test_warnings_have_reasons_and_stay_in_their_branch(left: Left) -> None:
    found = await left.warnings()
    leaving = left.known(sorted(left.world.leaving))
    hits = [each for each in found if UUID(each["customer_id"]) in leaving]
    assert len(found) == left.run["metrics"]["listed"]
    assert len(hits) > 0.7 * len(found)
    assert [float(each["at_stake"]) for each in found] == sorted(
        (float(each["at_stake"]) for each in found), reverse=True
    )
    signs = {"login_count_30d", "discontent", "last_login_days"}
    assert sum(each["reasons"][0]["feature"] in signs for each in hits) > 0.8 * len(hits)
    said = [reason for each in found for reason in each["reasons"] if reason["feature"] == "discontent"]
    assert {(reason["name"]["en"], reason["value"] % 2) for reason in said} == {("Discontent", 0.0)}
    assert all(reason["effect"] > 0 for each in found for reason in each["reasons"])
    one = found[0]
    assert float(one["at_stake"]) == pytest.approx(float(one["assets"]) * one["probability"], abs=0.02)
    parts = [await left.warnings(org=f"hq.leave.b{branch}") for branch in (0, 1)]
    assert sorted(each["id"] for part in parts for each in part) == sorted(each["id"] for each in found)
    assert {each["org"] for each in parts[0]} == {"hq.leave.b0"}
    assert await left.warnings(org="hq.sh") == []
    mine = await left.warnings(manager="M1")
    assert mine
    assert {each["primary_manager"] for each in mine} == {"M1"}
    async with left.running.client(Role.manager, org="hq.sh") as client:
        assert (await client.get(f"/v1/churn-warnings/{one['id']}")).status_code == 404
        assert (await client.post(f"/v1/churn-warnings/{one['id']}:acknowledge")).status_code == 404


async def test_a_run_warns_once(left: Left) -> None:
    first = [told for told in await left.told() if told[0] == left.run["id"]]
    assert {UUID(customer) for _, customer in first} == {
        UUID(each["customer_id"]) for each in await left.warnings(run_id=left.run["id"])
    }
    again = await left.job("/v1/churn-warnings:raise", {"run_id": left.run["id"]})
    assert again["result"] == {"warnings": 0, "lapsed": 0}
    assert [told for told in await left.told() if told[0] == left.run["id"]] == first


async def test_taken_up_closed_and_warned_again(left: Left) -> None:
    async with left.running.client(Role.manager, org="hq.leave") as client:
        summary = (await client.get("/v1/churn-warnings/summary", params={"state": "open"})).json()
        open_ = await left.warnings(state="open")
        assert summary["states"][0]["warnings"] == len(open_)
        taken, done = (f"/v1/churn-warnings/{each['id']}" for each in open_[:2])
        assert (await client.post(f"{taken}:acknowledge")).json()["state"] == "acknowledged"
        assert (await client.post(f"{taken}:acknowledge")).status_code == 409
        closed = (await client.post(f"{done}:close", json={"outcome": "retained"})).json()
        assert (closed["state"], closed["outcome"]) == ("closed", "retained")
        assert (await client.post(f"{done}:close", json={"outcome": "lost"})).status_code == 409
        assert (await client.post(f"{taken}:close", json={"outcome": "sold"})).status_code == 422
    await left.job("/v1/churn-warnings:raise", {"run_id": left.run["id"]})
    assert len(await left.warnings(customer_id=open_[1]["customer_id"])) == 1
    second = await left.job(f"/v1/models/{left.model}/runs")
    assert second["result"]["warnings"] == len(open_)
    both = await left.warnings(customer_id=open_[1]["customer_id"])
    assert sorted(each["state"] for each in both) == ["closed", "open"]
    renewed = await left.warning_of(UUID(open_[0]["customer_id"]))
    assert (renewed["state"], renewed["runs"]) == ("acknowledged", 2)
    async with left.running.client(Role.strategist) as client:
        stale = await client.post("/v1/churn-warnings:raise", json={"run_id": left.run["id"]})
    assert stale.status_code == 409


async def insight_into(left: Left, customer: UUID, org: str = "hq.leave") -> httpx.Response:
    async with left.running.client(Role.manager, org=org) as client:
        return await client.get(f"/v1/customers/{customer}/insight")


async def test_a_customer_at_a_glance(left: Left) -> None:
    warning = (await left.warnings(state="open"))[0]
    answer = await insight_into(left, warning["customer_id"])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [each["id"] for each in found["warnings"]] == [warning["id"]]
    (model,) = [each for each in found["models"] if each["model_key"] == "leaving"]
    assert (model["kind"], model["cluster"]) == ("churn", 1)
    assert model["scores"]["probability"] == pytest.approx(warning["probability"], abs=1e-6)
    assert found["stage"]["stage"] in {"growth", "mature", "decline"}
    assert (found["tiers"], found["positions"]) == ([], [])
    calm = next(each for each in left.world.left if left.world.left[each] == 3)
    assert (await insight_into(left, left.customers[calm].customer_id)).json()["warnings"] == []
    assert (await insight_into(left, warning["customer_id"], "hq.sh")).status_code == 404
    assert (await insight_into(left, new_id())).status_code == 404


async def _until(left: Left, warning: str, what: str, org: str, wanted: str | None) -> None:
    async def so() -> bool:
        found = [each for each in await left.warnings(org=org) if each["id"] == warning]
        return (found[0]["customer_id"] if found else None) == wanted

    await eventually(so, what=what)


async def test_warnings_follow_their_customers(left: Left) -> None:
    warned = {
        UUID(each["customer_id"]): each for each in await left.warnings(state="open", org="hq.leave.b0")
    }
    customer_id, warning = next(iter(warned.items()))
    customer = next(each for each in left.customers if each.customer_id == customer_id)
    moved = OwnershipChange(
        customer_id=customer_id,
        before=Owners(org=customer.org, primary_manager=customer.primary_manager),
        after=Owners(org="hq.leave.b1", primary_manager="M9"),
        effective_on=clock.today(),
        cause="assignment",
    )
    await left.running.publish(OwnershipChanged(changes=[moved]))
    await _until(left, warning["id"], "the move", "hq.leave.b1", str(customer_id))
    assert (await left.warning_of(customer_id))["primary_manager"] == "M9"
    alive = next(
        each for each in left.customers if each.customer_id not in warned and each.org == "hq.leave.b1"
    )
    survivor, merged = (
        CustomerRef(customer_id=each.customer_id, ordinal=each.ordinal) for each in (alive, customer)
    )
    merge = new_id()
    await left.publish(
        CustomersMerged(
            merge_id=merge, survivor=survivor, merged=[merged], merged_at=clock.now(), merged_by="x"
        )
    )
    await _until(left, warning["id"], "the merge", "hq.leave.b1", str(alive.customer_id))
    both = [(await insight_into(left, each)).json() for each in (customer_id, alive.customer_id)]
    assert {each["customer_id"] for each in both} == {str(alive.customer_id)}
    assert [[one["id"] for one in each["warnings"]] for each in both] == [[warning["id"]]] * 2
    separated = SeparatedCustomer(**merged.model_dump())
    await left.publish(
        CustomersUnmerged(
            merge_id=merge, survivor=survivor, separated=[separated], unmerged_at=clock.now(), unmerged_by="x"
        )
    )
    await _until(left, warning["id"], "the separation", "hq.leave.b1", str(customer_id))
    await left.publish(CustomerErased(receipt_id=new_id(), customers=[merged], erased_at=clock.now()))
    await _until(left, warning["id"], "the erasure", "hq.leave.b1", None)
    assert (await insight_into(left, customer_id)).status_code == 404
    async with left.running.runtime.db.transaction() as session:
        kept = await session.scalar(
            text("SELECT count(*) FROM churn_warning WHERE customer_id = :id"), {"id": customer_id}
        )
    assert kept == 0


async def test_who_may_be_won_back(left: Left, live: Live) -> None:
    """With thresholds by which some weeks of silence are lost: those who left in the first periods."""
    segment = await live("lost-ones", "life_cycle_stage = 'lost'")
    never_active = left.known([who for who, period in left.world.left.items() if period == 3])
    assert segment["size"] == len(never_active)
    async with (
        left.running.client(Role.strategist) as office,
        left.running.client(Role.strategist, org="hq.leave") as client,
    ):
        scheme = await client.get("/v1/life-cycle/scheme")
        wanted = {**scheme.json()["thresholds"], "dormant_days": 20, "lost_days": 45}
        assert (await office.put("/v1/life-cycle/scheme", json=wanted)).status_code == 428
        upside_down = {**wanted, "lost_days": 10}
        etag = {"If-Match": scheme.headers["ETag"]}
        assert (await client.put("/v1/life-cycle/scheme", json=wanted, headers=etag)).status_code == 403
        refused = await office.put("/v1/life-cycle/scheme", json=upside_down, headers=etag)
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/lost_days"]
        changed = await office.put("/v1/life-cycle/scheme", json=wanted, headers=etag)
        assert changed.status_code == 200, changed.text
        assert (await office.put("/v1/life-cycle/scheme", json=wanted, headers=etag)).status_code == 412
        counts = (await client.get("/v1/life-cycle/stages")).json()
        of = {each["stage"]: each["customers"] for each in counts["stages"]}
        pages = []
        cursor = None
        while True:
            page = (
                await client.get(
                    "/v1/win-back", params={"limit": 40, "cursor": cursor} if cursor else {"limit": 40}
                )
            ).json()
            pages += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        since = (clock.today() - timedelta(days=PERIOD)).isoformat()
        moved = (await client.get("/v1/life-cycle/transitions", params={"since": since})).json()
        later = await client.get("/v1/life-cycle/stages", params={"as_of": "2999-01-01"})

        async def evaluated() -> bool:
            return bool((await client.get("/v1/segments/lost-ones")).json()["size"] == of["lost"])

        await eventually(evaluated, what="the segment by the new thresholds")
        ancient = await client.get("/v1/life-cycle/stages", params={"as_of": "0001-01-01"})
        odd = await client.get("/v1/win-back", params={"cursor": encode_cursor([Decimal("1e400"), 2**60])})
    assert [later.status_code, ancient.status_code, odd.status_code] == [400, 422, 400]
    long_gone = left.known([who for who, period in left.world.left.items() if period >= 2])
    found = {UUID(each["customer_id"]) for each in pages}
    assert long_gone <= found
    assert found <= left.known(list(left.world.left))
    assert len(pages) == len(found) == of["lost"]
    assert [float(each["best_assets"]) for each in pages] == sorted(
        (float(each["best_assets"]) for each in pages), reverse=True
    )
    assert all(float(each["best_assets"]) > 1_000 > float(each["assets"]) for each in pages)
    assert sum(each["customers"] for each in moved["moves"]) == counts["customers"]
    after = {}
    for each in moved["moves"]:
        after[each["after"]] = after.get(each["after"], 0) + each["customers"]
    assert after == {stage: count for stage, count in of.items() if count}
    assert any(each["before"] == "mature" and each["after"] == "dormant" for each in moved["moves"])
