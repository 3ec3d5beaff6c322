"""The catalogue by its traits, balances by day, accounts that mature soon."""

from datetime import timedelta
from typing import Any

from shared import clock
from tests.customer.conftest import Bank, event, number, source_id


async def send(bank: Bank, customer: dict[str, Any], **item: Any) -> None:
    body = {"source": "core", "source_id": source_id(customer), "product": "wealth-steady", **item}
    answer = await bank.core.post("/v1/holdings", json={"items": [body]})
    assert answer.status_code == 200, answer.text


async def test_products_are_found_by_their_traits(bank: Bank) -> None:
    product = f"p{number()}"
    body = {
        "name": {"zh": "丙", "en": "C"},
        "category": "fund",
        "risk": "R5",
        "currency": "XTS",
        "margin": "0",
    }
    assert (
        await bank.admin.put(f"/v1/products/{product}", json={**body, "active": False})
    ).status_code == 200

    async def codes(**params: str) -> list[str]:
        answer = await bank.manager_sh.get("/v1/products", params={"limit": 1000, **params})
        assert answer.status_code == 200, answer.text
        return [item["code"] for item in answer.json()["items"]]

    assert product in await codes(category="fund", risk="R5", currency="XTS", active="false")
    for other in ({"category": "loan"}, {"risk": "R1"}, {"currency": "CNY"}, {"active": "true"}):
        found = await codes(**other)
        assert found
        assert product not in found
    assert (await bank.manager_sh.get("/v1/products", params={"category": "gold"})).status_code == 422


async def test_balances_by_day_with_those_of_a_merged_file(bank: Bank) -> None:
    customer, merged = await bank.customer(), await bank.customer()
    account = f"A/{number()} ä"
    for day, balance in (("2026-10-01", "1.00"), ("2026-10-05", "5.00"), ("2026-10-03", "3.00")):
        await send(bank, customer, account=account, balance=balance, as_of=day)
    await send(bank, merged, account=account, balance="4.00", as_of="2026-10-04")
    path = f"/v1/customers/{customer['id']}/holdings/{account}/days"

    async def days(**params: Any) -> list[tuple[str, str, str]]:
        answer = await bank.manager_sh.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return [(day["as_of"], day["balance"], day["home_id"]) for day in answer.json()["items"]]

    mine = customer["id"]
    expected = [("2026-10-01", "1.00", mine), ("2026-10-03", "3.00", mine), ("2026-10-05", "5.00", mine)]
    assert await days() == expected
    assert await days(since="2026-10-02", until="2026-10-03") == expected[1:2]
    await bank.sql(
        "UPDATE customer SET merged_into = CAST(:s AS uuid), status = 'merged' WHERE id = CAST(:m AS uuid)"
        " RETURNING 1",
        s=mine,
        m=merged["id"],
    )
    assert await days() == [*expected[:2], ("2026-10-04", "4.00", merged["id"]), expected[2]]
    first = (await bank.manager_sh.get(path, params={"limit": 2})).json()
    rest = (await bank.manager_sh.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [day["balance"] for day in first["items"] + rest["items"]] == ["1.00", "3.00", "4.00", "5.00"]
    assert (await bank.manager_bj.get(path)).status_code == 404
    assert (await bank.manager_sh.get(path.replace(account, "none"))).status_code == 404


async def test_what_matures_soon(bank: Bank) -> None:
    customer, today = await bank.customer(), clock.today()
    accounts = {f"M{number()}": days for days in (0, 10, 31, -1)}
    for account, days in accounts.items():
        matures = (today + timedelta(days=days)).isoformat()
        await send(
            bank, customer, account=account, balance="7.00", as_of=today.isoformat(), matures_on=matures
        )
    closed, day = f"M{number()}", (today + timedelta(days=1)).isoformat()
    await send(bank, customer, account=closed, balance="7.00", as_of="2026-11-01", matures_on=day)
    gone = event(source_id(customer), "product.closed", data={"account": closed, "product": "wealth-steady"})
    await bank.push(gone | {"time": "2026-11-02T10:00:00+08:00"})

    async def found(client: Any, **params: Any) -> list[tuple[str, int]]:
        answer = await client.get("/v1/holdings/maturing", params={"limit": 1000, **params})
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        assert [i["matures_on"] for i in items] == sorted(i["matures_on"] for i in items)
        return [(i["account"], i["days_left"]) for i in items if i["customer_id"] == customer["id"]]

    soon = [(account, days) for account, days in accounts.items() if days in {0, 10}]
    assert await found(bank.manager_sh) == soon
    assert await found(bank.head_sh, within_days=5, org="hq.sh", manager="S2") == soon[:1]
    assert len(await found(bank.admin, within_days=31)) == 3
    assert await found(bank.head_sh, manager="S3") == []
    assert await found(bank.manager_bj) == []
    assert (await bank.admin.get("/v1/holdings/maturing", params={"within_days": -1})).status_code == 422
    assert (await bank.admin.get("/v1/holdings/maturing", params={"within_days": 10**9})).status_code == 422
