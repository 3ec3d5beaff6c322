"""Consents and interactions from files."""

import orjson

from tests.customer.conftest import Bank, number, source_id
from tests.customer.test_import_mapping import errors_of, upload
from tests.customer.test_imports import as_csv, counts

WORD = {
    "source": "core",
    "channel": "call",
    "purpose": "marketing",
    "granted": "true",
    "changed_at": "2026-11-02T10:00:00+08:00",
    "valid_until": "2027-11-01",
    "proof_kind": "form",
    "proof_hash": "ab" * 32,
    "proof_reference": "form 4711 of Zhang",
}


async def test_consents_with_proof_and_end(bank: Bank) -> None:
    customer = await bank.customer(consents={})
    mine = {**WORD, "source_id": source_id(customer)}
    older = {**mine, "granted": "false", "changed_at": "2026-11-01T10:00:00+08:00", "valid_until": ""}
    rows = [
        mine,
        older,
        {**mine, "channel": "sms", "changed_at": "2099-01-01T00:00:00Z", "valid_until": ""},
        {**mine, "channel": "sms", "valid_until": "2026-01-01"},
        {**older, "channel": "sms", "valid_until": "2027-01-01"},
        {**mine, "source_id": "nobody"},
        {**mine, "channel": "pigeon"},
    ]
    done = await upload(bank, as_csv(rows), dataset="consents")
    assert done["counts"] == counts(rows=7, created=2, rejected=5)
    assert [error[:2] for error in await errors_of(bank, done)] == [
        (3, "changed_at"),
        (4, "valid_until"),
        (5, "valid_until"),
        (6, "source_id"),
        (7, "channel"),
    ]
    view = (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()
    assert view["consents"] == {"call": True}
    ledger = await bank.sql(
        "SELECT granted, valid_until::text, proof_kind, proof_reference FROM consent_entry"
        " WHERE customer_id = CAST(:id AS uuid) ORDER BY changed_at",
        id=customer["id"],
    )
    assert [tuple(row)[:3] for row in ledger] == [
        (False, "9999-12-31", "form"),
        (True, "2027-11-01", "form"),
    ]
    assert all(b"Zhang" not in row[3] for row in ledger)
    again = await upload(bank, as_csv(rows), dataset="consents")
    assert again["counts"] == counts(rows=7, unchanged=2, rejected=5)
    refusal = {**older, "changed_at": "2026-11-03T10:00:00+08:00"}
    await upload(bank, as_csv([refusal]), dataset="consents")
    assert (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()["consents"] == {"call": False}


async def test_interactions_are_told_as_events(bank: Bank) -> None:
    customer, first = await bank.customer(), number()
    head = "id,source,source_id,at,kind,direction,by,minutes,disposition,note"
    lines = [
        f"i{first}-1,core,{source_id(customer)},2026-11-01T10:00:00+08:00,call,out,S1,5,interested,private words",
        f"i{first}-2,core,{source_id(customer)},2026-11-02 10:00:00,visit,,,,,",
        f"i{first}-3,core,,2026-11-02T10:00:00Z,call,,,,,",
        f"i{first}-4,core,{source_id(customer)},2026-11-02T10:00:00Z,dance,,,,,",
    ]
    content = "\n".join([head, *lines]).encode()
    done = await upload(bank, content, dataset="interactions")
    assert done["counts"] == counts(rows=4, created=2, quarantined=1, rejected=1)
    assert [error[:2] for error in await errors_of(bank, done)] == [(4, "kind")]
    found = await bank.sql(
        "SELECT kind, direction, minutes, staff, sealed FROM interaction"
        " WHERE customer_id = CAST(:id AS uuid) ORDER BY at",
        id=customer["id"],
    )
    assert [tuple(row)[:4] for row in found] == [("call", "out", 5, "S1"), ("visit", None, None, None)]
    assert b"private" not in orjson.dumps([str(row[4]) for row in found])
    assert (await upload(bank, content, dataset="interactions"))["counts"]["unchanged"] == 2
