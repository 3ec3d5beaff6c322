"""What becomes of refused events, and of the private part of accepted ones."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import text

from services.customer.domain.intake import MAX_DATA_BYTES
from services.customer.domain.quarantine import MAX_KEPT_BYTES
from services.customer.domain.vault import Vault
from services.customer.usecases.quarantine import expire, forget_subjects
from services.customer.usecases.replaying import AT_ONCE
from services.customer.usecases.sealing import seal_what_is_open
from shared import clock
from shared.auth import Role
from shared.contracts.customer import SourceIdentity
from tests.customer.conftest import Bank, event, number, put, source_id
from tests.support import eventually

LINES = {"content-type": "application/x-ndjson"}
SINGLE = {"content-type": "application/cloudevents+json"}


async def refused_under(bank: Bank, event_id: str) -> list[dict[str, Any]]:
    """Refused events with this id, newest last."""
    rows = await bank.sql("SELECT id FROM quarantined_event WHERE event_id = :id ORDER BY id", id=event_id)
    found = [await bank.admin.get(f"/v1/quarantine/{row[0]}") for row in rows]
    return [answer.json() for answer in found]


async def replay(bank: Bank, **selection: Any) -> dict[str, Any]:
    answer = await bank.admin.post("/v1/quarantine:replay", json=selection)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_refused_event_is_kept_with_its_reasons(bank: Bank) -> None:
    customer = await bank.customer()
    bad = event(source_id(customer), time="yesterday", data={"amount": "much", "note": "for my wife"})
    answer = await bank.push(event(source_id(customer)), bad)
    assert answer.status_code == 207
    kept = (await refused_under(bank, bad["id"]))[0]
    assert (kept["source"], kept["type"], kept["reason"]) == ("core", "transaction.posted", "time")
    assert kept["errors"][0] == {"pointer": "/time", "detail": "not an RFC 3339 date-time"}
    assert {error["pointer"] for error in kept["errors"]} == {"/time", "/data/amount"}
    assert orjson.loads(kept["payload"]) == bad
    stored = await bank.sql(
        "SELECT sealed, errors::text FROM quarantined_event WHERE id = :id", id=kept["id"]
    )
    assert b"wife" not in bytes(stored[0][0])
    assert "much" not in stored[0][1]


async def test_the_same_bad_event_counts_and_does_not_pile_up(bank: Bank) -> None:
    bad = event("nobody", time="yesterday")
    for _ in range(3):
        await bank.push(bad, bad)
    kept = await refused_under(bank, bad["id"])
    assert [row["seen"] for row in kept] == [6]


async def test_every_reason_has_its_name(bank: Bank) -> None:
    wrong = {
        "envelope": event("x", specversion="0.3"),
        "source": event("x", source="NOT A SOURCE"),
        "type": event("x", "no.such_type"),
        "dataschema": event("x", dataschema="/v1/event-types/transaction.posted/versions/99"),
        "subject": event("x", subject=""),
        "time": event("x", time="2200-01-01T00:00:00Z"),
        "schema": event("x", data={}),
        "product": event(
            "x", "balance.snapshot", data={"product": "unheard", "balance": "1", "as_of": "2026-11-01"}
        ),
    }
    admin_push = {"content-type": "application/cloudevents-batch+json"}
    answer = await bank.admin.post("/v1/events", json=list(wrong.values()), headers=admin_push)
    assert answer.json()["rejected"] == len(wrong)
    for reason, bad in wrong.items():
        assert [row["reason"] for row in await refused_under(bank, bad["id"])] == [reason]


async def test_lines_that_are_not_json_are_kept_as_they_came(bank: Bank) -> None:
    line = f'{{"id": "broken-{number()}", nonsense'.encode()
    assert (await bank.core.post("/v1/events", content=line, headers=LINES)).status_code == 207
    listed = await bank.core.get("/v1/quarantine", params={"reason": "unreadable", "limit": 1000})
    payloads = [
        (await bank.admin.get(f"/v1/quarantine/{row['id']}")).json()["payload"]
        for row in listed.json()["items"]
    ]
    assert line.decode() in payloads


async def test_a_lone_refused_event_is_kept_too(bank: Bank) -> None:
    bad = event("x", data={})
    answer = await bank.core.post("/v1/events", json=bad, headers=SINGLE)
    assert answer.status_code == 422
    kept = (await refused_under(bank, bad["id"]))[0]
    assert kept["errors"] == [{"pointer": "/data/amount", "detail": "is required"}]


async def test_conflicts_and_unusable_bodies_are_not_kept(bank: Bank) -> None:
    customer = await bank.customer()
    good = event(source_id(customer))
    await bank.push(good)
    before = await bank.sql("SELECT count(*) FROM quarantined_event")
    changed = {**good, "data": {**good["data"], "amount": "1.00"}}
    assert (await bank.push(changed)).json()["items"][0]["problem"]["status"] == 409
    assert (await bank.core.post("/v1/events", content=b"not json", headers=SINGLE)).status_code == 400
    assert await bank.sql("SELECT count(*) FROM quarantined_event") == before


async def test_a_corrected_event_closes_its_refused_copy(bank: Bank) -> None:
    customer = await bank.customer()
    good = event(source_id(customer))
    await bank.push({**good, "time": "yesterday"})
    assert (await bank.push(good)).json()["accepted"] == 1
    kept = (await refused_under(bank, good["id"]))[0]
    assert kept["state"] == "superseded"
    assert kept["closed_by"].startswith("key:")
    # The bad one again is refused again, and remains a closed matter.
    await bank.push({**good, "time": "yesterday"})
    kept = (await refused_under(bank, good["id"]))[0]
    assert (kept["state"], kept["seen"]) == ("superseded", 2)


async def test_replay_after_the_cause_is_repaired(bank: Bank) -> None:
    customer = await bank.customer()
    code = f"fund-{number()}"
    data = {"product": code, "balance": "100.00", "as_of": "2026-11-01", "account": "Q"}
    early = event(source_id(customer), "balance.snapshot", data=data)
    late = event(
        source_id(customer), "balance.snapshot", data={**data, "balance": "7.00", "as_of": "2026-10-31"}
    )
    hopeless = event(source_id(customer), time="yesterday")
    await bank.push(early, hopeless)
    await bank.push(late)
    ids = [(await refused_under(bank, sent["id"]))[0]["id"] for sent in (early, late, hopeless)]
    assert (await replay(bank, ids=ids))["refused"] == 3
    await put(
        bank.admin,
        f"/v1/products/{code}",
        {"name": {"zh": "基", "en": "F"}, "category": "fund", "risk": "R2", "margin": "0.01"},
    )
    result = await replay(bank, ids=ids)
    assert (result["selected"], result["accepted"], result["refused"]) == (3, 2, 1)
    recorded = await bank.sql(
        "SELECT event_id FROM customer_event WHERE customer_id = :id ORDER BY event_id", id=customer["id"]
    )
    assert [row[0] for row in recorded] == sorted([early["id"], late["id"]])
    balance = await bank.sql("SELECT balance FROM holding WHERE customer_id = :id", id=customer["id"])
    assert str(balance[0][0]) == "100.00"
    states = [(await refused_under(bank, sent["id"]))[0]["state"] for sent in (early, late, hopeless)]
    assert states == ["replayed", "replayed", "open"]
    assert (await replay(bank, ids=ids))["selected"] == 1


async def test_a_replayed_id_that_stands_for_something_else_is_superseded(bank: Bank) -> None:
    customer, kind = await bank.customer(), f"club{number()}.joined"
    first, second = (event(source_id(customer), kind, id=f"same-{kind}", data={"n": n}) for n in (1, 2))
    await bank.push(first)
    await bank.push(second)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    await put(bank.admin, f"/v1/event-types/{kind}", {"name": {"zh": "入", "en": "J"}, "data_schema": schema})
    result = await replay(bank, filter={"type": kind})
    assert (result["accepted"], result["superseded"]) == (1, 1)
    assert sorted(row["state"] for row in await refused_under(bank, first["id"])) == [
        "replayed",
        "superseded",
    ]


async def test_many_are_replayed_as_a_job(bank: Bank) -> None:
    kind, customer = f"bulk{number()}.sent", await bank.customer()
    events = [event(source_id(customer), kind, data={"n": n}) for n in range(AT_ONCE + 50)]
    for start in range(0, len(events), 500):
        await bank.push(*events[start : start + 500])
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    await put(bank.admin, f"/v1/event-types/{kind}", {"name": {"zh": "批", "en": "B"}, "data_schema": schema})
    answer = await bank.admin.post("/v1/quarantine:replay", json={"filter": {"type": kind}})
    assert answer.status_code == 202
    location = answer.headers["location"]

    async def done() -> bool:
        return bool((await bank.admin.get(location)).json()["state"] == "succeeded")

    await eventually(done, what="the replay")
    assert (await bank.admin.get(location)).json()["result"]["accepted"] == len(events)
    counted = await bank.sql("SELECT count(*) FROM customer_event WHERE type = :kind", kind=kind)
    assert counted == [(len(events),)]


async def test_discarding_needs_a_reason_and_ends_the_matter(bank: Bank) -> None:
    bad = event("x", time="never")
    await bank.push(bad)
    kept = (await refused_under(bank, bad["id"]))[0]
    bare = await bank.admin.post("/v1/quarantine:discard", json={"ids": [kept["id"]]})
    assert bare.status_code == 422
    body = {"ids": [kept["id"]], "because": "sent by a test system"}
    assert (await bank.admin.post("/v1/quarantine:discard", json=body)).json() == {"discarded": 1}
    assert (await bank.admin.post("/v1/quarantine:discard", json=body)).json() == {"discarded": 0}
    kept = (await refused_under(bank, bad["id"]))[0]
    assert (kept["state"], kept["closed_because"]) == ("discarded", "sent by a test system")
    assert (await replay(bank, ids=[kept["id"]]))["selected"] == 0


async def test_who_sees_what(bank: Bank) -> None:
    bad = event("x", time="never")
    await bank.push(bad)
    kept = (await refused_under(bank, bad["id"]))[0]

    async def ids_seen_by(client: httpx.AsyncClient) -> set[str]:
        answer = await client.get("/v1/quarantine", params={"state": "open", "limit": 1000})
        assert answer.status_code == 200, answer.text
        assert all("payload" not in row for row in answer.json()["items"])
        return {row["id"] for row in answer.json()["items"]}

    assert kept["id"] in await ids_seen_by(bank.core)
    assert kept["id"] not in await ids_seen_by(bank.crm)
    assert kept["id"] not in await ids_seen_by(bank.head_sh), "sent to head office, not to Shanghai"
    assert (await bank.strategist.get("/v1/quarantine")).status_code == 403
    assert (await bank.core.get(f"/v1/quarantine/{kept['id']}")).status_code == 403
    assert (await bank.head_sh.get(f"/v1/quarantine/{kept['id']}")).status_code == 404
    assert (await bank.crm.post("/v1/quarantine:replay", json={"ids": [kept["id"]]})).json()["selected"] == 0
    auditor = bank.service.client(Role.auditor)
    assert (await auditor.post("/v1/quarantine:replay", json={"ids": [kept["id"]]})).status_code == 403
    log = await auditor.get("/v1/audit", params={"object": f"quarantine/{kept['id']}"})
    assert {entry["action"] for entry in log.json()["items"]} == {"reveal_payload"}


async def test_the_summary_counts_open_events(bank: Bank) -> None:
    kind = f"counted{number()}.seen"
    await bank.push(*(event("x", kind) for _ in range(3)))
    groups = (await bank.core.get("/v1/quarantine/summary")).json()["groups"]
    mine = [group for group in groups if group["type"] == kind]
    assert [(group["source"], group["reason"], group["events"]) for group in mine] == [("core", "type", 3)]


async def test_selections_are_unambiguous(bank: Bank) -> None:
    for body in ({}, {"ids": [str(UUID(int=1))], "filter": {}}):
        answer = await bank.admin.post("/v1/quarantine:replay", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["pointer"] == "/ids"
    for bad in ({"ids": []}, {"ids": ["x"]}, {"filter": {"reason": "mood"}}, {"filter": {"source": "\0"}}):
        assert (await bank.admin.post("/v1/quarantine:replay", json=bad)).status_code == 422, bad


async def test_monsters_are_counted_and_not_kept(bank: Bank) -> None:
    large = event("x", data={"amount": "1.00", "blob": "x" * (MAX_KEPT_BYTES + 1)})
    assert MAX_KEPT_BYTES > MAX_DATA_BYTES
    deep = b"[" * 500 + b"]" * 500
    bomb = orjson.dumps({**event("x"), "data": {"amount": "1.00"}})[:-2] + b',"x":' + deep + b"}}"
    nul = event("x", data={"amount": "1.00", "a\0b": "\0"})
    answer = await bank.push(large, nul)
    assert answer.json()["rejected"] == 2
    body = b"[" + bomb + b"]"
    headers = {"content-type": "application/cloudevents-batch+json"}
    assert (await bank.core.post("/v1/events", content=body, headers=headers)).json()["rejected"] == 1
    kept = (await refused_under(bank, large["id"]))[0]
    assert (kept["replayable"], kept["payload"]) == (False, None)
    assert (await replay(bank, ids=[kept["id"]]))["refused"] == 1


async def test_expiry_and_erasure_delete(bank: Bank) -> None:
    bad = event(f"gone{number()}", time="never")
    await bank.push(bad)
    vault = bank.service.runtime.resource(Vault)
    identity = SourceIdentity(source="core", source_id=bad["subject"])
    async with bank.service.runtime.db.transaction() as session:
        assert await forget_subjects(session, vault, [identity]) == 1
        assert await expire(session, clock.now() + timedelta(days=89)) == 0
    assert await refused_under(bank, bad["id"]) == []
    another = event("x", time="never")
    await bank.push(another)
    async with bank.service.runtime.db.transaction() as session:
        await session.execute(
            text("UPDATE quarantined_event SET expires_at = :past WHERE event_id = :id"),
            {"past": clock.now() - timedelta(days=1), "id": another["id"]},
        )
        assert await expire(session, clock.now()) == 1


async def test_private_properties_are_ciphertext_at_rest_and_readable_through_the_api(bank: Bank) -> None:
    waiting = f"late{number()}"
    customer = await bank.customer()
    data = {"category": "fees", "note": "心脏病", "undeclared": "secret"}
    sent, parked = (event(s, "complaint.filed", data=data) for s in (source_id(customer), waiting))
    assert (await bank.push(sent, parked)).json()["parked"] == 1
    readable = "SELECT row_to_json(e)::text FROM {} e WHERE event_id = :id"
    for table, each in (("customer_event", sent), ("parked_event", parked)):
        row = (await bank.sql(readable.format(table), id=each["id"]))[0][0]
        assert "fees" in row
        assert "心脏病" not in row
        assert "secret" not in row
    late = await bank.customer(identities=[{"source": "core", "source_id": waiting}])
    for each, of in ((sent, customer), (parked, late)):
        listed = await bank.admin.get("/v1/events", params={"id": each["id"], "source": "core"})
        assert [row["data"] for row in listed.json()["items"]] == [data]
        for path, items in (("timeline", "items"), ("360", "timeline")):
            shown = (await bank.admin.get(f"/v1/customers/{of['id']}/{path}")).json()[items]
            assert [row["data"] for row in shown if row["kind"] == "event"] == [data]


async def test_without_the_key_reads_work_and_the_private_part_is_gone(bank: Bank) -> None:
    customer = await bank.customer()
    sent = event(source_id(customer), "complaint.filed", data={"category": "fees", "note": "secret"})
    await bank.push(sent)
    await bank.sql_write("DELETE FROM customer_key WHERE customer_id = :id", id=customer["id"])
    listed = await bank.admin.get("/v1/events", params={"id": sent["id"], "source": "core"})
    assert [row["data"] for row in listed.json()["items"]] == [{"category": "fees"}]
    shown = await bank.admin.get(f"/v1/customers/{customer['id']}/timeline")
    assert [row["data"] for row in shown.json()["items"]] == [{"category": "fees"}]
    # A straggler of an erased customer is recorded without what nobody may read any more.
    straggler = event(source_id(customer), "complaint.filed", data={"category": "fees", "note": "more"})
    assert (await bank.push(straggler)).json()["accepted"] == 1
    stored = await bank.sql("SELECT sealed FROM customer_event WHERE event_id = :id", id=straggler["id"])
    assert stored == [(None,)]


async def test_rows_of_the_first_release_are_readable_and_get_sealed(bank: Bank) -> None:
    customer, waiting = await bank.customer(), f"old{number()}"
    sent = event(source_id(customer), "complaint.filed", data={"category": "fees"})
    parked = event(waiting, "complaint.filed", data={"category": "fees"})
    await bank.push(sent, parked)
    for table, each in (("customer_event", sent), ("parked_event", parked)):
        await bank.sql_write(
            f'UPDATE {table} SET private = \'{{"note": "old"}}\' WHERE event_id = :id',
            id=each["id"],
        )

    async def data() -> list[dict[str, Any]]:
        listed = await bank.admin.get("/v1/events", params={"id": sent["id"], "source": "core"})
        shown = await bank.admin.get(f"/v1/customers/{customer['id']}/timeline")
        return [listed.json()["items"][0]["data"], shown.json()["items"][0]["data"]]

    assert await data() == [{"category": "fees", "note": "old"}] * 2
    async with bank.service.runtime.db.transaction() as session:
        assert await seal_what_is_open(session, bank.service.runtime.resource(Vault)) == 2
        assert await seal_what_is_open(session, bank.service.runtime.resource(Vault)) == 0
    assert await data() == [{"category": "fees", "note": "old"}] * 2
    for table, each in (("customer_event", sent), ("parked_event", parked)):
        left = await bank.sql(
            f"SELECT private, sealed IS NULL FROM {table} WHERE event_id = :i", i=each["id"]
        )
        assert left == [(None, False)]
    late = await bank.customer(identities=[{"source": "core", "source_id": waiting}])
    shown = await bank.admin.get(f"/v1/customers/{late['id']}/timeline")
    assert shown.json()["items"][0]["data"] == {"category": "fees", "note": "old"}
