"""Event intake: what partners send, what they are told, what becomes of it."""

import asyncio
import json
from datetime import timedelta

import orjson

from shared import clock
from shared.auth import Role
from shared.contracts.customer import EventBatchResult
from tests.customer.conftest import Bank, event, number, source_id


async def test_a_batch_is_recorded_and_its_repetition_changes_nothing(bank: Bank) -> None:
    customer = await bank.customer()
    events = [event(source_id(customer)) for _ in range(5)]
    first = await bank.push(*events)
    assert first.status_code == 200
    assert first.json() == {"accepted": 5, "duplicate": 0, "parked": 0, "rejected": 0, "items": []}
    outbox = await bank.sql("SELECT count(*) FROM outbox")
    again = await bank.push(*events)
    assert again.status_code == 200
    result = EventBatchResult.model_validate(again.json())
    assert (result.accepted, result.duplicate) == (0, 5)
    assert {item.status for item in result.items} == {"duplicate"}
    assert await bank.sql("SELECT count(*) FROM outbox") == outbox


async def test_a_half_bad_batch_names_each_bad_item(bank: Bank) -> None:
    customer = await bank.customer()
    good = event(source_id(customer))
    bad = event(source_id(customer), time="yesterday", data={})
    answer = await bank.push(good, bad)
    assert answer.status_code == 207
    assert answer.json() == {
        "accepted": 1,
        "duplicate": 0,
        "parked": 0,
        "rejected": 1,
        "items": [
            {
                "index": 1,
                "id": bad["id"],
                "status": "rejected",
                "problem": {
                    "type": "/problems/event-invalid",
                    "title": "Event does not match its schema",
                    "status": 422,
                    "errors": [
                        {"pointer": "/1/time", "detail": "not an RFC 3339 date-time"},
                        {"pointer": "/1/data/amount", "detail": "is required"},
                    ],
                },
            }
        ],
    }


async def test_other_content_under_the_same_id_is_a_conflict(bank: Bank) -> None:
    customer = await bank.customer()
    first = event(source_id(customer))
    changed = {**first, "data": {**first["data"], "amount": "1.00"}}
    assert (await bank.push(first)).status_code == 200
    answer = await bank.push(changed)
    assert answer.status_code == 207
    assert answer.json()["items"][0]["problem"]["type"] == "/problems/event-conflict"
    stored = await bank.sql("SELECT data->>'amount' FROM customer_event WHERE event_id = :id", id=first["id"])
    assert stored == [("1200.00",)]


async def test_repetitions_and_conflicts_within_one_batch(bank: Bank) -> None:
    customer = await bank.customer()
    first = event(source_id(customer))
    changed = {**first, "data": {**first["data"], "amount": "1.00"}}
    answer = await bank.push(first, first, changed)
    result = answer.json()
    assert (result["accepted"], result["duplicate"], result["rejected"]) == (1, 1, 1)
    assert [item["index"] for item in result["items"]] == [1, 2]


async def test_verbose_lists_accepted_items(bank: Bank) -> None:
    customer = await bank.customer()
    sent = event(source_id(customer))
    answer = await bank.push(sent, verbose=True)
    assert answer.json()["items"] == [{"index": 0, "id": sent["id"], "status": "accepted"}]


async def test_events_of_unknown_customers_wait_for_them(bank: Bank) -> None:
    late = f"late{number()}"
    sent = event(late)
    parked = await bank.push(sent)
    assert parked.status_code == 200
    assert parked.json()["parked"] == 1
    assert (await bank.push(sent)).json()["duplicate"] == 1
    changed = {**sent, "data": {"amount": "9.00"}}
    assert (await bank.push(changed)).json()["items"][0]["problem"]["status"] == 409
    customer = await bank.customer(identities=[{"source": "core", "source_id": late}])
    timeline = (await bank.admin.get(f"/v1/customers/{customer['id']}/timeline")).json()
    assert [item["id"] for item in timeline["items"]] == [f"core/{sent['id']}"]
    assert (await bank.push(sent)).json()["duplicate"] == 1
    assert await bank.sql("SELECT 1 FROM parked_event WHERE event_id = :id", id=sent["id"]) == []


async def test_credentials(bank: Bank) -> None:
    customer = await bank.customer()
    sent = [event(source_id(customer))]
    headers = {"content-type": "application/cloudevents-batch+json"}
    unknown = await bank.service.client(key="hy_nobody").post("/v1/events", json=sent, headers=headers)
    assert unknown.status_code == 401
    foreign = await bank.crm.post("/v1/events", json=sent, headers=headers)
    assert foreign.status_code == 403
    assert foreign.json()["type"] == "/problems/foreign-source"
    assert foreign.json()["errors"][0]["pointer"] == "/0/source"
    person = await bank.service.client(Role.integrator).post("/v1/events", json=sent, headers=headers)
    assert person.status_code == 403
    manager = await bank.manager_sh.post("/v1/events", json=sent, headers=headers)
    assert manager.status_code == 403


