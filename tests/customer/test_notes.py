"""Need notes, interactions, complaints, and who contacted whom within days."""

from datetime import timedelta
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import clock
from shared.contracts.events import CustomerEventsRecorded, CustomersContacted
from tests.customer.conftest import Bank, event, number, source_id

SECRET = "客户说想给女儿存教育金"  # what nobody may find in the clear


def need(**changes: Any) -> dict[str, Any]:
    return {
        "category": "education",
        "amount": "300000.00",
        "horizon_months": 60,
        "products": ["wealth"],
        **changes,
    }


async def written(bank: Bank, customer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {"customer_id": customer["id"], "needs": [need()], **changes}
    answer = await bank.manager_sh.post("/v1/need-notes", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_need_note_is_kept_sealed_and_revealed_to_managers(bank: Bank) -> None:
    customer = await bank.customer()
    note = await written(bank, customer, text=SECRET, next_step="下周带方案拜访", risk_attitude="cautious")
    assert (note["status"], note["staff"], note["has_text"], note["text"]) == ("open", "S1", True, None)
    path = f"/v1/need-notes/{note['id']}"
    shown = (await bank.manager_sh.get(path, params={"reveal": "pii"})).json()
    assert (shown["text"], shown["next_step"]) == (SECRET, "下周带方案拜访")
    assert (await bank.strategist.get(path, params={"reveal": "pii"})).status_code == 403
    assert (await bank.strategist.get(path)).json()["text"] is None
    assert (await bank.manager_bj.get(path)).status_code == 404
    audited = await bank.sql(
        "SELECT count(*) FROM audit_log WHERE action = 'reveal_note' AND object = :o",
        o=f"need-note/{note['id']}",
    )
    assert audited == [(1,)]
    for table in ("need_note", "audit_log", "outbox", "customer_event"):
        column = "convert_from(payload, 'UTF8')" if table == "outbox" else "t::text"
        for row in await bank.sql(f"SELECT {column} FROM {table} t"):
            assert SECRET not in row[0]


async def test_a_need_note_is_followed_up_and_closed(bank: Bank) -> None:
    customer = await bank.customer()
    due = clock.today() + timedelta(days=3)
    note = await written(bank, customer, text="第一", next_on=due.isoformat(), staff="S2")
    await written(bank, customer)
    path = f"/v1/need-notes/{note['id']}"

    async def ids(**params: Any) -> list[str]:
        page = await bank.manager_sh.get("/v1/need-notes", params={"customer_id": customer["id"], **params})
        assert page.status_code == 200, page.text
        return [item["id"] for item in page.json()["items"]]

    assert len(await ids()) == 2
    assert await ids(staff="S2") == [note["id"]]
    assert await ids(due_until=due.isoformat()) == [note["id"]]
    assert await ids(due_until=clock.today().isoformat()) == []
    assert await ids(org="hq.sh.pudong", staff="S2") == [note["id"]]
    assert await ids(org="hq.sh.pu") == []
    change = {"status": "met", "next_step": "第二", "next_on": None}
    assert (await bank.manager_sh.patch(path, json=change)).status_code == 428
    assert (await bank.manager_sh.patch(path, json=change, headers={"If-Match": '"v9"'})).status_code == 412
    changed = await bank.manager_sh.patch(path, json=change, headers={"If-Match": '"v1"'})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["status"], changed.json()["next_on"], changed.json()["version"]) == (
        "met",
        None,
        2,
    )
    shown = (await bank.manager_sh.get(path, params={"reveal": "pii"})).json()
    assert (shown["text"], shown["next_step"]) == ("第一", "第二")
    assert await ids(status="met") == [note["id"]]
    for wrong in ({"status": None}, {"needs": []}, {"staff": "S999"}, {"status": "maybe"}, {"text": "\x00"}):
        answer = await bank.manager_sh.patch(path, json=wrong, headers={"If-Match": '"v2"'})
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"], wrong


async def test_what_a_need_note_must_be(bank: Bank) -> None:
    customer, foreign = (
        await bank.customer(),
        await bank.customer(org="hq.bj.haidian", primary_manager="S3", backup_manager=None),
    )
    for pointer, wrong in {
        "/needs": {"needs": []},
        "/needs/0/amount": {"needs": [need(amount="NaN")]},
        "/needs/0/horizon_months": {"needs": [need(horizon_months=10**9)]},
        "/needs/0/category": {"needs": [need(category="yacht")]},
        "/customer_id": {"customer_id": foreign["id"]},
        "/staff": {"staff": "S3"},
        "/text": {"text": "x" * 4001},
    }.items():
        body = {"customer_id": customer["id"], "needs": [need()], **wrong}
        answer = await bank.manager_sh.post("/v1/need-notes", json=body)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text


async def test_free_text_goes_with_the_customers_key(bank: Bank) -> None:
    customer = await bank.customer()
    note = await written(bank, customer, text=SECRET)
    await bank.sql(
        "DELETE FROM customer_key WHERE customer_id = CAST(:id AS uuid) RETURNING 1", id=customer["id"]
    )
    path = f"/v1/need-notes/{note['id']}"
    shown = await bank.manager_sh.get(path, params={"reveal": "pii"})
    assert (shown.status_code, shown.json()["text"]) == (200, None)
    body = {"customer_id": customer["id"], "needs": [need()], "text": "无"}
    assert (await bank.manager_sh.post("/v1/need-notes", json=body)).status_code == 409


async def test_an_interaction_is_an_event_without_its_note(bank: Bank) -> None:
    customer = await bank.customer()
    body = {
        "customer_id": customer["id"],
        "kind": "visit",
        "minutes": 40,
        "disposition": "interested",
        "participants": ["S2"],
        "note": SECRET,
    }
    recorded = await bank.manager_sh.post("/v1/interactions", json=body)
    assert recorded.status_code == 201, recorded.text
    view = recorded.json()
    assert (view["staff"], view["source"], view["note"], view["has_note"]) == ("S1", "huanying", None, True)
    timeline = (await bank.manager_sh.get(f"/v1/customers/{customer['id']}/timeline")).json()["items"]
    (item,) = [item for item in timeline if item["type"] == "interaction.recorded"]
    assert item["data"] == {
        "kind": "visit",
        "direction": "out",
        "minutes": 40,
        "disposition": "interested",
        "by": "S1",
    }
    rows = await bank.sql("SELECT payload FROM outbox WHERE subject LIKE 'customer.events_recorded.%'")
    events = [
        one
        for row in rows
        for one in CustomerEventsRecorded.model_validate(orjson.loads(row[0])["data"]).events
        if str(one.customer_id) == customer["id"]
    ]
    assert [(one.type, one.data["kind"]) for one in events] == [("interaction.recorded", "visit")]
    assert SECRET.encode() not in b"".join(row[0] for row in rows)
    rows = await bank.sql("SELECT payload FROM outbox WHERE subject LIKE 'customer.customers_contacted.%'")
    told = [
        one
        for row in rows
        for one in CustomersContacted.model_validate(orjson.loads(row[0])["data"]).interactions
        if str(one.customer_id) == customer["id"]
    ]
    assert [(str(one.interaction_id), one.kind) for one in told] == [(view["id"], "visit")]
    path = f"/v1/interactions/{view['id']}"
    change = {"participants": [], "note": "更正"}
    assert (await bank.manager_sh.patch(path, json=change)).status_code == 428
    changed = await bank.manager_sh.patch(path, json=change, headers={"If-Match": '"v1"'})
    assert (changed.status_code, changed.json()["participants"]) == (200, [])
    assert (await bank.head_sh.get(path, params={"reveal": "pii"})).json()["note"] == "更正"
    future = {**body, "at": "2999-01-01T00:00:00Z"}
    refused = await bank.manager_sh.post("/v1/interactions", json=future)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/at")


async def test_interactions_of_partner_systems_are_listed_too(bank: Bank) -> None:
    customer = await bank.customer()
    data = {"kind": "call", "direction": "in", "by": "S2", "minutes": 2.6, "note": SECRET}
    pushed = event(source_id(customer), "interaction.recorded", data=data)
    for _ in range(2):
        assert (await bank.push(pushed)).status_code == 200
    params = {"customer_id": customer["id"], "staff": "S2", "since": "2026-10-01T00:00:00Z"}
    (found,) = (await bank.manager_sh.get("/v1/interactions", params=params)).json()["items"]
    assert (found["kind"], found["minutes"], found["source"], found["has_note"]) == ("call", 3, "core", False)
    params["until"] = "2026-10-02T00:00:00Z"
    assert (await bank.manager_sh.get("/v1/interactions", params=params)).json()["items"] == []
    stored = await bank.sql("SELECT t::text FROM interaction t")
    assert not [row for row in stored if SECRET in row[0]]


async def complaints_of(bank: Bank, customer: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    answer = await bank.manager_sh.get("/v1/complaints", params={"customer_id": customer["id"], **params})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_complaint_is_open_until_it_is_resolved(bank: Bank) -> None:
    customer = await bank.customer()
    body = {
        "customer_id": customer["id"],
        "category": "fees",
        "severity": "high",
        "staff": "S2",
        "text": SECRET,
    }
    filed = await bank.manager_sh.post("/v1/complaints", json=body)
    assert filed.status_code == 201, filed.text
    complaint = filed.json()
    assert (complaint["open"], complaint["staff"], complaint["text"]) == (True, "S2", None)
    praise = {"customer_id": customer["id"], "kind": "feedback"}
    await bank.manager_sh.post("/v1/complaints", json=praise)
    assert [one["id"] for one in await complaints_of(bank, customer, kind="complaint", open=True)] == [
        complaint["id"]
    ]
    standing = (await bank.manager_sh.get(f"/v1/customers/{customer['id']}/360")).json()
    assert standing["open_complaints"] == 1
    path = f"/v1/complaints/{complaint['id']}"
    due = await bank.manager_sh.patch(path, json={"due_on": "2026-12-01"}, headers={"If-Match": '"v1"'})
    assert due.json()["due_on"] == "2026-12-01", due.text
    assert (await bank.head_sh.get(path, params={"reveal": "pii"})).json()["text"] == SECRET
    resolved = await bank.manager_sh.post(f"{path}:resolve")
    assert resolved.json()["open"] is False, resolved.text
    assert (await bank.manager_sh.post(f"{path}:resolve")).status_code == 409
    assert await complaints_of(bank, customer, kind="complaint", open=True) == []
    timeline = (await bank.manager_sh.get(f"/v1/customers/{customer['id']}/timeline")).json()["items"]
    assert sorted(item["type"] for item in timeline) == ["complaint.filed", "complaint.resolved"]
    assert (await bank.manager_bj.get(path)).status_code == 404


DAY = st.integers(1, 9).map(lambda n: f"2026-10-0{n}T12:00:00+08:00")
SUBJECT = st.fixed_dictionaries(
    {}, optional={"reference": st.sampled_from(["r1", "r2"]), "category": st.sampled_from(["fees", "queue"])}
)
TOLD = st.lists(
    st.tuples(st.sampled_from(["complaint.filed", "complaint.resolved"]), DAY, SUBJECT),
    min_size=1,
    max_size=5,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=TOLD, dice=st.randoms(use_true_random=False))
async def test_complaints_end_the_same_in_any_order(bank: Bank, told: list[Any], dice: Any) -> None:
    ends = []
    for order in (told, dice.sample(told, len(told))):
        customer = await bank.customer()
        names: dict[str, str] = {}
        for kind, time, data in order:
            # The id stands for a missing reference: it must be the same in both orders.
            position = told.index((kind, time, data))
            name = names.setdefault(f"{position}", f"{kind}-{position}-{customer['id']}")
            sent = event(source_id(customer), kind, id=name, time=time, data=data)
            assert (await bank.push(sent)).status_code == 200
        found = await complaints_of(bank, customer)
        ends.append(
            sorted(
                (one["filed_at"], one["open"], one["category"] or "", one["resolved_at"] or "")
                for one in found
            )
        )
    assert ends[0] == ends[1]
    latest = max((time for kind, time, data in told if kind == "complaint.resolved" and not data), default="")
    assert all(opened is False for filed, opened, *_ in ends[0] if latest and filed[:10] <= latest[:10])


async def test_contacts_of_several_managers_are_a_conflict(bank: Bank) -> None:
    twice, once, far_apart = [await bank.customer() for _ in range(3)]
    now = clock.now()

    async def talk(customer: dict[str, Any], staff: str, days_ago: int) -> None:
        body = {
            "customer_id": customer["id"],
            "kind": "call",
            "staff": staff,
            "at": (now - timedelta(days=days_ago)).isoformat(),
        }
        assert (await bank.admin.post("/v1/interactions", json=body)).status_code == 201

    await talk(twice, "S1", 3)
    await bank.sql(
        "INSERT INTO customer_contact (contact_id, version, customer_id, campaign_id, state, recorded_at,"
        " recorded_by) VALUES (gen_random_uuid(), 1, CAST(:id AS uuid), gen_random_uuid(), 'done', :at,"
        " 'user:S3') RETURNING 1",
        id=twice["id"],
        at=now - timedelta(days=1),
    )
    await talk(once, "S1", 3)
    await talk(once, "S1", 2)
    await talk(far_apart, "S1", 20)
    await talk(far_apart, "S2", 2)
    ours = {twice["id"], once["id"], far_apart["id"]}

    async def conflicts(client: Any, **params: Any) -> list[dict[str, Any]]:
        answer = await client.get("/v1/contact-conflicts", params={"limit": 1000, **params})
        assert answer.status_code == 200, answer.text
        return [item for item in answer.json()["items"] if item["customer_id"] in ours]

    (found,) = await conflicts(bank.admin)
    assert (found["customer_id"], found["managers"], found["branches"]) == (twice["id"], 2, 2)
    assert [(one["by"], one["channel"]) for one in found["contacts"]] == [("S1", "call"), ("S3", "campaign")]
    # The head of the customer's branch learns of the foreign contact, not of the foreign branch.
    (seen,) = await conflicts(bank.head_sh)
    assert [(one["by"], one["org"]) for one in seen["contacts"]] == [("S1", "hq.sh.pudong"), ("S3", None)]
    assert seen["branches"] == 2
    assert len(await conflicts(bank.admin, days=30)) == 2
    assert await conflicts(bank.admin, org="hq.bj") == []
    assert await conflicts(bank.admin, since=(now - timedelta(hours=1)).isoformat()) == []
    assert (await bank.manager_sh.get("/v1/contact-conflicts")).status_code == 403
    old = await bank.admin.get("/v1/contact-conflicts", params={"since": "2000-01-01T00:00:00Z"})
    assert (old.status_code, old.json()["errors"][0]["pointer"]) == (422, "/query/since")
    first = (await bank.admin.get("/v1/contact-conflicts", params={"limit": 1, "days": 30})).json()
    second = await bank.admin.get(
        "/v1/contact-conflicts", params={"limit": 1, "days": 30, "cursor": first["next_cursor"]}
    )
    assert second.json()["items"][0]["customer_id"] > first["items"][0]["customer_id"]
    bad = await bank.admin.get("/v1/contact-conflicts", params={"cursor": f"x{number()}"})
    assert bad.status_code == 400
