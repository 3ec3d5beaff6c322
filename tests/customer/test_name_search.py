"""Customers by part of their name: found, verified, scoped, never in the clear."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.domain.matching import MATCH_VERSION, match_keys, normal_name, search_keys
from services.customer.domain.vault import Vault
from services.customer.usecases.match_keys import fill_batch
from shared.auth import Role
from tests.customer.conftest import Bank, number, person
from tests.customer.merge_world import merged

VAULT = Vault(bytes(range(32)))
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


async def found(bank: Bank, part: str, client: Any = None, **params: Any) -> list[str]:
    """Ids over all pages."""
    ids: list[str] = []
    cursor = None
    while True:
        query = {"name": part, "limit": 3, **params, **({"cursor": cursor} if cursor else {})}
        answer = await (client or bank.head_sh).get("/v1/customers", params=query)
        assert answer.status_code == 200, answer.text
        ids += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return ids


@given(NAMES, st.data())
def test_every_part_of_a_name_has_only_pieces_of_the_name(name: str, data: st.DataObject) -> None:
    normal = normal_name(name)
    start = data.draw(st.integers(0, len(normal)))
    part = normal[start : data.draw(st.integers(start, len(normal)))]
    keys, wanted = match_keys(VAULT, {"name": name}).name_grams, search_keys(VAULT, part)
    if wanted is not None:
        assert set(wanted) <= set(keys or [])


def test_what_is_too_short_to_look_for() -> None:
    assert [
        search_keys(VAULT, part) is None for part in ("张", "ab", "abc", "", " ·", "a", "张a", "12", "123")
    ] == [
        False,
        True,
        False,
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    assert search_keys(VAULT, "ＡＢＣ") == search_keys(VAULT, "a b c")


async def test_a_part_of_the_name_finds_the_customer(bank: Bank) -> None:
    n = number()
    chinese = await bank.customer(name=f"慕容{n}复")
    latin = await bank.customer(name=f"O'Brien-Zyx {n}")
    company = await bank.customer(kind="company", name=f"澹台{n}远洋贸易有限公司", gender=None)
    assert chinese["id"] in await found(bank, "慕")
    assert await found(bank, f"容{n}") == [chinese["id"]]
    assert await found(bank, f"zyx{n}") == [latin["id"]]
    assert await found(bank, f"BRIENZYX {n}") == [latin["id"]]
    assert await found(bank, f"{n}远洋") == [company["id"]]
    assert company["id"] in await found(bank, "贸易")
    assert await found(bank, f"复{n}") == []


async def test_pieces_in_another_order_are_not_the_name(bank: Bank) -> None:
    """The name has every piece of the part looked for, yet not the part: it is opened and left out."""
    n = number()
    right = await bank.customer(name=f"甲乙{n}丙丁乙丙")
    assert set(search_keys(VAULT, "丁乙丙丁") or []) <= set(
        match_keys(VAULT, {"name": "丙丁乙丙"}).name_grams or []
    )
    assert await found(bank, "丁乙丙丁") == []
    assert await found(bank, "丙丁乙丙") == [right["id"]]


async def test_pages_and_other_conditions(bank: Bank) -> None:
    n = number()
    ids = [(await bank.customer(name=f"尉迟{n}号{i}"))["id"] for i in range(8)]
    assert await found(bank, f"尉迟{n}") == ids
    assert await found(bank, f"尉迟{n}", manager="S3") == []
    assert await found(bank, f"尉迟{n}", org="hq.sh") == ids


async def test_who_may_search_by_name(bank: Bank) -> None:
    n = number()
    here = await bank.customer(name=f"公孙{n}")
    there = await bank.customer(
        name=f"公孙{n}", org="hq.bj.haidian", primary_manager="S3", backup_manager=None
    )
    assert await found(bank, f"公孙{n}") == [here["id"]]
    assert await found(bank, f"公孙{n}", bank.manager_bj) == [there["id"]]
    assert await found(bank, f"公孙{n}", bank.admin) == [here["id"], there["id"]]
    for role in (Role.strategist, Role.auditor, Role.integrator, Role.approver):
        async with bank.service.client(role) as client:
            assert (await client.get("/v1/customers", params={"name": "公孙"})).status_code == 403
    for short in ("a", "ab", "  ", "·", "", "\x00"):
        answer = await bank.head_sh.get("/v1/customers", params={"name": short})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/name"), short


async def test_a_merged_name_finds_the_survivor(bank: Bank) -> None:
    n = number()
    a, b = await bank.customer(name=f"令狐{n}"), await bank.customer(name=f"夏侯{n}")
    await merged(bank, a["id"], b["id"])
    assert await found(bank, f"夏侯{n}") == [a["id"]]
    assert (await bank.head_sh.get("/v1/customers", params={"phone": person()["phone"]})).json()[
        "items"
    ] == []


async def test_a_changed_name_is_found_by_the_new_one(bank: Bank) -> None:
    n = number()
    customer = await bank.customer(name=f"旧名{n}")
    path = f"/v1/customers/{customer['id']}"
    await bank.head_sh.patch(path, json={"name": f"新名{n}"}, headers={"If-Match": '"v1"'})
    assert await found(bank, f"旧名{n}") == []
    assert await found(bank, f"新名{n}") == [customer["id"]]


async def test_customers_from_before_get_their_keys(bank: Bank) -> None:
    n = number()
    customer = await bank.customer(name=f"上古{n}")
    vault = bank.service.runtime.resource(Vault)
    cleared = "name_key = NULL, name_grams = NULL, match_version = NULL"
    await bank.sql(
        f"UPDATE customer SET {cleared} WHERE id = CAST(:id AS uuid) RETURNING 1", id=customer["id"]
    )
    assert await found(bank, f"上古{n}") == []
    async with bank.service.runtime.db.transaction() as session:
        assert await fill_batch(session, vault, 1000) == 1
    assert await found(bank, f"上古{n}") == [customer["id"]]
    version = await bank.sql(
        "SELECT match_version, version FROM customer WHERE id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert version == [(MATCH_VERSION, 1)]


@pytest.mark.parametrize("name", ["张三", "Li Wei"])
def test_keys_tell_nothing_without_the_master_key(name: str) -> None:
    other = Vault(bytes(reversed(range(32))))
    mine, theirs = match_keys(VAULT, {"name": name}), match_keys(other, {"name": name})
    assert mine.name_key != theirs.name_key
    assert not set(mine.name_grams or []) & set(theirs.name_grams or [])
