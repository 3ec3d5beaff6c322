"""What was known when: versions, field changes, and balances corrected later."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from tests.customer.conftest import Bank, event, number, source_id
from tests.customer.test_imports import CUSTOMER, as_csv, run


async def _patch(bank: Bank, customer: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = await bank.head_sh.patch(
        f"/v1/customers/{customer['id']}",
        json=body,
        headers={"If-Match": f'"v{customer["version"]}"'},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _changes(bank: Bank, customer: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    path, items, cursor = f"/v1/customers/{customer['id']}/history", [], None
    while True:
        query = {**params, **({"cursor": cursor} if cursor else {})}
        answer = await bank.head_sh.get(path, params=query)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return items


async def test_each_version_can_be_read_as_of_its_time(bank: Bank) -> None:
    first = await bank.customer(occupation="教师")
    between = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.01)
    second = await _patch(bank, first, occupation="医生", name="张无忌")
    path = f"/v1/customers/{first['id']}"

    then = await bank.head_sh.get(path, params={"as_of": between, "reveal": "pii"})
    assert then.status_code == 200, then.text
    assert (then.json()["occupation"], then.json()["name"], then.json()["version"]) == ("教师", "张三丰", 1)
    assert "etag" not in then.headers
    now = await bank.head_sh.get(path, params={"as_of": datetime.now(UTC).isoformat(), "reveal": "pii"})
    assert (now.json()["occupation"], now.json()["name"]) == ("医生", "张无忌")
    assert now.json()["version"] == second["version"] == 2
    assert (await bank.head_sh.get(path, params={"as_of": "2020-01-01"})).status_code == 404
    masked = (await bank.head_sh.get(path, params={"as_of": between})).json()
    assert masked["name"] == "张**"


async def test_field_changes_say_who_when_and_why(bank: Bank) -> None:
    first = await bank.customer(occupation="教师")
    second = await _patch(bank, first, phone="13900001111", occupation="医生", reason="张三丰换了手机")
    third = await _patch(bank, second, occupation="律师")

    found = await _changes(bank, first)
    assert [(c["version"], c["field"]) for c in found[:3]] == [
        (3, "occupation"),
        (2, "phone"),
        (2, "occupation"),
    ]
    phone = found[1]
    assert phone["after"] == "139****1111"
    assert (phone["by"], phone["reason"]) == ("user:S4", "张三丰换了手机")
    assert found[0]["reason"] is None
    assert (found[2]["before"], found[2]["after"]) == ("教师", "医生")
    created = {c["field"]: c for c in found if c["version"] == 1}
    assert created["name"]["before"] is None
    assert created["org"]["after"] == "hq.sh.pudong"
    assert third["version"] == 3
    revealed = await _changes(bank, first, reveal="pii")
    assert next(c for c in revealed if c["field"] == "phone" and c["version"] == 2)["after"] == "13900001111"
    assert await _changes(bank, first, limit=1) == found
    assert await _changes(bank, first, limit=3) == found
    answer = await bank.strategist.get(f"/v1/customers/{first['id']}/history", params={"reveal": "pii"})
    assert answer.status_code == 403
    rows = await bank.sql(
        "SELECT change_reason FROM customer_history WHERE customer_id = CAST(:id AS uuid)"
        " UNION ALL SELECT change_reason FROM customer WHERE id = CAST(:id AS uuid)",
        id=first["id"],
    )
    assert not any("换" in (row[0] or "") for row in rows)


async def test_history_belongs_to_the_branch(bank: Bank) -> None:
    customer = await bank.customer()
    for path in ("history", "holdings"):
        answer = await bank.manager_bj.get(f"/v1/customers/{customer['id']}/{path}")
        assert answer.status_code == 404


async def test_creating_writes_no_history(bank: Bank) -> None:
    customer = await bank.customer()
    count = "SELECT count(*) FROM customer_history WHERE customer_id = CAST(:id AS uuid)"
    assert (await bank.sql(count, id=customer["id"]))[0][0] == 0
    await _patch(bank, customer, occupation="医生", consents={"call": False})
    assert (await bank.sql(count, id=customer["id"]))[0][0] == 1


async def test_events_are_signed_in_history(bank: Bank) -> None:
    customer = await bank.customer()
    data = {"level": "C3", "valid_until": "2027-01-01"}
    await bank.push(event(source_id(customer), "risk.assessed", data=data))
    found = await _changes(bank, customer)
    assert [(c["field"], c["after"]) for c in found[:2]] == [
        ("risk_level", "C3"),
        ("risk_valid_until", "2027-01-01"),
    ]
    assert found[0]["by"].startswith("key:")


def _balance(subject: str, balance: str, as_of: str, at: str) -> dict[str, Any]:
    data = {"account": "A-1", "product": "wealth-steady", "balance": balance, "as_of": as_of}
    return event(subject, "balance.snapshot", time=at, data=data)


async def _held(bank: Bank, customer: dict[str, Any], **params: str) -> list[tuple[str, str]]:
    answer = await bank.head_sh.get(f"/v1/customers/{customer['id']}/holdings", params=params)
    assert answer.status_code == 200, answer.text
    return [(item["balance"], item["measured_on"]) for item in answer.json()["items"]]


async def test_balances_of_a_date_as_known_then_and_now(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    await bank.push(_balance(subject, "100.00", "2026-09-30", "2026-09-30T20:00:00+08:00"))
    await bank.push(_balance(subject, "300.00", "2026-10-31", "2026-10-31T20:00:00+08:00"))
    believed = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.01)
    # A correction of September, and a day nobody had told before.
    await bank.push(_balance(subject, "150.00", "2026-09-30", "2026-11-02T20:00:00+08:00"))
    await bank.push(_balance(subject, "180.00", "2026-10-10", "2026-10-10T20:00:00+08:00"))

    assert await _held(bank, customer, as_of="2026-09-30") == [("150.00", "2026-09-30")]
    assert await _held(bank, customer, as_of="2026-09-30", known_at=believed) == [("100.00", "2026-09-30")]
    assert await _held(bank, customer, as_of="2026-10-15") == [("180.00", "2026-10-10")]
    assert await _held(bank, customer, as_of="2026-10-15", known_at=believed) == [("100.00", "2026-09-30")]
    assert await _held(bank, customer, as_of="2026-11-05", known_at=believed) == [("300.00", "2026-10-31")]
    assert await _held(bank, customer, as_of="2026-09-29") == []
    assert await _held(bank, customer, as_of="2026-09-30", known_at="2020-01-01") == []
    answer = await bank.head_sh.get(
        f"/v1/customers/{customer['id']}/holdings", params={"as_of": "2026-09-30"}
    )
    assert answer.json()["totals"] == [{"currency": "CNY", "assets": "150.00", "liabilities": "0.00"}]


async def test_a_balance_told_twice_is_no_correction(bank: Bank) -> None:
    customer = await bank.customer()
    for at in ("2026-09-30T20:00:00+08:00", "2026-10-01T20:00:00+08:00"):
        await bank.push(_balance(source_id(customer), "100.00", "2026-09-30", at))
    rows = await bank.sql(
        "SELECT count(*) FROM holding_day_superseded WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert rows[0][0] == 0


async def test_moments_that_are_none(bank: Bank) -> None:
    customer = await bank.customer()
    path = f"/v1/customers/{customer['id']}"
    for value in ("yesterday", "2026-13-01", "2026-01-01T00:00:00", "9999-12-31", "\x00", "0", "2026010"):
        answer = await bank.admin.get(path, params={"as_of": value})
        assert answer.status_code == 422, (value, answer.text)
        assert answer.json()["errors"][0]["pointer"] == "/query/as_of"
        answer = await bank.admin.get(f"{path}/holdings", params={"known_at": value})
        assert answer.status_code == 422, (value, answer.text)
    for value in ("0001-01-01", "0001-01-01T00:00:00+14:00"):
        assert (await bank.admin.get(path, params={"as_of": value})).status_code in {404, 422}, value
    assert (await bank.admin.get(path, params={"as_of": "1950-01-01"})).status_code == 404
    answer = await bank.admin.get(f"{path}/history", params={"cursor": "bm9wZQ"})
    assert answer.status_code == 400


async def test_an_import_of_new_customers_writes_no_history(bank: Bank) -> None:
    source_ids = [f"h{number()}" for _ in range(3)]
    done = await run(bank, "customers", as_csv([{**CUSTOMER, "source_id": one} for one in source_ids]))
    assert done["counts"]["created"] == 3
    rows = await bank.sql(
        "SELECT c.version, c.consents, left(c.changed_by, 4), (SELECT count(*) FROM customer_history h"
        " WHERE h.customer_id = c.id) FROM customer c JOIN source_identity s ON s.customer_id = c.id"
        " WHERE s.source_id = ANY(:ids)",
        ids=source_ids,
    )
    assert [tuple(row) for row in rows] == [(1, {"call": True, "sms": False}, "key:", 0)] * 3


async def test_the_survivor_tells_the_history_of_all_its_files(bank: Bank) -> None:
    first, second = await bank.customer(occupation="教师"), await bank.customer(occupation=None)
    for customer, balance in ((first, "100.00"), (second, "30.00")):
        await bank.push(_balance(source_id(customer), balance, "2026-09-30", "2026-09-30T20:00:00+08:00"))
    before = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.01)
    merge = {
        "survivor": second["id"],
        "merged": [first["id"]],
        "overrides": {"id_number": second["id"]},
        "reason": "同一人",
    }
    answer = await bank.head_sh.post("/v1/customers:merge", json=merge)
    assert answer.status_code == 200, answer.text
    merge_id = answer.json()["merge_id"]

    found = await _changes(bank, second)
    by_file = {(c["customer_id"], c["field"]): c for c in found if c["version"] > 1}
    pointed = by_file[first["id"], "merged_into"]
    assert (pointed["before"], pointed["after"]) == (None, second["id"])
    assert (pointed["by"], pointed["reason"]) == ("user:S4", f"merge/{merge_id}")
    taken = by_file[second["id"], "occupation"]
    assert (taken["before"], taken["after"], taken["reason"]) == (None, "教师", f"merge/{merge_id}")
    assert {c["customer_id"] for c in found if c["version"] == 1} == {first["id"], second["id"]}
    then = await bank.head_sh.get(f"/v1/customers/{first['id']}", params={"as_of": before})
    assert (then.json()["status"], then.json()["occupation"]) == ("active", "教师")
    held = await bank.head_sh.get(f"/v1/customers/{second['id']}/holdings", params={"as_of": "2026-09-30"})
    assert held.json()["totals"][0]["assets"] == "130.00"
