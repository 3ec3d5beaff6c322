"""A source's file comes every night: it neither washes a merge out nor tears a family apart."""

from typing import Any

from tests.customer.conftest import Bank, number
from tests.customer.merge_world import merged, undo, view
from tests.customer.test_imports import CUSTOMER, as_csv, run


async def _two(bank: Bank) -> tuple[list[dict[str, Any]], str, str]:
    n = number()
    same = {**CUSTOMER, "id_number": f"NIGHT-{n}", "email": ""}
    rows = [
        {**same, "source_id": f"n{n}-a", "phone": "13700000001", "address": "上海", "occupation": ""},
        {
            **same,
            "source_id": f"n{n}-b",
            "phone": "13700000002",
            "address": "上海市浦东新区世纪大道1号",
            "email": "b@x.cn",
            "occupation": "医生",
            "risk_level": "C4",
            "consent_call": "",
            "consent_sms": "",
        },
    ]
    assert (await run(bank, "customers", as_csv(rows[:1])))["counts"]["created"] == 1
    assert (await run(bank, "customers", as_csv(rows[1:])))["counts"]["created"] == 1
    items = [{"source": "core", "source_id": row["source_id"]} for row in rows]
    resolved = (await bank.core.post("/v1/customers:resolve", json={"items": items})).json()["items"]
    return rows, resolved[0]["customer_id"], resolved[1]["customer_id"]


async def _profile(bank: Bank, customer_id: str) -> dict[str, Any]:
    shown = await view(bank, customer_id, reveal="pii")
    names = ("name", "phone", "email", "address", "occupation", "risk_level", "consents", "org", "version")
    return {name: shown[name] for name in names}


async def test_the_same_file_again_changes_nothing(bank: Bank) -> None:
    rows, a, b = await _two(bank)
    apart = [await _profile(bank, one) for one in (a, b)]
    merge_id = await merged(bank, a, b, overrides={})
    together = [await _profile(bank, one) for one in (a, b)]
    assert (
        together[0]["phone"],
        together[0]["email"],
        together[0]["occupation"],
        together[0]["risk_level"],
    ) == (
        "13700000002",
        "b@x.cn",
        "医生",
        "C4",
    )
    again = (await run(bank, "customers", as_csv(rows)))["counts"]
    assert (again["unchanged"], again["updated"]) == (2, 0)
    assert [await _profile(bank, one) for one in (a, b)] == together
    await undo(bank, merge_id)
    for before, one in zip(apart, (a, b), strict=True):
        now = await _profile(bank, one)
        assert {**now, "version": 0} == {**before, "version": 0}


async def test_news_of_a_survivor_are_taken_and_stay(bank: Bank) -> None:
    rows, a, b = await _two(bank)
    merge_id = await merged(bank, a, b, overrides={})
    news = {**rows[0], "phone": "13700000009"}
    assert (await run(bank, "customers", as_csv([news])))["counts"]["updated"] == 1
    shown = await _profile(bank, a)
    assert (shown["phone"], shown["email"], shown["occupation"]) == ("13700000009", "b@x.cn", "医生")
    result = (await undo(bank, merge_id)).json()
    assert "phone" in result["kept"]
    shown = await _profile(bank, a)
    assert (shown["phone"], shown["email"], shown["occupation"]) == ("13700000009", None, None)


async def test_news_of_the_merged_stay_in_the_family(bank: Bank) -> None:
    """Its branch and managers remain the survivor's, its consents reach the survivor, undone it has its own."""
    rows, a, b = await _two(bank)
    merge_id = await merged(bank, a, b, overrides={})
    news = {**rows[1], "org": "hq.sh", "primary_manager": "", "address": "北京", "consent_call": "false"}
    done = await run(bank, "customers", as_csv([news]), bank.admin)
    assert (done["counts"]["updated"], done["counts"]["rejected"]) == (1, 0)
    assert ((await _profile(bank, a))["org"], (await _profile(bank, b))["org"]) == ("hq.sh.pudong",) * 2
    assert (await _profile(bank, a))["consents"] == {"call": False, "sms": False}
    assert (await _profile(bank, b))["address"] == "北京"
    await undo(bank, merge_id)
    assert (await _profile(bank, a))["consents"] == {"call": True, "sms": False}
    assert (await _profile(bank, b))["consents"] == {"call": False}
