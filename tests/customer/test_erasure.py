"""The copy a person may ask for, and being forgotten."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.customer.queries.subject_tables import HELD
from services.customer.usecases.erasures import forget_late_facts
from shared.auth import Role
from shared.contracts.events.identity import (
    CampaignErasureConfirmed,
    EvaluationErasureConfirmed,
    SegmentationErasureConfirmed,
)
from tests.customer.conftest import Bank, event, number, person, source_id
from tests.support import eventually

REQUEST = {"reason": "case 4711", "legal_basis": "consent_withdrawn"}


async def _rich(bank: Bank, **changes: Any) -> dict[str, Any]:
    """A customer with something in most places."""
    customer = await bank.customer(**changes)
    subject = source_id(customer)
    answer = await bank.push(
        event(subject, "interaction.recorded", data={"kind": "call", "direction": "in", "note": "要买房"}),
        event(subject, "consent.changed", data={"channel": "app", "granted": True}),
        event(subject),
    )
    assert answer.json()["accepted"] == 3, answer.text
    await bank.admin.patch(
        f"/v1/customers/{customer['id']}",
        json={"occupation": "医生", "phone": "13911112222", "reason": "本人来电"},
        headers={"If-Match": f'"v{await _version(bank, customer)}"'},
    )
    return customer


def _reads_of_a_customer(bank: Bank) -> list[str]:
    """Paths of every operation that reads one customer, whoever adds it."""
    paths = bank.service.app.openapi()["paths"]
    found = [path for path, verbs in paths.items() if "{customer_id}" in path and "get" in verbs]
    assert len(found) > 10
    return found


async def _version(bank: Bank, customer: dict[str, Any]) -> int:
    return (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()["version"]


async def _erase(bank: Bank, customer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    asked = await bank.head_sh.post(f"/v1/customers/{customer['id']}:erase", json={**REQUEST, **changes})
    assert asked.status_code == 201, asked.text
    done = await bank.admin.post(f"/v1/erasures/{asked.json()['id']}:confirm")
    assert done.status_code == 200, done.text
    return done.json()


async def _ready(client: httpx.AsyncClient, export: dict[str, Any]) -> None:
    async def ready() -> bool:
        state = (await client.get(f"/v1/subject-exports/{export['id']}")).json()["state"]
        return bool(state == "ready")

    await eventually(ready, what="the export")


async def test_a_person_gets_everything_once(bank: Bank) -> None:
    customer = await _rich(bank)
    answer = await bank.head_sh.post(f"/v1/customers/{customer['id']}:export")
    assert answer.status_code == 202, answer.text
    export = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{export['job_id']}"
    await _ready(bank.head_sh, export)
    path = f"/v1/subject-exports/{export['id']}/file"
    stored = await bank.sql(
        "SELECT content FROM subject_export WHERE id = CAST(:id AS uuid)", id=export["id"]
    )
    assert "张三丰".encode() not in bytes(stored[0][0])
    assert (await bank.admin.get(path)).status_code == 403
    fetched = await bank.head_sh.get(path)
    assert fetched.status_code == 200, fetched.text
    package = fetched.json()
    tables = package["tables"]
    assert tables["customer"][0]["pii"]["name"] == "张三丰"
    assert tables["customer"][0]["occupation"] == "医生"
    assert tables["source_identity"][0]["source_id"] == source_id(customer)
    notes = [row["sealed"]["note"] for row in tables["customer_event"] if row["sealed"]]
    assert notes == ["要买房"]
    assert {row["channel"] for row in tables["consent_entry"]} == {"call", "sms", "app"}
    phones = [c for c in package["history"] if c["field"] == "phone"]
    assert next((c["after"], c["reason"]) for c in phones) == ("13911112222", "本人来电")
    again = await bank.head_sh.get(path)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/export-not-ready")
    audited = await bank.sql(
        "SELECT action FROM audit_log WHERE object = :object ORDER BY seq",
        object=f"customer/{customer['id']}",
    )
    assert [row[0] for row in audited][-2:] == ["export_subject", "fetch_subject_export"]


async def test_who_may_ask(bank: Bank) -> None:
    customer = await bank.customer()
    for client in (bank.manager_sh, bank.strategist, bank.core):
        assert (await client.post(f"/v1/customers/{customer['id']}:export")).status_code == 403
        answer = await client.post(f"/v1/customers/{customer['id']}:erase", json=REQUEST)
        assert answer.status_code == 403
    head_bj = bank.service.client(Role.branch_head, org="hq.bj", staff="S9")
    assert (await head_bj.post(f"/v1/customers/{customer['id']}:export")).status_code == 404
    answer = await head_bj.post(f"/v1/customers/{customer['id']}:erase", json=REQUEST)
    assert answer.status_code == 404


async def test_erasing_needs_two(bank: Bank) -> None:
    customer = await bank.customer()
    asked = await bank.head_sh.post(f"/v1/customers/{customer['id']}:erase", json=REQUEST)
    erasure = asked.json()
    assert (erasure["state"], erasure["services"], erasure["audit"]) == ("requested", [], None)
    waiting = await bank.admin.get("/v1/erasures", params={"state": "requested", "limit": 1})
    assert waiting.json()["items"] == [erasure]
    assert (await bank.manager_sh.get("/v1/erasures")).status_code == 403
    own = await bank.head_sh.post(f"/v1/erasures/{erasure['id']}:confirm")
    assert (own.status_code, own.json()["type"]) == (403, "/problems/four-eyes")
    with pytest.raises(Exception, match="four_eyes"):
        await bank.sql(
            "UPDATE erasure SET confirmed_by = requested_by WHERE id = CAST(:id AS uuid) RETURNING 1",
            id=erasure["id"],
        )
    with pytest.raises(Exception, match="ck_erasure_confirmed"):
        await bank.sql(
            "UPDATE erasure SET state = 'erased' WHERE id = CAST(:id AS uuid) RETURNING 1", id=erasure["id"]
        )
    twice = await bank.head_sh.post(f"/v1/customers/{customer['id']}:erase", json=REQUEST)
    assert twice.status_code == 409
    back = await bank.head_sh.post(f"/v1/erasures/{erasure['id']}:withdraw")
    assert back.json()["state"] == "withdrawn"
    assert (await bank.admin.post(f"/v1/erasures/{erasure['id']}:confirm")).status_code == 409
    assert (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()["status"] == "active"


async def test_what_stands_against_it(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    data = {"account": "A-1", "product": "wealth-steady", "balance": "5.00", "as_of": "2026-09-30"}
    await bank.push(event(subject, "balance.snapshot", data=data))
    rule = {"name": {"zh": "反洗钱", "en": "Transactions"}, "applies_to": "event", "keep_days": 1825}
    code = f"aml-{number()}"
    untyped = await bank.admin.put(f"/v1/retention-rules/{code}", json=rule)
    assert (untyped.status_code, untyped.json()["errors"][0]["pointer"]) == (422, "/event_type")
    put = await bank.admin.put(f"/v1/retention-rules/{code}", json={**rule, "event_type": "login"})
    assert put.status_code == 200, put.text
    await bank.push(event(subject, "login", data={"channel": "mobile"}))
    path = f"/v1/customers/{customer['id']}:erase"
    answer = await bank.head_sh.post(path, json={**REQUEST, "dry_run": True})
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert [hold["code"] for hold in plan["holds"]] == ["open_holdings", code]
    assert plan["destroyed"]["customer_event"] == 2
    refused = await bank.head_sh.post(path, json=REQUEST)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/legal-hold")
    off = {**rule, "event_type": "login", "active": False}
    await bank.admin.put(f"/v1/retention-rules/{code}", json=off, headers={"If-Match": '"v1"'})
    closed = {"account": "A-1", "product": "wealth-steady"}
    await bank.push(event(subject, "product.closed", time="2026-11-02T10:00:00+08:00", data=closed))
    plan = (await bank.head_sh.post(path, json={**REQUEST, "dry_run": True})).json()
    assert plan["holds"] == []
    # A hold that arises between the request and its confirmation stops it too.
    asked = (await bank.head_sh.post(path, json=REQUEST)).json()
    later = {**data, "account": "A-2"}
    await bank.push(event(subject, "balance.snapshot", data=later))
    stopped = await bank.admin.post(f"/v1/erasures/{asked['id']}:confirm")
    assert stopped.status_code == 409


async def test_an_open_complaint_stands_against_it(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    path = f"/v1/customers/{customer['id']}:erase"
    filed = {"category": "fees", "reference": "K-1"}
    await bank.push(event(subject, "complaint.filed", data=filed))
    assert (await bank.head_sh.post(path, json=REQUEST)).status_code == 409
    await bank.push(
        event(subject, "complaint.resolved", time="2026-11-03T10:00:00+08:00", data={"reference": "K-1"})
    )
    plan = (await bank.head_sh.post(path, json={**REQUEST, "dry_run": True})).json()
    assert plan["holds"] == []


async def test_the_receipt_must_not_name_the_person(bank: Bank) -> None:
    customer = await bank.customer()
    for value in ("张三丰", source_id(customer)):
        answer = await bank.head_sh.post(
            f"/v1/customers/{customer['id']}:erase", json={**REQUEST, "reason": f"{value} 来电"}
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/reason"
        assert value not in answer.text


async def test_erased_is_forgotten_and_every_read_still_answers(bank: Bank) -> None:
    customer = await _rich(bank)
    subject = source_id(customer)
    key = f"key-{number()}"
    kept = await bank.admin.post(
        "/v1/customers:resolve",
        json={"items": [{"source": "core", "source_id": subject}]},
        headers={"Idempotency-Key": key},
    )
    assert kept.status_code == 200
    await bank.push({**event(subject), "time": "not a time"})
    receipt = await _erase(bank, customer)
    assert receipt["state"] == "erased"
    assert receipt["destroyed"]["customer_key"] == 1
    assert receipt["destroyed"]["stored_answer"] >= 1
    assert receipt["destroyed"]["quarantined_event"] == 1
    assert receipt["streams_until"] > receipt["confirmed_at"]
    chain = await bank.sql("SELECT hash FROM audit_log WHERE seq = :seq", seq=receipt["audit"]["seq"])
    assert bytes(chain[0][0]).hex() == receipt["audit"]["hash"]
    assert {one["state"] for one in receipt["services"]} == {"pending"}

    path = f"/v1/customers/{customer['id']}"
    view = (await bank.admin.get(path, params={"reveal": "pii"})).json()
    assert view["status"] == "erased"
    assert view["identities"] == []
    assert [view[name] for name in ("name", "phone", "birth_date", "gender", "occupation")] == [None] * 5
    for read in ("360", "timeline", "history", "holdings", "consents"):
        answer = await bank.admin.get(f"{path}/{read}")
        assert answer.status_code == 200, (read, answer.text)
        assert "张" not in answer.text
    for read in _reads_of_a_customer(bank):
        answer = await bank.admin.get(
            read.replace("{customer_id}", customer["id"]), params={"to": customer["id"]}
        )
        assert answer.status_code < 500, (read, answer.text)
    as_of = await bank.admin.get(path, params={"as_of": receipt["requested_at"], "reveal": "pii"})
    assert (as_of.json()["name"], as_of.json()["birth_date"]) == (None, None)
    history = (await bank.admin.get(f"{path}/history", params={"reveal": "pii"})).json()["items"]
    assert not {c["field"] for c in history} & {"name", "phone", "birth_date", "occupation"}
    patched = await bank.admin.patch(
        path, json={"occupation": "x"}, headers={"If-Match": f'"v{view["version"]}"'}
    )
    assert patched.status_code == 409
    for verb in (":export", ":erase", ":refuse-contact"):
        answer = await bank.admin.post(path + verb, json=REQUEST if verb == ":erase" else {})
        assert answer.status_code == 409, (verb, answer.text)


async def test_a_family_is_forgotten_together(bank: Bank) -> None:
    first, second = await _rich(bank), await _rich(bank)
    merged = await bank.head_sh.post(
        "/v1/customers:merge",
        json={
            "survivor": first["id"],
            "merged": [second["id"]],
            "overrides": {"id_number": first["id"]},
            "reason": "同一人",
        },
    )
    assert merged.status_code == 200, merged.text
    receipt = await _erase(bank, second)
    assert receipt["customer_id"] == first["id"]
    assert sorted(receipt["subjects"]) == sorted([first["id"], second["id"]])
    assert receipt["destroyed"]["customer_key"] == 2
    keys = await bank.sql(
        "SELECT count(*) FROM customer_key WHERE customer_id IN (CAST(:a AS uuid), CAST(:b AS uuid))",
        a=first["id"],
        b=second["id"],
    )
    assert keys[0][0] == 0
    undone = await bank.head_sh.post(f"/v1/merges/{merged.json()['merge_id']}:undo", json={"reason": "x"})
    assert undone.status_code in {409, 422}, undone.text


async def test_the_same_source_id_comes_back_as_somebody_new(bank: Bank) -> None:
    customer = await bank.customer()
    identity = customer["identities"]
    await _erase(bank, customer)
    again = await bank.customer(identities=identity)
    assert again["id"] != customer["id"]
    assert again["name"] == "张**"


async def test_who_asked_not_to_be_collected_again_is_not(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    await _erase(bank, customer, do_not_collect_again=True)
    answer = await bank.admin.post("/v1/customers", json=person(identities=customer["identities"]))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/do-not-collect")
    pushed = await bank.push(event(subject))
    assert pushed.status_code == 207
    assert pushed.json()["items"][0]["problem"]["type"] == "/problems/do-not-collect"
    for table in ("parked_event", "quarantined_event", "source_identity"):
        rows = await bank.sql(
            f"SELECT count(*) FROM {table} t WHERE to_jsonb(t)::text LIKE :like", like=f"%{subject}%"
        )
        assert rows[0][0] == 0, table


async def test_what_arrives_in_the_moment_of_erasing_goes_too(bank: Bank) -> None:
    customer = await bank.customer()
    await _erase(bank, customer)
    late = (
        "INSERT INTO customer_event (source, event_id, type, customer_id, time, data, content_hash)"
        " VALUES ('core', :event, 'login', CAST(:id AS uuid), now(), '{}', '') RETURNING 1"
    )
    await bank.sql(late, id=customer["id"], event=f"late-{number()}")
    async with bank.service.runtime.db.transaction() as session:
        assert await forget_late_facts(session) >= 1
    rows = await bank.sql(
        "SELECT count(*) FROM customer_event WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert rows[0][0] == 0


async def test_the_other_services_confirm(bank: Bank) -> None:
    customer = await bank.customer()
    receipt = await _erase(bank, customer)
    sent = await bank.sql(
        "SELECT convert_from(payload, 'UTF8') FROM outbox WHERE subject LIKE 'customer.customer_erased.%'"
        " ORDER BY seq DESC LIMIT 1"
    )
    assert receipt["id"] in sent[0][0]
    assert customer["id"] in sent[0][0]
    at = receipt["confirmed_at"]
    await bank.service.publish(
        *(
            kind(receipt_id=receipt["id"], rows=7, confirmed_at=at)
            for kind in (SegmentationErasureConfirmed, CampaignErasureConfirmed, EvaluationErasureConfirmed)
        )
    )

    async def confirmed() -> bool:
        services = (await bank.admin.get(f"/v1/erasures/{receipt['id']}")).json()["services"]
        return {(one["state"], one["rows"]) for one in services} == {("confirmed", 7)}

    await eventually(confirmed, what="the confirmations")


async def test_no_table_about_customers_is_forgotten(bank: Bank) -> None:
    """A table that refers to a customer must say what becomes of it."""
    async with bank.service.runtime.db.transaction() as session:
        rows = await session.execute(
            text("""
                SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
                  AND (a.attname = 'customer_id' OR EXISTS (
                    SELECT 1 FROM pg_constraint f WHERE f.conrelid = c.oid
                      AND f.confrelid = 'customer'::regclass AND a.attnum = ANY(f.conkey)))
            """)
        )
        found = set(rows.scalars())
    assert found - {held.table for held in HELD} == set()
