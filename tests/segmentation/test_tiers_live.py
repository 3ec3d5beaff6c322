"""Tiers through the API: apply, approve, move, override, expire; merges and erasures honoured."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from services.segmentation.api import tiers as tiers_api
from services.segmentation.models.tier import TierMoves
from services.segmentation.queries.tier_columns import unpacked_moves
from services.segmentation.usecases import tier_lists
from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    CustomerErased,
    CustomerRef,
    CustomersMerged,
    CustomersUnmerged,
    SeparatedCustomer,
)
from shared.ids import new_id
from tests.segmentation.conftest import Bank
from tests.segmentation.tier_desk import Desk, calendar, desk, scheme, tier
from tests.support import eventually

__all__ = ["calendar", "desk"]

ORG = "hq.tiers"


@pytest.mark.parametrize(
    "fields",
    [
        {"feature": "gender"},
        {"feature": "nothing"},
        {"tiers": [tier("a", 1), tier("b", 2)]},
        {"tiers": [tier("a"), tier("b")]},
        {"tiers": [tier("a"), tier("b", 5, 6)]},
        {"tiers": [tier("a"), tier("b", 5), tier("c", 5)]},
        {"tiers": [tier("a"), tier("a", 5)]},
        {"tiers": [tier("a"), tier("b", 1e300)]},
        {"kind": "management"},
        {"kind": "management", "tiers": [tier("tier1"), tier("tier2", 5)]},
    ],
)
async def test_schemes_that_make_no_sense_are_refused(desk: Desk, fields: dict[str, Any]) -> None:
    answer = await desk.maker.post("/v1/tier-schemes", json=scheme("bad", **fields))
    assert answer.status_code == 422, answer.text


async def test_apply_approve_and_move(desk: Desk, bank: Bank, calendar: Callable[[float], None]) -> None:
    poor, edge, rich = (bank.customer(org=ORG) for _ in range(3))
    other = bank.customer(org="hq.elsewhere")
    balances = {poor.ordinal: "49999.99", edge.ordinal: "50000", rich.ordinal: "6000000", other.ordinal: "1"}
    people = [poor, edge, rich, other]
    await bank.tell(customers=people, holdings=[bank.holding(one, balances[one.ordinal]) for one in people])
    created = await desk.maker.post("/v1/tier-schemes", json=scheme("value", minimum_stay_days=30))
    assert created.status_code == 201, created.text
    assert (await desk.maker.post("/v1/tier-schemes", json=scheme("value"))).status_code == 409

    tried = await desk.listed("value", dry_run=True)
    assert tried["counts"] == {"entered": 4}
    assert (await desk.checker.post(f"/v1/tier-lists/{tried['id']}:approve", json={})).status_code == 409
    shown = await desk.changes(list_id=tried["id"])
    assert [(one["to_tier"], one["threshold"], one["at"]) for one in shown] == [
        ("basic", None, None), ("gold", 50_000, None), ("private", 6_000_000, None), ("basic", None, None),
    ]  # fmt: skip
    assert await desk.changes(scheme="value") == []
    assert await desk.tiers(edge) == {}

    first = await desk.listed("value")
    second = await desk.listed("value")
    assert (await desk.maker.get(f"/v1/tier-lists/{first['id']}")).json()["state"] == "superseded"
    path = f"/v1/tier-lists/{second['id']}"
    async with desk.running.client(Role.strategist, Role.approver, staff="maker") as both:
        alone = await both.post(f"{path}:approve", json={})
        assert (alone.status_code, alone.json()["type"]) == (403, "/problems/maker-is-checker")
    assert (await desk.maker.post(f"{path}:approve", json={})).status_code == 403
    assert (await desk.checker.post(f"{path}:reject", json={})).status_code == 422
    assert (await desk.checker.post(f"{path}:approve", json={"comment": "ok"})).status_code == 202
    done = await desk.until(second["id"], "effective")
    assert (done["counts"], done["decided_by"]) == ({"entered": 4}, "user:checker")
    assert [await desk.tiers(one) for one in (poor, edge, rich)] == [
        {"value": "basic"}, {"value": "gold"}, {"value": "private"},
    ]  # fmt: skip
    told = await desk.told("value")
    assert {(one["from_tier"], one["to_tier"]): set(one["customers"]) for one in told} == {
        (None, "basic"): {str(poor.customer_id), str(other.customer_id)},
        (None, "gold"): {str(edge.customer_id)},
        (None, "private"): {str(rich.customer_id)},
    }

    again = await desk.apply("value")
    assert again["counts"] == {}
    await bank.tell(
        holdings=[bank.holding(poor, "7000000"), bank.holding(rich, "10"), bank.holding(edge, "40000")]
    )
    soon = await desk.listed("value")
    assert (soon["counts"], soon["held"]) == ({"up": 1}, 1)
    calendar(31)
    later = await desk.apply("value")
    assert later["counts"] == {"up": 1, "down": 1}
    down = await desk.changes(scheme="value", move="down")
    assert [(one["from_tier"], one["to_tier"], one["threshold"]) for one in down] == [
        ("private", "basic", 40_000)
    ]
    up = await desk.changes(scheme="value", to_tier="private", customer_id=str(poor.customer_id))
    assert [(one["value"], one["threshold"]) for one in up] == [(7_000_000, 6_000_000)]

    counts = (await desk.maker.get("/v1/tier-schemes/value/counts")).json()
    assert counts["tiers"] == {"basic": 2, "gold": 1, "private": 1}
    assert {one["org"]: one["tiers"]["basic"] for one in counts["orgs"]} == {ORG: 1, "hq.elsewhere": 1}
    async with desk.running.client(Role.branch_head, org=ORG) as head:
        assert (await head.get("/v1/tier-schemes/value/counts")).json()["tiers"]["basic"] == 1
        assert (await head.get(f"/v1/customers/{other.customer_id}/tier")).status_code == 404
        mine = (await head.get("/v1/tier-changes", params={"list_id": second["id"]})).json()["items"]
        assert {one["customer_id"] for one in mine} == {str(one.customer_id) for one in (poor, edge, rich)}


async def test_a_scheme_is_edited_with_its_version(desk: Desk) -> None:
    created = await desk.maker.post("/v1/tier-schemes", json=scheme("edited"))
    path = "/v1/tier-schemes/edited"
    tiers = [tier("basic"), tier("gold", 10), tier("private", 20)]
    assert (await desk.maker.patch(path, json={"tiers": tiers})).status_code == 428
    headers = {"If-Match": created.headers["ETag"]}
    others = await desk.maker.patch(path, json={"tiers": tiers[:2]}, headers=headers)
    assert others.json()["errors"][0]["pointer"] == "/tiers"
    changed = await desk.maker.patch(path, json={"tiers": tiers}, headers=headers)
    assert [one["downgrade_below"] for one in changed.json()["tiers"]] == [None, 10, 20]
    assert (await desk.maker.patch(path, json={"tiers": tiers}, headers=headers)).status_code == 412


async def test_an_override_holds_until_it_expires_by_itself(
    desk: Desk, bank: Bank, calendar: Callable[[float], None]
) -> None:
    person = bank.customer(org=ORG)
    await bank.tell(customers=[person], holdings=[bank.holding(person, "100")])
    await desk.maker.post("/v1/tier-schemes", json=scheme("held"))
    await desk.apply("held")
    path = f"/v1/customers/{person.customer_id}/tier-override"
    wanted = {"scheme": "held", "tier": "private", "reason": "  "}
    until = (clock.now() + timedelta(days=10)).isoformat()
    assert (await desk.maker.put(path, json={**wanted, "until": until})).status_code == 422
    wanted |= {"reason": "the chairman's mother", "until": until}
    bad = {**wanted, "tier": "platinum", "until": (clock.now() - timedelta(days=1)).isoformat()}
    refused = await desk.maker.put(path, json=bad)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/tier", "/until"]
    first = (await desk.maker.put(path, json=wanted)).json()
    second = (await desk.maker.put(path, json=wanted)).json()
    states = (await desk.maker.get("/v1/tier-overrides", params={"scheme": "held"})).json()["items"]
    assert [(one["id"], one["state"]) for one in states] == [
        (second["id"], "proposed"),
        (first["id"], "superseded"),
    ]
    assert await desk.tiers(person) == {"held": "basic"}

    approve = f"/v1/tier-overrides/{second['id']}:approve"
    async with desk.running.client(Role.approver, staff="maker") as same:
        assert (await same.post(approve, json={})).status_code == 403
    async with desk.running.client(Role.approver, org="hq.elsewhere") as stranger:
        assert (await stranger.post(approve, json={})).status_code == 404
    approved = await desk.checker.post(approve, json={})
    assert approved.status_code == 200, approved.text
    assert (await desk.checker.post(approve, json={})).status_code == 409
    assert await desk.tiers(person) == {"held": "private"}
    held = (await desk.maker.get(f"/v1/customers/{person.customer_id}/tier")).json()["tiers"][0]
    assert held["override_until"] is not None

    await bank.tell(holdings=[bank.holding(person, "60000")])
    listed = await desk.apply("held")
    assert listed["pinned"] == 1
    assert str(person.customer_id) not in {
        one["customer_id"] for one in await desk.changes(list_id=listed["id"])
    }
    calendar(11)

    async def expired() -> bool:
        return await desk.tiers(person) == {"held": "basic"}

    await eventually(expired, what="the override's end")
    asked = {"scheme": "held", "state": "expired"}
    shown = (await desk.maker.get("/v1/tier-overrides", params=asked)).json()["items"]
    assert [one["id"] for one in shown] == [second["id"]]
    causes = [one["cause"] for one in await desk.changes(customer_id=str(person.customer_id), scheme="held")]
    assert causes == ["override_ended", "override", "applied"]
    async with desk.running.client(Role.auditor) as auditor:
        trail = (await auditor.get("/v1/audit", params={"object": f"tier-override/{second['id']}"})).json()[
            "items"
        ]
    assert {(one["principal"], one["action"]) for one in trail} == {
        ("user:maker", "propose"), ("user:checker", "approve"), ("system", "expired"),
    }  # fmt: skip
    assert await desk.apply("held")
    assert await desk.tiers(person) == {"held": "gold"}


async def test_merges_move_tiers_and_erasure_forgets_them(
    desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, merged, erased = (bank.customer(org=ORG) for _ in range(3))
    people = (kept, merged, erased)
    await bank.tell(
        customers=list(people),
        holdings=[
            bank.holding(one, balance) for one, balance in zip(people, ("100", "45000", "60000"), strict=True)
        ],
    )
    await desk.maker.post("/v1/tier-schemes", json=scheme("family"))
    await desk.apply("family")
    assert [(await desk.tiers(one))["family"] for one in people] == ["basic", "basic", "gold"]
    refs = [CustomerRef(customer_id=one.customer_id, ordinal=one.ordinal) for one in people]
    await bank.tell(holdings=[bank.holding(kept, "30000")])
    merge = CustomersMerged(
        merge_id=new_id(), survivor=refs[0], merged=[refs[1]], merged_at=clock.now(), merged_by="tester"
    )
    await desk.running.publish(merge)

    async def stand(first: str, second: str | None) -> None:
        async def reached() -> bool:
            found = [(await desk.tiers(one)).get("family") for one in (kept, merged)]
            return found == [first, second]

        await eventually(reached, what=f"the tiers {first}, {second}")

    await stand("gold", None)
    told = [one for one in await desk.told("family") if one["cause"] == "merge"]
    assert {(one["from_tier"], one["to_tier"]) for one in told} == {("basic", "gold"), ("basic", None)}
    back = SeparatedCustomer(customer_id=merged.customer_id, ordinal=merged.ordinal, merged_into=None)
    await desk.running.publish(
        CustomersUnmerged(
            merge_id=merge.merge_id,
            survivor=refs[0],
            separated=[back],
            unmerged_at=clock.now(),
            unmerged_by="tester",
        )
    )
    await stand("basic", "basic")

    before = (await desk.maker.get("/v1/tier-schemes/family/counts")).json()["tiers"]["gold"]
    await desk.running.publish(
        CustomerErased(receipt_id=new_id(), customers=[refs[2]], erased_at=clock.now())
    )

    async def forgotten() -> bool:
        async with desk.running.runtime.db.transaction() as session:
            sizes = await session.scalar(
                text("SELECT count(*) FROM segmentation_erasure WHERE confirmed_at IS NULL")
            )
        return sizes == 0 and not await _kept(desk, erased.ordinal)

    await eventually(forgotten, what="the erasure")
    assert (await desk.maker.get("/v1/tier-schemes/family/counts")).json()["tiers"]["gold"] == before - 1

    async def behind(*_: object) -> int:
        """As a replica answers that has not heard of the erasure."""
        return erased.ordinal

    monkeypatch.setattr(tiers_api, "_ordinal", behind)
    until = (clock.now() + timedelta(days=10)).isoformat()
    wanted = {"scheme": "family", "tier": "gold", "reason": "a friend", "until": until}
    late = await desk.maker.put(f"/v1/customers/{erased.customer_id}/tier-override", json=wanted)
    assert late.status_code == 404


async def test_a_computation_that_was_interrupted_begins_again(
    desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = bank.customer(org=ORG)
    await bank.tell(customers=[person], holdings=[bank.holding(person, "60000")])
    await desk.maker.post("/v1/tier-schemes", json=scheme("again"))
    compute, tries = tier_lists._pass, []

    def interrupted(*given: Any) -> tier_lists.Proposal:
        tries.append(given)
        if len(tries) == 1:
            raise OperationalError("SELECT", {}, psycopg.OperationalError("the connection is lost"))
        return compute(*given)

    monkeypatch.setattr(tier_lists, "_pass", interrupted)
    listed = await desk.listed("again")
    assert (len(tries), listed["problem"]) == (2, None)
    assert listed["counts"]["entered"] >= 1


async def test_a_list_waits_for_the_one_that_takes_effect(desk: Desk, bank: Bank) -> None:
    person = bank.customer(org=ORG)
    await bank.tell(customers=[person], holdings=[bank.holding(person, "60000")])
    await desk.maker.post("/v1/tier-schemes", json=scheme("one-by-one"))
    first = await desk.listed("one-by-one")
    async with desk.running.runtime.db.transaction() as session:
        # Its job was lost.
        await session.execute(
            text("UPDATE tier_list SET state = 'approved' WHERE id = :id"), {"id": first["id"]}
        )
    second = (await desk.maker.post("/v1/tier-schemes/one-by-one:apply", json={})).json()
    refused = await desk.until(second["id"], "failed")
    assert "taking effect" in refused["problem"]
    assert (await desk.checker.post(f"/v1/tier-lists/{first['id']}:approve", json={})).status_code == 202
    await desk.until(first["id"], "effective")
    assert (await desk.listed("one-by-one"))["counts"] == {}


async def _kept(desk: Desk, ordinal: int) -> bool:
    async with desk.running.runtime.db.transaction() as session:
        stored = (await session.scalars(select(TierMoves.moves))).all()
    return any(ordinal in unpacked_moves(each).ordinals for each in stored)


async def test_what_cannot_be_read_is_never_a_failure_of_ours(desk: Desk, bank: Bank) -> None:
    person = bank.customer(org=ORG)
    await bank.tell(customers=[person])
    assert (await desk.maker.post("/v1/tier-schemes", json=scheme("odd"))).status_code == 201
    until = (clock.now() + timedelta(days=1)).isoformat()
    body = {"scheme": "odd", "tier": "gold", "reason": "a\x00b", "until": until}
    answers = [
        await desk.maker.put(f"/v1/customers/{person.customer_id}/tier-override", json=body),
        await desk.maker.post("/v1/tier-schemes/odd:apply", json={"note": "\x00"}),
        await desk.maker.post("/v1/tier-schemes", json=scheme("odd2", description="\x00")),
        await desk.maker.get("/v1/tier-lists", params={"scheme": "\x00"}),
        await desk.maker.get("/v1/tier-schemes/%00"),
        await desk.maker.get("/v1/ge-matrices/%00"),
        await desk.maker.get("/v1/tier-overrides", params={"cursor": "W10"}),
        await desk.maker.get("/v1/tier-changes", params={"cursor": "W10"}),
        await desk.maker.get("/v1/tier-lists", params={"state": "asleep"}),
        await desk.maker.get(f"/v1/tier-lists/{new_id()}"),
    ]
    assert [one.status_code for one in answers if not 400 <= one.status_code < 500] == []
