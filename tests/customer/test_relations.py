"""Relations between customers: told in batches, walked in networks, paths, groups and leads."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.customer.domain.trees import chains, is_circular
from tests.customer.conftest import Bank, number, person, source_id
from tests.support import eventually

edges = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14)


async def company(bank: Bank, **changes: Any) -> dict[str, Any]:
    return await bank.customer(
        kind="company", name="上海远洋贸易有限公司", gender=None, birth_date=None, **changes
    )


def end(customer: dict[str, Any]) -> dict[str, Any]:
    return {"customer_id": customer["id"]}


def relation(start: dict[str, Any], kind: str, to: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"from": end(start), "to": end(to), "kind": kind, **more}


async def relate(bank: Bank, *items: dict[str, Any]) -> dict[str, Any]:
    answer = await bank.admin.post("/v1/relationships", json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def hold(bank: Bank, customer: dict[str, Any], product: str, balance: str, **more: str) -> None:
    item = {
        "source": "core",
        "source_id": source_id(customer),
        "account": f"A{number()}",
        "product": product,
        "balance": balance,
        "as_of": "2026-11-01",
        **more,
    }
    answer = await bank.core.post("/v1/holdings", json={"items": [item]})
    assert answer.status_code == 200, answer.text


async def merge_by_hand(bank: Bank, survivor: str, merged: str) -> None:
    await bank.sql(
        "UPDATE customer SET merged_into = CAST(:s AS uuid), status = 'merged'"
        " WHERE id = CAST(:m AS uuid) RETURNING 1",
        s=survivor,
        m=merged,
    )


async def bring(bank: Bank, dataset: str, lines: list[str]) -> dict[str, Any]:
    """Import lines of CSV and wait for the end."""
    params = {"dataset": dataset, "filename": "file.csv"}
    begun = await bank.core.post("/v1/imports", params=params, content="\n".join(lines).encode() + b"\n")
    assert begun.status_code == 202, begun.text
    path = f"/v1/imports/{begun.json()['id']}"

    async def ended() -> bool:
        return (await bank.core.get(path)).json()["state"] not in {"queued", "running"}

    await eventually(ended, what="the import")
    found: dict[str, Any] = (await bank.core.get(path)).json()
    return found


async def test_a_relation_told_twice_is_one(bank: Bank) -> None:
    supplier, core = await company(bank), await company(bank)
    item = {
        "from": {"identity": {"source": "core", "source_id": source_id(supplier)}},
        "to": {"identity": {"source": "core", "source_id": source_id(core)}},
        "kind": "supplies",
        "valid_from": "2024-01-01",
        "share": "0.25",
    }
    first = await bank.core.post("/v1/relationships", json={"items": [item]})
    assert first.json()["created"] == 1, first.text
    again = (await bank.core.post("/v1/relationships", json={"items": [item, item]})).json()
    assert (again["created"], again["unchanged"]) == (0, 2)
    changed = (await bank.core.post("/v1/relationships", json={"items": [{**item, "share": "0.4"}]})).json()
    assert changed["items"][0] == {**first.json()["items"][0], "status": "updated"}
    (listed,) = (await bank.admin.get(f"/v1/customers/{core['id']}/relationships")).json()["items"]
    assert (listed["from_id"], listed["share"], listed["source"]) == (supplier["id"], "0.400000", "core")


async def test_what_cannot_be_related_is_named(bank: Bank) -> None:
    someone, firm = await bank.customer(), await company(bank)
    bad = {
        "/items/0/to": relation(firm, "supplies", firm),
        "/items/1/from": relation(someone, "parent", firm),
        "/items/2/to": relation(firm, "household", firm) | {"to": end(someone), "from": end(someone)},
        "/items/3/to": relation(firm, "employs", someone)
        | {"to": {"identity": {"source": "core", "source_id": "nobody"}}},
    }
    answer = await bank.admin.post("/v1/relationships", json={"items": [*bad.values()]})
    assert answer.status_code == 207
    assert [item["problem"]["errors"][0]["pointer"] for item in answer.json()["items"]] == list(bad)
    for wrong in (
        relation(firm, "loves", someone),
        relation(firm, "employs", someone, valid_from="2024-02-01", valid_to="2024-01-01"),
        relation(firm, "employs", someone, share="1.5"),
        relation(firm, "employs", someone, share="NaN"),
        relation(firm, "employs", someone) | {"from": {}},
    ):
        assert (await bank.admin.post("/v1/relationships", json={"items": [wrong]})).status_code == 422
    foreign = relation(firm, "employs", someone) | {
        "from": {"identity": {"source": "core", "source_id": "x"}}
    }
    assert (await bank.crm.post("/v1/relationships", json={"items": [foreign]})).status_code == 403


async def test_a_relation_ends_on_a_day(bank: Bank) -> None:
    firm, worker = await company(bank), await bank.customer()
    told = await relate(bank, relation(firm, "employs", worker, valid_from="2024-01-01"))
    path = f"/v1/relationships/{told['items'][0]['id']}"
    change = {"valid_to": "2025-01-01"}
    assert (await bank.manager_sh.patch(path, json=change)).status_code == 428
    assert (await bank.manager_sh.patch(path, json=change, headers={"If-Match": '"v7"'})).status_code == 412
    early = {"valid_to": "2023-01-01"}
    assert (await bank.manager_sh.patch(path, json=early, headers={"If-Match": '"v1"'})).status_code == 422
    ended = await bank.manager_sh.patch(path, json=change, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.headers["ETag"]) == (200, '"v2"')
    assert (await bank.manager_bj.get(path)).status_code == 404

    async def known(as_of: str) -> int:
        network = await bank.admin.get(f"/v1/customers/{firm['id']}/network", params={"as_of": as_of})
        return len(network.json()["nodes"]) - 1

    assert [await known(day) for day in ("2023-12-31", "2024-01-01", "2024-12-31", "2025-01-01")] == [
        0,
        1,
        1,
        0,
    ]


async def test_a_network_counts_the_hidden_and_stops_at_its_limit(bank: Bank) -> None:
    core = await company(bank)
    near = [await company(bank) for _ in range(3)]
    far = await company(bank, org="hq.bj.haidian", primary_manager="S3", backup_manager=None)
    beyond = await company(bank)
    await relate(
        bank,
        *(relation(one, "supplies", core) for one in near),
        relation(far, "supplies", near[0]),
        relation(beyond, "supplies", far),
    )
    path = f"/v1/customers/{core['id']}/network"
    everything = (await bank.admin.get(path, params={"depth": 3})).json()
    assert {node["customer_id"]: node["depth"] for node in everything["nodes"]} == {
        core["id"]: 0,
        **{one["id"]: 1 for one in near},
        far["id"]: 2,
        beyond["id"]: 3,
    }
    assert (len(everything["edges"]), everything["hidden"], everything["truncated"]) == (5, 0, False)
    seen = (await bank.head_sh.get(path, params={"depth": 4})).json()
    hidden = [node for node in seen["nodes"] if node["hidden"]]
    assert [(node["customer_id"], node["name"], node["org"]) for node in hidden] == [(far["id"], None, None)]
    assert beyond["id"] not in {node["customer_id"] for node in seen["nodes"]}
    assert all(node["name"] == "上海远洋****" for node in seen["nodes"] if not node["hidden"])
    few = (await bank.admin.get(path, params={"depth": 4, "limit": 2})).json()
    assert (len(few["nodes"]), few["truncated"]) == (2, True)
    assert (await bank.admin.get(path, params={"direction": "out"})).json()["nodes"][1:] == []
    assert (await bank.admin.get(path, params={"kinds": "parent"})).json()["nodes"][1:] == []
    assert (await bank.admin.get(path, params={"kinds": "love"})).status_code == 422
    assert (await bank.admin.get(path, params={"depth": 5})).status_code == 422
    assert (await bank.manager_bj.get(path)).status_code == 404


async def test_relations_follow_a_merge_and_loops_disappear(bank: Bank) -> None:
    core, one, two, other = [await company(bank) for _ in range(4)]
    await relate(
        bank,
        relation(one, "supplies", core),
        relation(two, "supplies", core),
        relation(one, "supplies", two),
        relation(other, "supplies", two),
    )
    await merge_by_hand(bank, one["id"], two["id"])
    network = (await bank.admin.get(f"/v1/customers/{two['id']}/network", params={"depth": 2})).json()
    assert network["customer_id"] == one["id"]
    assert {(edge["from_id"], edge["to_id"]) for edge in network["edges"]} == {
        (one["id"], core["id"]),
        (other["id"], one["id"]),
    }
    assert len(network["edges"]) == 2
    listed = (await bank.admin.get(f"/v1/customers/{one['id']}/relationships")).json()["items"]
    assert len(listed) == 4


async def test_paths_are_the_shortest_and_typed(bank: Bank) -> None:
    firm, left, right, owner, stranger = [await company(bank) for _ in range(5)]
    await relate(
        bank,
        relation(firm, "supplies", left),
        relation(firm, "guarantees", right),
        relation(owner, "parent", left),
        relation(right, "supplies", owner),
    )
    path = f"/v1/customers/{firm['id']}/paths"
    found = (await bank.admin.get(path, params={"to": owner["id"]})).json()
    assert found["length"] == 2
    told = [[(step["kind"], step["forward"]) for step in way] for way in found["paths"]]
    assert sorted(told) == [
        [("guarantees", True), ("supplies", True)],
        [("supplies", True), ("parent", False)],
    ]
    assert (await bank.admin.get(path, params={"to": owner["id"], "max_depth": 1})).json()["length"] is None
    assert (await bank.admin.get(path, params={"to": stranger["id"]})).json()["paths"] == []
    itself = (await bank.admin.get(path, params={"to": firm["id"]})).json()
    assert (itself["length"], itself["paths"]) == (0, [[]])


async def test_long_paths_are_found_from_both_ends(bank: Bank) -> None:
    chain = [await company(bank) for _ in range(7)]
    detour = await company(bank)
    await relate(
        bank,
        *(relation(near, "supplies", far) for near, far in itertools.pairwise(chain)),
        relation(chain[2], "guarantees", detour),
        relation(chain[4], "guarantees", detour),
    )
    path = f"/v1/customers/{chain[0]['id']}/paths"
    found = (await bank.admin.get(path, params={"to": chain[6]["id"]})).json()
    assert found["length"] == 6
    ways = [[way[0]["from_id"], *(step["to_id"] for step in way)] for way in found["paths"]]
    ids = [one["id"] for one in chain]
    assert sorted(ways) == sorted([ids, [*ids[:3], detour["id"], *ids[4:]]])
    assert (await bank.admin.get(path, params={"to": ids[6], "max_depth": 5})).json()["length"] is None


async def test_a_supply_chain_has_levels(bank: Bank) -> None:
    mine, mill, core, dealer, shop = [await company(bank) for _ in range(5)]
    await relate(
        bank,
        relation(mine, "supplies", mill),
        relation(mill, "supplies", core),
        relation(dealer, "distributes", core),
        relation(dealer, "supplies", shop),
    )
    chain = (await bank.admin.get(f"/v1/customers/{core['id']}/supply-chain")).json()

    def levels(side: str) -> list[list[str]]:
        return [[node["customer_id"] for node in level["customers"]] for level in chain[side]]

    assert levels("upstream") == [[mill["id"]], [mine["id"]]]
    assert levels("downstream") == [[dealer["id"]], [shop["id"]]]


async def test_a_group_adds_up_and_survives_a_circle(bank: Bank) -> None:
    head, daughter, grandchild = [await company(bank) for _ in range(3)]
    await relate(
        bank,
        relation(head, "parent", daughter, share="0.8"),
        relation(daughter, "parent", grandchild, share="0.51"),
    )
    await hold(bank, daughter, "demand-deposit", "100.10")
    await hold(bank, grandchild, "demand-deposit", "200.25")
    await hold(bank, grandchild, "home-loan", "50.05")
    await hold(bank, head, "demand-deposit", "7.00", currency="USD")
    group = (await bank.admin.get(f"/v1/customers/{grandchild['id']}/group")).json()
    assert group["head_id"] == head["id"]
    tree = {member["customer_id"]: (member["parent_id"], member["share"]) for member in group["members"]}
    assert tree == {
        head["id"]: (None, None),
        daughter["id"]: (head["id"], "0.800000"),
        grandchild["id"]: (daughter["id"], "0.510000"),
    }
    assert group["totals"] == [
        {"currency": "CNY", "assets": "300.35", "liabilities": "50.05"},
        {"currency": "USD", "assets": "7.00", "liabilities": "0.00"},
    ]
    assert group["circular"] is False
    await relate(bank, relation(grandchild, "parent", head))
    circle = (await bank.admin.get(f"/v1/customers/{daughter['id']}/group")).json()
    assert circle["circular"] is True
    assert len(circle["members"]) == 3
    assert circle["totals"] == group["totals"]


async def test_leads_lack_what_the_core_and_peers_have(bank: Bank) -> None:
    core, rich, poor, idle = [await company(bank) for _ in range(4)]
    worker, saver = await bank.customer(), await bank.customer()
    far = await company(bank, org="hq.bj.haidian", primary_manager="S3", backup_manager=None)
    await relate(
        bank,
        *(relation(one, "supplies", core) for one in (rich, poor, idle, far)),
        relation(core, "employs", worker),
        relation(core, "employs", saver),
    )
    await hold(bank, core, "wealth-steady", "9000000.00")
    await hold(bank, rich, "demand-deposit", "10.00")
    await hold(bank, rich, "home-loan", "10.00")
    await hold(bank, poor, "demand-deposit", "10.00")
    await hold(bank, saver, "demand-deposit", "10.00")
    path = f"/v1/customers/{core['id']}/leads"
    found = (await bank.head_sh.get(path)).json()
    by_customer = {lead["customer_id"]: lead for lead in found["leads"]}
    assert (found["hidden"], found["existing"], found["not_yet_active"]) == (1, 2, 2)
    assert next(iter(by_customer)) == idle["id"]

    def openings(customer: dict[str, Any]) -> list[tuple[str, bool, float]]:
        told = by_customer[customer["id"]]["openings"]
        return [(o["category"], o["core_holds"], round(o["peers_holding"], 3)) for o in told]

    assert openings(idle) == [("wealth", True, 0.0), ("demand", False, 0.667), ("loan", False, 0.333)]
    assert openings(rich) == [("wealth", True, 0.0)]
    assert openings(worker) == [("demand", False, 0.5)]
    assert saver["id"] not in by_customer
    assert [by_customer[one["id"]]["active"] for one in (rich, idle)] == [True, False]
    assert by_customer[worker["id"]]["role"] == "employee"
    assert by_customer[poor["id"]]["primary_manager"] == "S1"


async def test_the_vocabulary_is_published(bank: Bank) -> None:
    kinds = {
        item["kind"]: item for item in (await bank.manager_sh.get("/v1/relationship-kinds")).json()["items"]
    }
    assert kinds["household"]["symmetric"] is True
    assert kinds["parent"]["inverse"]["zh"] == "子公司"


async def test_a_household_is_the_same_from_both_ends(bank: Bank) -> None:
    wife, husband = await bank.customer(), await bank.customer(identities=person()["identities"])
    first = await relate(bank, relation(wife, "household", husband))
    again = await relate(bank, relation(husband, "household", wife))
    assert again["unchanged"] == 1
    assert first["items"][0]["id"] == again["items"][0]["id"]


async def test_relations_are_imported_in_bulk(bank: Bank) -> None:
    core, one, two = [await company(bank) for _ in range(3)]
    worker = await bank.customer()
    lines = [
        "source,from_id,to_id,kind,valid_from,valid_to,share,strength",
        f"core,{source_id(one)},{source_id(core)},supplies,2024-01-01,,0.25,",
        f"core,{source_id(two)},{source_id(core)},supplies,,,,",
        f"core,{source_id(core)},{source_id(worker)},employs,2025-01-01,2024-01-01,,",
        f"core,nobody,{source_id(core)},supplies,,,,",
        f"core,{source_id(worker)},{source_id(core)},parent,,,,",
    ]
    for created, unchanged in ((2, 0), (0, 2)):
        done = await bring(bank, "relations", lines)
        assert done["state"] == "succeeded", done
        assert (done["counts"]["created"], done["counts"]["unchanged"]) == (created, unchanged)
        errors = (await bank.admin.get(f"/v1/imports/{done['id']}/errors")).json()["items"]
        assert [(error["row"], error["column"]) for error in errors] == [
            (3, "valid_to"),
            (4, "from_id"),
            (5, "from_id"),
        ]
    network = (await bank.admin.get(f"/v1/customers/{core['id']}/network")).json()
    assert {edge["share"] for edge in network["edges"]} == {"0.250000", None}


@given(edges)
def test_a_circle_is_found_as_by_hand(drawn: list[tuple[int, int]]) -> None:
    reach = {(a, b) for a, b in drawn}
    for _ in range(7):
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c}
    assert is_circular(drawn) == any(a == b for a, b in reach)


@given(edges, st.integers(1, 4))
def test_chains_are_all_shortest_ways(drawn: list[tuple[int, int]], limit: int) -> None:
    depth = {0: 0}
    for level in range(7):
        for a, b in drawn:
            if depth.get(a) == level and b not in depth:
                depth[b] = level + 1
    befores = {b: sorted({a for a, c in drawn if c == b and depth.get(a, 9) == depth[b] - 1}) for b in depth}
    for end_node, length in depth.items():
        ways, more = chains(befores, 0, end_node, limit)
        expected = [
            [0, *middle, end_node][: length + 1] if length else [0]
            for middle in itertools.product(range(7), repeat=max(length - 1, 0))
            if all(
                (a, b) in drawn and depth.get(b) == depth.get(a, -2) + 1
                for a, b in itertools.pairwise([0, *middle, end_node] if length else [0])
            )
        ]
        assert len(ways) == min(limit, len(expected))
        assert more == (len(expected) > limit)
        assert all(way in expected for way in ways)