async def test_single_events_and_lines(bank: Bank) -> None:
    customer = await bank.customer()
    one = event(source_id(customer))
    single = {"content-type": "application/cloudevents+json; charset=utf-8"}
    assert (await bank.core.post("/v1/events", json=one, headers=single)).json()["accepted"] == 1
    bad = {**one, "id": "x", "time": "2026-13-01T00:00:00Z"}
    refused = await bank.core.post("/v1/events", json=bad, headers=single)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"] == [{"pointer": "/time", "detail": "not an RFC 3339 date-time"}]
    lines = b"\n".join([orjson.dumps(event(source_id(customer))), b"{nonsense", orjson.dumps(one)])
    answer = await bank.core.post(
        "/v1/events", content=lines, headers={"content-type": "application/x-ndjson"}
    )
    assert answer.status_code == 207
    assert {k: v for k, v in answer.json().items() if k != "items"} == {
        "accepted": 1,
        "duplicate": 1,
        "parked": 0,
        "rejected": 1,
    }


async def test_unusable_batches(bank: Bank) -> None:
    batch = {"content-type": "application/cloudevents-batch+json"}
    cases = [
        (b"not json", batch, 400),
        (b"{}", batch, 400),
        (b"[]", batch, 400),
        (b"[NaN]", batch, 400),
        (b'"\xff"', batch, 400),
        (b"[" * 5000, batch, 400),
        (b"[" + b",".join([b"{}"] * 5001) + b"]", batch, 413),
        (b"[]", {"content-type": "application/json"}, 415),
        (b"", {"content-type": "application/x-ndjson"}, 400),
    ]
    for content, headers, status in cases:
        answer = await bank.core.post("/v1/events", content=content, headers=headers)
        assert answer.status_code == status, content[:30]
        assert answer.headers["content-type"] == "application/problem+json"


async def test_every_bad_event_is_refused_with_a_pointer(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    future = (clock.now() + timedelta(minutes=6)).isoformat()
    bad = {
        "/time": [event(subject, time=future), event(subject, time="2026-11-01"), event(subject, time=5)],
        "/specversion": [event(subject, specversion="0.3")],
        "/id": [event(subject, id=""), event(subject, id="x" * 129), event(subject, id="a\x00b")],
        "/type": [event(subject, type="no.such_type"), event(subject, type="'; DROP TABLE")],
        "/subject": [event(subject, subject=None), event(subject, subject={"a": 1})],
        "/data": [event(subject, data="text"), event(subject, data={"amount": "1", "x": "\x00"})],
        "/data/amount": [event(subject, data={"amount": "1e5"}), event(subject, data={"amount": -1})],
        "/data/product": [
            event(
                subject, "balance.snapshot", data={"product": "nope", "balance": "1", "as_of": "2026-11-01"}
            )
        ],
        "/data/as_of": [
            event(
                subject,
                "balance.snapshot",
                data={"product": "demand-deposit", "balance": "1", "as_of": "2099-01-01"},
            ),
            event(
                subject,
                "balance.snapshot",
                data={"product": "demand-deposit", "balance": "1", "as_of": "2026-02-30"},
            ),
        ],
    }
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"x": deep}
    bad["/data"] += [
        event(subject, data={"amount": "1", "x": deep}),
        event(subject, data={"amount": "1", "x": "y" * 70_000}),
    ]
    for pointer, events in bad.items():
        for sent in events:
            answer = await bank.push(sent)
            assert answer.status_code == 207, sent
            item = answer.json()["items"][0]
            assert [error["pointer"] for error in item["problem"]["errors"]] == [f"/0{pointer}"]


async def test_sensitive_and_undeclared_properties_stay(bank: Bank) -> None:
    customer = await bank.customer()
    data = {"kind": "call", "direction": "out", "note": "家住世纪大道", "extra": "13800000000"}
    sent = event(source_id(customer), "interaction.recorded", data=data)
    assert (await bank.push(sent)).status_code == 200
    timeline = (await bank.manager_sh.get(f"/v1/customers/{customer['id']}/timeline")).json()
    assert timeline["items"][0]["data"] == data
    payloads = await bank.sql("SELECT convert_from(payload, 'UTF8') FROM outbox")
    assert not [row for row in payloads if "世纪大道" in row[0] or "13800000000" in row[0]]
    export = await bank.strategist.get("/v1/exports/events", headers={"accept": "application/x-ndjson"})
    assert "世纪大道" not in export.text
    assert sent["id"] in export.text


async def test_balances_follow_their_dates_not_their_arrival(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)

    def snapshot(day: str, balance: str) -> dict[str, object]:
        data = {"account": "A-9", "product": "wealth-steady", "balance": balance, "as_of": day}
        return event(subject, "balance.snapshot", data=data, time=f"{day}T20:00:00+08:00")

    answer = await bank.push(snapshot("2026-10-31", "300.00"), snapshot("2026-10-01", "100.00"))
    assert answer.status_code == 200
    await bank.push(snapshot("2026-10-15", "200.00"))
    view = (await bank.admin.get(f"/v1/customers/{customer['id']}/360")).json()
    assert [(h["account"], h["balance"], h["as_of"]) for h in view["holdings"]] == [
        ("A-9", "300.00", "2026-10-31")
    ]
    assert view["totals"] == [{"currency": "CNY", "assets": "300.00", "liabilities": "0.00"}]
    closed = event(
        subject,
        "product.closed",
        data={"account": "A-9", "product": "wealth-steady"},
        time="2026-11-01T10:00:00+08:00",
    )
    await bank.push(closed)
    view = (await bank.admin.get(f"/v1/customers/{customer['id']}/360")).json()
    assert view["holdings"][0]["closed_on"] == "2026-11-01"
    assert view["totals"] == []


