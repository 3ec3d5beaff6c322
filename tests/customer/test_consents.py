"""The consent ledger: proof, purposes, ends, late words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.customer.usecases.consent_words import expire_consents
from shared import clock
from tests.customer.conftest import Bank, event, number, person, source_id
from tests.customer.test_imports import CUSTOMER, as_csv, run


async def _put(bank: Bank, customer: dict[str, Any], channel: str, status: int = 200, **body: Any) -> Any:
    answer = await bank.manager_sh.put(f"/v1/customers/{customer['id']}/consents/{channel}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def _get(bank: Bank, customer: dict[str, Any], **params: Any) -> dict[str, Any]:
    answer = await bank.manager_sh.get(f"/v1/customers/{customer['id']}/consents", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _summary(bank: Bank, customer: dict[str, Any]) -> dict[str, bool]:
    return (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()["consents"]


def _present(answer: list[dict[str, Any]]) -> dict[tuple[str, str], bool]:
    return {(item["channel"], item["purpose"]): item["granted"] for item in answer}


async def test_a_word_with_proof_enters_the_ledger(bank: Bank) -> None:
    customer = await bank.customer(consents={})
    proof = {"kind": "recording", "reference": "录音-张三丰-0007", "hash": "ab" * 32}
    present = await _put(bank, customer, "call", granted=True, valid_until="2030-01-01", proof=proof)
    assert _present(present) == {("call", "marketing"): True}
    assert await _summary(bank, customer) == {"call": True}

    ledger = (await _get(bank, customer, reveal="pii"))["ledger"]
    assert [(e["granted"], e["valid_until"], e["recorded_by"]) for e in ledger] == [
        (True, "2030-01-01", "user:S1")
    ]
    assert ledger[0]["proof"] == proof
    hidden = (await _get(bank, customer))["ledger"][0]["proof"]
    assert hidden == {**proof, "reference": None}
    stored = await bank.sql(
        "SELECT proof_reference FROM consent_entry WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert "录音".encode() not in bytes(stored[0][0])


async def test_a_late_word_joins_the_ledger_and_changes_nothing_else(bank: Bank) -> None:
    customer = await bank.customer(consents={})
    await _put(bank, customer, "sms", granted=False, changed_at="2026-10-02T09:00:00+08:00")
    version = (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()["version"]
    present = await _put(bank, customer, "sms", granted=True, changed_at="2026-10-01T09:00:00+08:00")
    assert _present(present) == {("sms", "marketing"): False}
    assert [e["granted"] for e in (await _get(bank, customer))["ledger"]] == [False, True]
    assert (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()["version"] == version
    await _put(bank, customer, "sms", granted=True, changed_at="2026-10-01T09:00:00+08:00")
    assert len((await _get(bank, customer))["ledger"]) == 2
    pages, cursor = [], None
    for _ in range(2):
        answer = await _get(bank, customer, limit=1, **({"cursor": cursor} if cursor else {}))
        pages += answer["ledger"]
        cursor = answer["next_cursor"]
    assert [e["granted"] for e in pages] == [False, True]
    assert cursor is None


async def test_only_marketing_is_the_summary(bank: Bank) -> None:
    customer = await bank.customer(consents={})
    await _put(bank, customer, "email", granted=True, purpose="service")
    assert await _summary(bank, customer) == {}
    data = {"channel": "email", "granted": True, "purpose": "sharing"}
    await bank.push(event(source_id(customer), "consent.changed", data=data))
    await bank.push(event(source_id(customer), "consent.changed", data={"channel": "visit", "granted": True}))
    assert _present((await _get(bank, customer))["present"]) == {
        ("email", "service"): True,
        ("email", "sharing"): True,
        ("visit", "marketing"): True,
    }
    assert await _summary(bank, customer) == {"visit": True}


async def test_do_not_contact_refuses_every_channel(bank: Bank) -> None:
    customer = await bank.customer(consents={"call": True})
    answer = await bank.manager_sh.post(
        f"/v1/customers/{customer['id']}:refuse-contact", json={"proof": {"kind": "branch"}}
    )
    assert answer.status_code == 200, answer.text
    assert set(_present(answer.json()).values()) == {False}
    assert await _summary(bank, customer) == dict.fromkeys(["call", "sms", "email", "visit", "app"], False)


async def test_a_consent_ends_on_its_day(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await bank.customer(consents={})
    until = clock.today() + timedelta(days=3)
    await _put(bank, customer, "call", granted=True, valid_until=until.isoformat())
    later = clock.now() + timedelta(days=4)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert _present((await _get(bank, customer))["present"]) == {("call", "marketing"): False}
    published = "SELECT count(*) FROM outbox WHERE subject LIKE 'customer.consent_changed.%' AND payload::text LIKE :id"
    like = f"%{customer['id'].encode().hex()}%"
    before = (await bank.sql(published, id=like))[0][0]
    assert before == 1
    async with bank.service.runtime.db.transaction() as session:
        await expire_consents(session)
    assert await _summary(bank, customer) == {"call": False}
    assert (await bank.sql(published, id=like))[0][0] == 2
    async with bank.service.runtime.db.transaction() as session:
        assert await expire_consents(session) == 0
    found = await bank.admin.get(f"/v1/customers/{customer['id']}/history")
    assert found.json()["items"][0]["reason"] == "consent expired"
    # A new word begins a new time.
    await _put(bank, customer, "call", granted=True, valid_until=(until + timedelta(days=30)).isoformat())
    assert await _summary(bank, customer) == {"call": True}


async def test_the_ledger_cannot_be_rewritten(bank: Bank) -> None:
    customer = await bank.customer()
    for statement in (
        "UPDATE consent_entry SET granted = true WHERE customer_id = CAST(:id AS uuid)",
        "DELETE FROM consent_entry WHERE customer_id = CAST(:id AS uuid)",
    ):
        with pytest.raises(Exception, match="append-only"):
            await bank.sql(statement, id=customer["id"])


async def test_words_that_cannot_be(bank: Bank) -> None:
    customer = await bank.customer()
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"granted": True, "changed_at": soon}, "/changed_at"),
        ({"granted": True, "valid_until": "2020-01-01"}, "/valid_until"),
        ({"granted": False, "valid_until": "2030-01-01"}, "/valid_until"),
        ({"granted": True, "purpose": "spam"}, "/purpose"),
        ({"granted": True, "proof": {"kind": "form", "hash": "xyz"}}, "/proof/hash"),
        ({"granted": True, "proof": {"kind": "form", "reference": "a\x00b"}}, "/proof/reference"),
    ]
    for body, pointer in cases:
        problem = await _put(bank, customer, "call", 422, **body)
        assert problem["errors"][0]["pointer"] == pointer, problem
    await _put(bank, customer, "fax", 422, granted=True)
    await _put(bank, {"id": "01900000-0000-7000-8000-000000000000"}, "call", 404, granted=True)
    answer = await bank.manager_bj.put(
        f"/v1/customers/{customer['id']}/consents/call", json={"granted": True}
    )
    assert answer.status_code == 404


async def test_creation_and_patch_speak_through_the_ledger(bank: Bank) -> None:
    answer = await bank.admin.post("/v1/customers", json=person(consents={"call": True, "sms": False}))
    customer = answer.json()
    patched = await bank.admin.patch(
        f"/v1/customers/{customer['id']}", json={"consents": {"call": False}}, headers={"If-Match": '"v1"'}
    )
    assert patched.json()["consents"] == {"call": False, "sms": False}
    ledger = (await _get(bank, customer))["ledger"]
    assert sorted((e["channel"], e["granted"], e["source"]) for e in ledger) == [
        ("call", False, "bank"),
        ("call", True, "bank"),
        ("sms", False, "bank"),
    ]


async def test_a_file_that_comes_again_is_no_new_word(bank: Bank) -> None:
    row = {**CUSTOMER, "source_id": f"w{number()}", "consent_call": "true"}
    await run(bank, "customers", as_csv([row]))
    params = {"source": "core", "source_id": row["source_id"]}
    customer = (await bank.admin.get("/v1/customers", params=params)).json()["items"][0]
    assert customer["consents"]["call"] is True
    await _put(bank, customer, "call", granted=False)
    again = await run(bank, "customers", as_csv([row]))
    assert again["counts"]["unchanged"] == 1
    assert (await _summary(bank, customer))["call"] is False
    # The source has heard something new from the customer.
    for said in ("false", "true"):
        await run(bank, "customers", as_csv([{**row, "consent_call": said}]))
    assert (await _summary(bank, customer))["call"] is True
