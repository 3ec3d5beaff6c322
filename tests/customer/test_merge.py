"""Merging customers through the API: what joins, what is refused, what comes back."""

import json
from typing import Any

import pyarrow as pa

from shared.auth import Role
from shared.contracts.events import CustomerEventsRecorded, CustomersMerged, HoldingsChanged
from tests.customer.conftest import Bank, event, number, person, source_id
from tests.customer.merge_world import balance, consent, merge, merged, overview, published, risk, undo, view
from tests.customer.test_imports import CUSTOMER, as_csv, run


async def test_a_merged_customer_points_to_its_survivor(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    await merged(bank, a["id"], b["id"])
    survivor, gone = await view(bank, a["id"]), await view(bank, b["id"])
    assert (gone["status"], gone["merged_into"]) == ("merged", a["id"])
    assert (survivor["status"], survivor["merged_into"]) == ("active", None)
    assert {source_id({"identities": [i]}) for i in survivor["identities"]} == {source_id(a), source_id(b)}
    listed = await bank.head_sh.get("/v1/customers", params={"source": "core", "source_id": source_id(b)})
    assert [item["id"] for item in listed.json()["items"]] == [a["id"]]
    items = [{"source": "core", "source_id": source_id(b)}]
    resolved = (await bank.core.post("/v1/customers:resolve", json={"items": items})).json()["items"]
    assert [(one["customer_id"], one["ordinal"]) for one in resolved] == [(a["id"], a["ordinal"])]


async def test_facts_of_the_merged_stay_home_and_are_the_survivors(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    await bank.push(
        event(source_id(b)), balance(source_id(b), "B-0", "5.00"), balance(source_id(a), "A-0", "1.00")
    )
    await merged(bank, a["id"], b["id"])
    written = {"source": "core", "source_id": source_id(b), "account": "B-2", "product": "home-loan"}
    batch = {"items": [{**written, "balance": "3.00", "as_of": "2026-11-02"}]}
    assert (await bank.core.post("/v1/holdings", json=batch)).json()["accepted"] == 1
    await bank.push(event(source_id(b)), balance(source_id(b), "B-1", "7.10"))
    shown = await overview(bank, a["id"])
    assert {h["account"]: h["balance"] for h in shown["holdings"]} == {
        "A-0": "1.00",
        "B-0": "5.00",
        "B-1": "7.10",
        "B-2": "3.00",
    }
    assert shown["totals"] == [{"currency": "CNY", "assets": "13.10", "liabilities": "3.00"}]
    assert len(shown["timeline"]) == 5
    page = (await bank.head_sh.get(f"/v1/customers/{a['id']}/timeline", params={"limit": 2})).json()
    rest = await bank.head_sh.get(
        f"/v1/customers/{a['id']}/timeline", params={"limit": 9, "cursor": page["next_cursor"]}
    )
    assert [i["id"] for i in page["items"] + rest.json()["items"]] == [i["id"] for i in shown["timeline"]]
    homes = await bank.sql(
        "SELECT DISTINCT customer_id::text FROM holding WHERE account LIKE 'B-_' AND customer_id = CAST(:b AS uuid)",
        b=b["id"],
    )
    assert homes == [(b["id"],)]
    holdings = [
        h
        for e in await published(bank, HoldingsChanged, b["id"])
        for h in e.holdings
        if h.account in {"B-1", "B-2"}
    ]
    assert {(str(h.customer_id), h.ordinal, str(h.home_id), h.home_ordinal) for h in holdings} == {
        (a["id"], a["ordinal"], b["id"], b["ordinal"])
    }
    recorded = [e for part in await published(bank, CustomerEventsRecorded, b["id"]) for e in part.events]
    assert [
        (str(e.customer_id), e.home_id and str(e.home_id)) for e in recorded if e.type == "transaction.posted"
    ] == [
        (b["id"], None),
        (a["id"], b["id"]),
    ]


async def test_exports_name_survivor_and_home(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    await bank.push(event(source_id(b)), balance(source_id(b), "X-1", "7.10"), event(source_id(a)))
    await merged(bank, a["id"], b["id"])

    async def rows(dataset: str) -> list[dict[str, Any]]:
        content = (await bank.strategist.get(f"/v1/exports/{dataset}")).content
        return [
            r
            for r in pa.ipc.open_stream(content).read_all().to_pylist()
            if r["customer_id"] in {a["id"], b["id"]}
        ]

    pointers = {r["customer_id"]: (r["status"], r["merged_into"]) for r in await rows("customers")}
    assert pointers == {a["id"]: ("active", None), b["id"]: ("merged", a["id"])}
    at_home = {
        (r["customer_id"], r["ordinal"], r["home_id"], r["home_ordinal"]) for r in await rows("holdings")
    }
    assert at_home == {(a["id"], a["ordinal"], b["id"], b["ordinal"])}
    homes = [
        (r["customer_id"], r["home_id"]) for r in await rows("events") if r["type"] == "transaction.posted"
    ]
    assert sorted(homes, key=str) == sorted([(a["id"], b["id"]), (a["id"], None)], key=str)


async def test_later_assessments_and_consents_reach_the_survivor(bank: Bank) -> None:
    a, b = await bank.customer(consents={}), await bank.customer(consents={})
    await bank.push(risk(source_id(a), "C3", "2026-10-02"), consent(source_id(a), "call", True, "2026-10-02"))
    merge_id = await merged(bank, a["id"], b["id"])
    before = (await view(bank, a["id"]))["version"]
    await bank.push(
        risk(source_id(b), "C1", "2026-10-05"), consent(source_id(b), "call", False, "2026-10-05")
    )
    await bank.push(risk(source_id(a), "C4", "2026-10-03"), consent(source_id(a), "sms", True, "2026-10-03"))
    shown = await view(bank, a["id"])
    assert (shown["risk_level"], shown["consents"]) == ("C1", {"call": False, "sms": True})
    assert shown["version"] > before
    await undo(bank, merge_id)
    a_now, b_now = await view(bank, a["id"]), await view(bank, b["id"])
    assert (a_now["risk_level"], a_now["consents"]) == ("C4", {"call": True, "sms": True})
    assert (b_now["risk_level"], b_now["consents"]) == ("C1", {"call": False})


async def test_a_refusal_wins_at_the_same_instant(bank: Bank) -> None:
    a, b = await bank.customer(consents={}), await bank.customer(consents={})
    await bank.push(
        consent(source_id(a), "app", True, "2026-10-02"), consent(source_id(b), "app", False, "2026-10-02")
    )
    await merged(bank, a["id"], b["id"])
    assert (await view(bank, a["id"]))["consents"] == {"app": False}


async def test_attributes_follow_their_rules(bank: Bank) -> None:
    a = await bank.customer(
        address="上海市浦东新区1号", gender=None, customer_since="2015-05-01", occupation="教师"
    )
    b = await bank.customer(
        name="张三",
        address="上海市浦东新区世纪大道100号国际大厦",
        gender="F",
        customer_since="2011-01-01",
        email="b@x.cn",
    )
    dry = (await merge(bank, a["id"], b["id"], dry_run=True)).json()
    assert dry["merge_id"] is None
    assert (await view(bank, b["id"]))["status"] == "active"
    done = (await merge(bank, a["id"], b["id"])).json()
    assert done["attributes"] == dry["attributes"]
    choices = {c["attribute"]: (c["rule"], c["origin"], c["changed"]) for c in done["attributes"]}
    assert choices["name"] == ("survivor_first", a["id"], False)
    assert choices["id_number"] == ("override", a["id"], False)
    assert choices["phone"] == ("most_recent", b["id"], True)
    assert choices["address"] == ("most_complete", b["id"], True)
    assert choices["gender"] == ("survivor_first", b["id"], True)
    assert choices["customer_since"] == ("earliest", b["id"], True)
    assert choices["occupation"] == ("most_recent", a["id"], False)
    shown = await view(bank, a["id"], reveal="pii")
    assert (shown["name"], shown["email"], shown["gender"]) == ("张三丰", "b@x.cn", "F")
    assert (shown["address"], shown["customer_since"]) == (
        "上海市浦东新区世纪大道100号国际大厦",
        "2011-01-01",
    )
    assert "世纪大道100号" not in json.dumps(done, ensure_ascii=False)
    names = {c["pointer"] for c in done["conflicts"]}
    assert {"/overrides/name", "/overrides/phone", "/overrides/id_number"} <= names


async def test_different_identity_numbers_need_a_decision(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    refused = await merge(bank, a["id"], b["id"], overrides={})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/merge-refused")
    assert refused.json()["errors"][0]["pointer"] == "/overrides/id_number"
    dry = (await merge(bank, a["id"], b["id"], overrides={}, dry_run=True)).json()
    assert [c["pointer"] for c in dry["conflicts"] if c["blocking"]] == ["/overrides/id_number"]
    assert (await view(bank, b["id"]))["status"] == "active"
    same = person()
    twin = {**same, "identities": [{"source": "core", "source_id": f"t{number()}"}]}
    c, d = await bank.customer(**same), await bank.customer(**twin)
    assert (await merge(bank, c["id"], d["id"], overrides={})).status_code == 200


async def test_what_cannot_be_merged(bank: Bank) -> None:
    a, b, c = await bank.customer(), await bank.customer(), await bank.customer()
    company = await bank.customer(kind="company", name="上海远洋贸易有限公司", gender=None, birth_date=None)
    unknown = "01a00000-0000-7000-8000-000000000000"
    cases = [
        (422, "/merged/0", {"survivor": a["id"], "merged": [a["id"]]}),
        (422, "/merged/1", {"survivor": a["id"], "merged": [b["id"], b["id"]]}),
        (
            422,
            "/overrides/phone",
            {"survivor": a["id"], "merged": [b["id"]], "overrides": {"phone": c["id"]}},
        ),
        (
            422,
            "/overrides/industry",
            {"survivor": a["id"], "merged": [b["id"]], "overrides": {"industry": b["id"]}},
        ),
        (422, "/overrides/fax", {"survivor": a["id"], "merged": [b["id"]], "overrides": {"fax": b["id"]}}),
        (422, "/merged", {"survivor": a["id"], "merged": []}),
        (422, "/reason", {"survivor": a["id"], "merged": [b["id"]], "reason": " "}),
        (422, "/survivor", {"survivor": "x", "merged": [b["id"]]}),
        (404, "/merged/0", {"survivor": a["id"], "merged": [unknown]}),
        (
            409,
            "/merged/0",
            {"survivor": a["id"], "merged": [company["id"]], "overrides": {"id_number": a["id"]}},
        ),
    ]
    for status, pointer, body in cases:
        answer = await bank.head_sh.post("/v1/customers:merge", json={"reason": "r", **body})
        assert answer.status_code == status, (body, answer.text)
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), answer.text
    await merged(bank, a["id"], b["id"])
    again = await merge(bank, c["id"], b["id"])
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (409, "/merged/0")
    assert a["id"] in again.json()["errors"][0]["detail"]
    cycle = await merge(bank, b["id"], a["id"])
    assert (cycle.status_code, cycle.json()["errors"][0]["pointer"]) == (409, "/survivor")


async def test_who_may_merge_what(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    elsewhere = await bank.customer(org="hq.bj.haidian", primary_manager="S3", backup_manager=None)
    body = {"survivor": a["id"], "merged": [b["id"]], "reason": "r"}
    for client in (bank.manager_sh, bank.core, bank.strategist):
        assert (await client.post("/v1/customers:merge", json=body)).status_code == 403
    assert (await merge(bank, a["id"], elsewhere["id"])).status_code == 404
    across = {
        "survivor": elsewhere["id"],
        "merged": [a["id"]],
        "reason": "r",
        "overrides": {"id_number": a["id"]},
    }
    done = await bank.admin.post("/v1/customers:merge", json=across)
    assert done.status_code == 200, done.text
    moved = (await bank.manager_bj.get(f"/v1/customers/{a['id']}")).json()
    assert (moved["org"], moved["primary_manager"], moved["backup_manager"]) == ("hq.bj.haidian", "S3", None)
    assert (await bank.head_sh.get(f"/v1/customers/{a['id']}")).status_code == 404
    path = f"/v1/merges/{done.json()['merge_id']}"
    assert (await bank.head_sh.get(path)).status_code == 404
    async with bank.service.client(Role.branch_head, org="hq.bj") as head_bj:
        assert (await head_bj.post(f"{path}:undo", json={"reason": "r"})).status_code == 403
    assert (await bank.admin.post(f"{path}:undo", json={"reason": "r"})).status_code == 200
    back = await view(bank, a["id"])
    assert (back["org"], back["primary_manager"], back["backup_manager"]) == ("hq.sh.pudong", "S1", "S2")


async def test_the_merged_are_changed_through_their_survivor(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    await merged(bank, a["id"], b["id"])
    headers = {"If-Match": f'"v{(await view(bank, b["id"]))["version"]}"'}
    refused = await bank.head_sh.patch(
        f"/v1/customers/{b['id']}", json={"occupation": "医生"}, headers=headers
    )
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/merged")
    assert a["id"] in refused.json()["detail"]


async def test_pointers_stay_flat_and_come_apart_in_order(bank: Bank) -> None:
    a, b, c, d = [await bank.customer() for _ in range(4)]
    first = await merged(bank, a["id"], b["id"])
    answer = await merge(bank, c["id"], a["id"])
    assert (answer.json()["merged"], answer.json()["moved_along"]) == (1, 1)
    second = answer.json()["merge_id"]
    third = await merged(bank, c["id"], d["id"])
    assert [(await view(bank, x["id"]))["merged_into"] for x in (a, b, d)] == [c["id"]] * 3
    refused = await undo(bank, first)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/undo-first")
    assert refused.json()["detail"].endswith(f"{third}, {second}")
    shown = (await bank.head_sh.get(f"/v1/merges/{first}")).json()
    assert (shown["undo_first"], shown["reason"]) == ([third, second], "同一人")
    for merge_id in (third, second):
        assert (await undo(bank, merge_id)).status_code == 200
    assert [(await view(bank, x["id"]))["merged_into"] for x in (a, b, c, d)] == [None, a["id"], None, None]
    assert (await undo(bank, first)).status_code == 200
    assert (await undo(bank, first)).json()["type"] == "/problems/already-undone"
    listed = await bank.head_sh.get("/v1/merges", params={"customer_id": a["id"], "undone": True})
    assert [m["id"] for m in listed.json()["items"]] == [second, first]


async def test_what_changed_after_the_merge_stays_with_the_survivor(bank: Bank) -> None:
    a, b = await bank.customer(occupation="教师"), await bank.customer(occupation="医生", industry="医疗")
    merge_id = await merged(bank, a["id"], b["id"])
    joined = await view(bank, a["id"])
    assert (joined["occupation"], joined["industry"]) == ("医生", "医疗")
    patched = await bank.head_sh.patch(
        f"/v1/customers/{a['id']}",
        json={"occupation": "校长", "email": "new@x.cn"},
        headers={"If-Match": f'"v{joined["version"]}"'},
    )
    assert patched.status_code == 200, patched.text
    result = (await undo(bank, merge_id)).json()
    assert (result["restored"], result["kept"]) == (["industry", "phone"], ["occupation"])
    back = await view(bank, a["id"], reveal="pii")
    original = {k: a[k] for k in ("industry", "gender", "birth_date", "risk_level", "status", "consents")}
    assert {k: back[k] for k in original} == original
    assert (back["occupation"], back["email"]) == ("校长", "new@x.cn")
    found = await bank.head_sh.get("/v1/customers", params={"phone": back["phone"]})
    assert [item["id"] for item in found.json()["items"]] == [a["id"]]


async def test_a_survivors_consents_are_changed_by_hand(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    merge_id = await merged(bank, a["id"], b["id"])
    headers = {"If-Match": f'"v{(await view(bank, a["id"]))["version"]}"'}
    change = {"consents": {"call": False}}
    patched = await bank.head_sh.patch(f"/v1/customers/{a['id']}", json=change, headers=headers)
    assert patched.status_code == 200, patched.text
    assert patched.json()["consents"] == {"call": False, "sms": False}
    await undo(bank, merge_id)
    assert (await view(bank, b["id"]))["consents"] == {"call": True, "sms": False}


async def test_five_hundred_and_more_at_once(bank: Bank) -> None:
    keys = [f"mm{number()}" for _ in range(1201)]
    blank = {**dict.fromkeys(CUSTOMER, ""), "source": "core", "kind": "person", "org": "hq.sh.pudong"}
    rows = [{**blank, "name": f"李{n}", "source_id": key} for n, key in enumerate(keys)]
    assert (await run(bank, "customers", as_csv(rows)))["counts"]["created"] == 1201
    items = [{"source": "core", "source_id": key} for key in keys]
    answer = await bank.core.post("/v1/customers:resolve", json={"items": items})
    ids = [one["customer_id"] for one in answer.json()["items"]]
    await bank.push(*[balance(key, "M", "1.00") for key in keys[:700]])
    first = await merge(bank, ids[0], *ids[1:601], overrides={})
    assert (first.status_code, first.json()["merged"]) == (200, 600)
    second = await merge(bank, ids[601], *ids[602:], overrides={})
    third = await merge(bank, ids[601], ids[0], overrides={})
    assert (third.json()["merged"], third.json()["moved_along"]) == (1, 600)
    parts = await published(bank, CustomersMerged, third.json()["merge_id"])
    assert sorted(len(part.merged) for part in parts) == [101, 500]
    shown = await overview(bank, ids[601])
    assert (len(shown["holdings"]), len(shown["customer"]["identities"])) == (100, 1201)
    for answer in (third, second, first):
        assert (await undo(bank, answer.json()["merge_id"])).status_code == 200
    pointers = await bank.sql(
        "SELECT count(*) FROM customer WHERE id = ANY(CAST(:ids AS uuid[])) AND (merged_into IS NOT NULL OR status <> 'active')",
        ids=ids,
    )
    assert pointers == [(0,)]


async def test_merging_leaves_no_value_behind(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer(email="only-merged@example.org", name="司马相如")
    merge_id = await merged(bank, a["id"], b["id"], reason="司马相如本人确认")
    await undo(bank, merge_id)
    for statement in (
        "SELECT m::text FROM merge m",
        "SELECT t::text FROM audit_log t",
        "SELECT convert_from(payload, 'UTF8') FROM outbox",
        "SELECT h::text FROM customer_history h",
    ):
        for row in await bank.sql(statement):
            assert "only-merged" not in row[0]
            assert "司马相如" not in row[0]
    entries = await bank.sql(
        "SELECT action FROM audit_log WHERE object = :object ORDER BY seq", object=f"merge/{merge_id}"
    )
    assert entries == [("merge",), ("undo_merge",)]