async def test_risk_and_consent_events_change_the_customer(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    later = event(
        subject,
        "risk.assessed",
        data={"level": "C4", "valid_until": "2027-11-01"},
        time="2026-11-02T00:00:00Z",
    )
    earlier = event(
        subject,
        "risk.assessed",
        data={"level": "C1", "valid_until": "2027-10-01"},
        time="2026-10-01T00:00:00Z",
    )
    consent = event(subject, "consent.changed", data={"channel": "email", "granted": True})
    assert (await bank.push(later, earlier, consent)).status_code == 200
    view = (await bank.admin.get(f"/v1/customers/{customer['id']}")).json()
    assert view["risk_level"] == "C4"
    assert view["consents"] == {"call": True, "sms": False, "email": True}
    assert view["version"] == customer["version"] + 1


async def test_own_event_types(bank: Bank) -> None:
    name = f"bank.test{number()}"
    schema = {"type": "object", "required": ["score"], "properties": {"score": {"type": "integer"}}}
    body = {"name": {"zh": "测试", "en": "Test"}, "data_schema": schema}
    created = await bank.admin.put(f"/v1/event-types/{name}", json=body)
    assert created.status_code == 200, created.text
    customer = await bank.customer()
    answer = await bank.push(event(source_id(customer), name, data={"score": 7}))
    assert answer.json()["accepted"] == 1
    assert (await bank.push(event(source_id(customer), name, data={"score": "x"}))).status_code == 207
    assert (
        await bank.admin.put(f"/v1/event-types/{name}", json={**body, "name": {"zh": "x", "en": "x"}})
    ).status_code == 428
    assert (await bank.admin.put("/v1/event-types/login", json=body)).status_code == 409
    bad = {**body, "data_schema": {"type": "object", "properties": {"a": {"type": "no"}}}}
    assert (await bank.admin.put(f"/v1/event-types/{name}x", json=bad)).status_code == 422
    listed = (await bank.admin.get("/v1/event-types", params={"limit": 1000})).json()["items"]
    assert {"login", "transaction.posted", name} <= {item["type"] for item in listed}


async def test_the_log_is_listed_by_conditions(bank: Bank) -> None:
    customer = await bank.customer()
    events = [event(source_id(customer)) for _ in range(3)]
    await bank.push(*events)
    page = (await bank.admin.get("/v1/events", params={"customer_id": customer["id"], "limit": 2})).json()
    rest = (
        await bank.admin.get(
            "/v1/events", params={"customer_id": customer["id"], "cursor": page["next_cursor"]}
        )
    ).json()
    assert {i["id"] for i in page["items"] + rest["items"]} == {e["id"] for e in events}
    assert rest["next_cursor"] is None
    one = (await bank.admin.get("/v1/events", params={"source": "core", "id": events[0]["id"]})).json()
    assert json.dumps(one["items"][0]["data"], sort_keys=True) == json.dumps(
        events[0]["data"], sort_keys=True
    )


async def test_the_same_batch_from_several_senders_at_once_counts_once(bank: Bank) -> None:
    customers = [await bank.customer() for _ in range(3)]
    subjects = [source_id(customer) for customer in customers] + [f"later{number()}"]
    events = [event(subjects[n % 4]) for n in range(40)]
    snapshot = {"account": "A", "product": "wealth-steady", "as_of": "2026-10-31"}
    events += [
        event(subjects[n % 3], "balance.snapshot", data={**snapshot, "balance": f"{n}.00"}) for n in range(12)
    ]
    events += [
        event(subjects[n % 3], "consent.changed", data={"channel": "app", "granted": True}) for n in range(6)
    ]
    answers = await asyncio.gather(*(bank.push(*(events if n % 2 else events[::-1])) for n in range(6)))
    assert {answer.status_code for answer in answers} == {200}, [a.text for a in answers]
    results = [answer.json() for answer in answers]
    assert sum(result["accepted"] for result in results) == 48
    assert sum(result["parked"] for result in results) == 10
    assert sum(result["duplicate"] for result in results) == 5 * 58


async def test_a_customer_arriving_while_events_are_parked_misses_none(bank: Bank) -> None:
    for _ in range(5):
        late = f"race{number()}"
        pushes = [bank.push(event(late)) for _ in range(4)]
        created, *answers = await asyncio.gather(
            bank.customer(identities=[{"source": "core", "source_id": late}]), *pushes
        )
        assert {answer.status_code for answer in answers} == {200}
        timeline = (await bank.admin.get(f"/v1/customers/{created['id']}/timeline")).json()
        assert len(timeline["items"]) == 4
