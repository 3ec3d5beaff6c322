"""Branches with shares, managers A and B, and the history of both."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from services.customer.domain.shares import Share, share_errors
from services.customer.usecases.ownership import name_cause
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.contracts.events import OwnershipChanged
from tests.customer.conftest import Bank, source_id
from tests.customer.test_relations import bring

BRANCHES = ["hq.sh", "hq.sh.pudong", "hq.bj", "hq.bj.haidian"]


def share(org: str, part: str, role: str = "co") -> dict[str, str]:
    return {"org": org, "role": role, "share": part}


def owned(org: str = "hq.sh.pudong", **more: Any) -> dict[str, Any]:
    return {"org": org, "primary_manager": "S1", "backup_manager": "S2", **more}


async def assign(bank: Bank, customer_id: str, body: dict[str, Any]) -> dict[str, Any]:
    path = f"/v1/customers/{customer_id}/ownership"
    etag = (await bank.admin.get(path)).headers["ETag"]
    answer = await bank.admin.put(path, json=body, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = (await bank.admin.get(path)).json()
    return found


def parts(view: dict[str, Any]) -> dict[str, tuple[str, Decimal]]:
    return {one["org"]: (one["role"], Decimal(one["share"])) for one in view["branches"]}


async def told(bank: Bank, customer_id: str) -> list[dict[str, Any]]:
    """What OwnershipChanged said of a customer, in order."""
    rows = await bank.sql(
        "SELECT payload FROM outbox WHERE subject LIKE 'customer.ownership_changed.%' ORDER BY seq"
    )
    events = [OwnershipChanged.model_validate(orjson.loads(row[0])["data"]) for row in rows]
    return [
        change.model_dump(mode="json")
        for event in events
        for change in event.changes
        if str(change.customer_id) == customer_id
    ]


async def test_a_customer_without_shares_is_all_its_branchs(bank: Bank) -> None:
    customer = await bank.customer()
    answer = await bank.manager_sh.get(f"/v1/customers/{customer['id']}/ownership")
    assert answer.headers["ETag"] == '"v1"'
    assert parts(answer.json()) == {"hq.sh.pudong": ("lead", Decimal(1))}
    assert (await bank.manager_bj.get(f"/v1/customers/{customer['id']}/ownership")).status_code == 404


async def test_shares_are_exact_and_led_by_the_customers_branch(bank: Bank) -> None:
    customer = await bank.customer()
    path = f"/v1/customers/{customer['id']}/ownership"
    lead = share("hq.sh.pudong", "0.7", "lead")
    wrong: dict[str, list[dict[str, str]]] = {
        "/branches": [lead, share("hq.bj", "0.2")],
        "/branches/0/org": [share("hq.bj", "0.7", "lead"), share("hq.sh.pudong", "0.3")],
        "/branches/1/org": [lead, share("hq.sh.pudong", "0.3")],
        "/branches/1/share": [lead, share("hq.bj", "0.0000001")],
    }
    for pointer, branches in wrong.items():
        answer = await bank.admin.put(path, json=owned(branches=branches), headers={"If-Match": '"v1"'})
        assert answer.status_code == 422, branches
        assert pointer in {error["pointer"] for error in answer.json()["errors"]}, answer.text
    two_leads = [share("hq.sh.pudong", "0.5", "lead"), share("hq.bj", "0.5", "lead")]
    nowhere = [lead, share("hq.nowhere", "0.3")]
    for branches in (two_leads, nowhere, []):
        answer = await bank.admin.put(path, json=owned(branches=branches), headers={"If-Match": '"v1"'})
        assert answer.status_code == 422, branches
    # A branch head cannot give a part to a branch beyond the own organisation.
    outside = owned(branches=[lead, share("hq.bj", "0.3")])
    assert (await bank.head_sh.put(path, json=outside, headers={"If-Match": '"v1"'})).status_code == 422
    thirds = [lead | {"share": "0.333334"}, share("hq.sh", "0.333333"), share("hq.bj", "0.333333")]
    view = await assign(bank, customer["id"], owned(branches=thirds))
    assert sum(part for _, part in parts(view).values()) == 1


async def test_the_lead_follows_the_customer_and_history_stays(bank: Bank) -> None:
    customer = await bank.customer()
    branches = [share("hq.sh.pudong", "0.6", "lead"), share("hq.bj.haidian", "0.4")]
    await assign(bank, customer["id"], owned(branches=branches, reason="客户要求共同经营"))
    moved = await assign(
        bank, customer["id"], {"org": "hq.bj.haidian", "primary_manager": "S3", "backup_manager": None}
    )
    assert parts(moved) == {
        "hq.bj.haidian": ("lead", Decimal("0.6")),
        "hq.sh.pudong": ("co", Decimal("0.4")),
    }
    back = await assign(bank, customer["id"], owned())
    assert parts(back) == {
        "hq.sh.pudong": ("lead", Decimal("0.6")),
        "hq.bj.haidian": ("co", Decimal("0.4")),
    }
    changes = (await bank.admin.get(f"/v1/customers/{customer['id']}/ownership/changes")).json()["items"]
    assert [change["after"]["org"] for change in changes] == ["hq.sh.pudong", "hq.bj.haidian"]
    assert changes[0]["changed_by"] == "user:tester"
    assert [change["after"]["org"] for change in await told(bank, customer["id"])] == [
        "hq.bj.haidian",
        "hq.sh.pudong",
    ]
    shared = (await bank.manager_bj.get("/v1/co-managed-customers")).json()["items"]
    assert (customer["id"], Decimal("0.4")) in {(one["customer_id"], Decimal(one["share"])) for one in shared}
    assert (await bank.manager_bj.get(f"/v1/customers/{customer['id']}")).status_code == 404


async def test_owners_are_known_as_of_a_day(bank: Bank) -> None:
    customer = await bank.customer()
    await assign(bank, customer["id"], owned(primary_manager="S2", backup_manager="S1", reason="换岗"))
    await bank.sql(
        "UPDATE ownership_change SET effective_on = '2026-01-10' WHERE customer_id = CAST(:id AS uuid)"
        " RETURNING 1",
        id=customer["id"],
    )
    path = f"/v1/customers/{customer['id']}/ownership"

    async def primary(day: str) -> str:
        return str((await bank.admin.get(path, params={"as_of": day})).json()["primary_manager"])

    assert [await primary(day) for day in ("2026-01-09", "2026-01-10", "2026-03-01")] == ["S1", "S2", "S2"]
    (change,) = (await bank.admin.get(f"{path}/changes")).json()["items"]
    assert (change["reason"], change["cause"]) == ("换岗", "assignment")
    raw = await bank.sql(
        "SELECT reason FROM ownership_change WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert "换岗" not in raw[0][0]


async def test_merged_customers_follow_and_cannot_be_moved_alone(bank: Bank) -> None:
    survivor, merged = await bank.customer(), await bank.customer()
    await bank.sql(
        "UPDATE customer SET merged_into = CAST(:s AS uuid), status = 'merged' WHERE id = CAST(:m AS uuid)"
        " RETURNING 1",
        s=survivor["id"],
        m=merged["id"],
    )
    body = {"org": "hq.bj.haidian", "primary_manager": "S3", "backup_manager": None}
    await assign(bank, survivor["id"], body)
    rows = await bank.sql(
        "SELECT org_path, primary_manager FROM customer WHERE id = CAST(:m AS uuid)", m=merged["id"]
    )
    assert rows == [("hq.bj.haidian", "S3")]
    path = f"/v1/customers/{merged['id']}/ownership"
    etag = (await bank.admin.get(path)).headers["ETag"]
    assert (await bank.admin.put(path, json=owned(), headers={"If-Match": etag})).status_code == 409


async def test_a_merge_and_its_undoing_are_told_once_each(bank: Bank) -> None:
    survivor = await bank.customer()
    merged = await bank.customer(
        org="hq.bj.haidian", primary_manager="S3", backup_manager=None, id_number=None
    )
    body = {"survivor": survivor["id"], "merged": [merged["id"]], "reason": "同一人"}
    done = await bank.admin.post("/v1/customers:merge", json=body)
    assert done.status_code == 200, done.text
    undone = await bank.admin.post(f"/v1/merges/{done.json()['merge_id']}:undo", json={"reason": "误合并"})
    assert undone.status_code == 200, undone.text
    changes = await told(bank, merged["id"])
    assert [(one["cause"], one["after"]["org"]) for one in changes] == [
        ("merge", "hq.sh.pudong"),
        ("merge", "hq.bj.haidian"),
    ]
    assert await told(bank, survivor["id"]) == []


async def test_every_way_of_changing_owners_is_told(bank: Bank) -> None:
    """An import changes owners in bulk: the change is recorded and published with its cause."""
    customer = await bank.customer()
    async with bank.service.runtime.db.transaction(actor="user:importer") as session:
        from sqlalchemy import text

        await name_cause(session, "import")
        await session.execute(
            text(
                "UPDATE customer SET primary_manager = 'S2', backup_manager = NULL WHERE id = CAST(:id AS uuid)"
            ),
            {"id": customer["id"]},
        )
        rows = await session.execute(text("SELECT id FROM customer WHERE id = CAST(:id AS uuid)"), customer)
        await publish_customers(session, [row[0] for row in rows])
    (change,) = await told(bank, customer["id"])
    assert change["cause"] == "import"
    assert change["before"] == {"org": "hq.sh.pudong", "primary_manager": "S1", "backup_manager": "S2"}
    assert change["after"]["primary_manager"] == "S2"
    assert change["effective_on"] == clock.today().isoformat()


async def test_owners_are_imported_in_bulk(bank: Bank) -> None:
    moved, kept, survivor = [await bank.customer() for _ in range(3)]
    merged = await bank.customer()
    await bank.sql(
        "UPDATE customer SET merged_into = CAST(:s AS uuid), status = 'merged' WHERE id = CAST(:m AS uuid)"
        " RETURNING 1",
        s=survivor["id"],
        m=merged["id"],
    )
    lines = [
        "source,source_id,org,primary_manager,backup_manager",
        f"core,{source_id(moved)},hq.bj.haidian,S3,",
        f"core,{source_id(kept)},hq.sh.pudong,S1,S2",
        f"core,{source_id(merged)},hq.sh,S2,S1",
        "core,nobody,hq.sh,,",
        f"core,{source_id(kept)},hq.nowhere,S1,",
        f"core,{source_id(kept)},hq.sh.pudong,S1,S1",
        f"core,{source_id(kept)},hq.sh.pudong,S999,",
    ]
    done = await bring(bank, "ownership", lines)
    assert (done["counts"]["updated"], done["counts"]["unchanged"]) == (2, 1), done
    errors = (await bank.admin.get(f"/v1/imports/{done['id']}/errors")).json()["items"]
    assert [(error["row"], error["column"]) for error in errors] == [
        (4, "source_id"),
        (5, "org"),
        (6, "backup_manager"),
        (7, "primary_manager"),
    ]
    (change,) = await told(bank, moved["id"])
    assert (change["cause"], change["after"]["org"]) == ("import", "hq.bj.haidian")
    assert [one["after"]["org"] for one in await told(bank, survivor["id"])] == ["hq.sh"]
    assert [one["after"]["org"] for one in await told(bank, merged["id"])] == ["hq.sh"]
    assert await told(bank, kept["id"]) == []


async def test_the_database_refuses_shares_that_do_not_add_up(bank: Bank) -> None:
    customer = await bank.customer()
    await assign(
        bank,
        customer["id"],
        owned(branches=[share("hq.sh.pudong", "0.6", "lead"), share("hq.bj", "0.4")]),
    )
    with pytest.raises(DBAPIError, match="add up to 1"):
        await bank.sql(
            "UPDATE customer_branch SET share = 0.5 WHERE customer_id = CAST(:id AS uuid)"
            " AND role = 'co' RETURNING 1",
            id=customer["id"],
        )


operations = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(BRANCHES)),
        st.tuples(
            st.just("share"),
            st.lists(st.sampled_from(BRANCHES), min_size=1, max_size=4, unique=True),
            st.lists(st.integers(1, 1_000), min_size=4, max_size=4),
        ),
        st.tuples(st.just("import"), st.sampled_from(BRANCHES)),
    ),
    min_size=1,
    max_size=6,
)


def cut(weights: list[int]) -> list[Decimal]:
    """Shares of six decimals in proportion to the weights that add up to exactly 1."""
    total = sum(weights)
    first = [(Decimal(weight) / total).quantize(Decimal("0.000001")) for weight in weights[1:]]
    return [1 - sum(first, Decimal(0)), *first]


@settings(max_examples=12, deadline=None)
@given(steps=operations)
async def test_shares_add_up_through_any_sequence(bank: Bank, steps: list[tuple[Any, ...]]) -> None:
    customer = await bank.customer()
    at = "hq.sh.pudong"
    for step in steps:
        if step[0] == "import":
            at = step[1]
            await bank.sql(
                "UPDATE customer SET org_path = :org WHERE id = CAST(:id AS uuid) RETURNING 1",
                org=at,
                id=customer["id"],
            )
        else:
            at = step[1] if step[0] == "move" else step[1][0]
            body = owned(at)
            if step[0] == "share":
                pieces = cut(step[2][: len(step[1])])
                body["branches"] = [
                    share(org, str(piece), "co" if index else "lead")
                    for index, (org, piece) in enumerate(zip(step[1], pieces, strict=True))
                ]
            await assign(bank, customer["id"], body)
        view = (await bank.admin.get(f"/v1/customers/{customer['id']}/ownership")).json()
        assert sum(part for _, part in parts(view).values()) == 1
        assert [org for org, (role, _) in parts(view).items() if role == "lead"] == [at]
    rows = await bank.sql(
        "SELECT valid_from, sum(share) FROM customer_branch WHERE customer_id = CAST(:id AS uuid)"
        " AND valid_to IS NULL GROUP BY 1",
        id=customer["id"],
    )
    assert all(total == 1 for _, total in rows)


@given(st.lists(st.decimals(min_value="0.000001", max_value="1", places=6), min_size=1, max_size=6))
def test_shares_are_right_only_at_exactly_one(drawn: list[Decimal]) -> None:
    shares = [Share(f"hq.b{n}", "co" if n else "lead", part) for n, part in enumerate(drawn)]
    assert (share_errors(shares, "hq.b0") == []) == (sum(drawn) == 1)
    rest = 1 - sum(drawn[1:], Decimal(0))
    if rest > 0:
        assert share_errors([Share("hq.b0", "lead", rest), *shares[1:]], "hq.b0") == []
