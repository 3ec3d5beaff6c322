"""Addresses are told to programs that send messages, of those who agree now, and kept nowhere."""

from typing import Any
from uuid import uuid4

from shared import clock
from shared.auth import Role
from tests.customer.conftest import Bank, event, source_id


async def _ask(bank: Bank, channel: str, *customers: Any) -> list[dict[str, Any]]:
    async with bank.service.client(key=bank.service.servers.api_key(None, Role.messenger)) as client:
        answer = await client.post(
            "/v1/customers:addresses",
            json={"channel": channel, "customers": [str(each) for each in customers]},
        )
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_addresses_of_those_who_agree_and_of_nobody_else(bank: Bank) -> None:
    told = await bank.customer(
        phone="13912345678", email="li@example.com", gender="F", consents={"sms": True, "email": False}
    )
    bare = await bank.customer(phone=None, consents={"sms": True})
    unknown = uuid4()
    by_sms = await _ask(bank, "sms", bare["id"], told["id"], unknown, told["id"])
    assert [item["customer_id"] for item in by_sms] == [bare["id"], told["id"], str(unknown), told["id"]]
    assert [item["refused"] for item in by_sms] == ["no_address", None, "unknown", None]
    assert by_sms[1] == by_sms[3]
    assert by_sms[1]["address"].endswith("13912345678")
    assert by_sms[1]["gender"] == "F"
    assert (await _ask(bank, "email", told["id"]))[0]["refused"] == "consent"
    assert (await _ask(bank, "app", told["id"]))[0]["refused"] == "consent"


async def test_an_opt_out_holds_at_once(bank: Bank) -> None:
    told = await bank.customer(phone="13912345679", consents={"sms": True})
    assert (await _ask(bank, "sms", told["id"]))[0]["address"]
    said = {"data": {"channel": "sms", "granted": False}, "time": clock.now().isoformat()}
    answer = await bank.push(event(source_id(told), "consent.changed", **said))
    assert answer.status_code == 200, answer.text
    assert (await _ask(bank, "sms", told["id"]))[0] == {
        "customer_id": told["id"],
        "address": None,
        "name": None,
        "kind": None,
        "gender": None,
        "refused": "consent",
    }


async def test_addresses_are_for_messengers_and_kept_nowhere(bank: Bank) -> None:
    body = {"channel": "sms", "customers": [str(uuid4())]}
    for role in set(Role) - {Role.messenger, Role.admin}:
        async with bank.service.client(role) as client:
            assert (await client.post("/v1/customers:addresses", json=body)).status_code == 403
    key = bank.service.servers.api_key(None, Role.messenger)
    async with bank.service.client(key=key) as client:
        kept = await client.post("/v1/customers:addresses", json=body, headers={"Idempotency-Key": "once"})
        assert kept.status_code == 400
        none = await client.post("/v1/customers:addresses", json={"channel": "sms", "customers": []})
        assert none.json()["errors"][0]["pointer"] == "/customers"
