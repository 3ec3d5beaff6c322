"""A person goes through every path of real processes; then every database, stream, store and log is searched.

What may be where: a source id is in the clear in the customer database, and only there, until the person is
erased. Everything else that names a person is nowhere in the clear, ever.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nats
import psycopg
import pytest

from deploy.embedded.databases import SERVICES
from deploy.embedded.stack import Stack
from shared.auth import Role
from shared.topology import intake_subject
from tests.pii import Hit, Scanner
from tests.support import wait_until

pytestmark = pytest.mark.xdist_group("personal data")

SEALED = {
    "name": "欧阳慕雪蓝",
    "name of the imported": "司马听松鹤",
    "name before": "欧阳慕雪兰",
    "phone": "13977731415",
    "phone of the imported": "13866627182",
    "id number": "330106198811228864",
    "email": "muxuelan@secretmail.example",
    "address": "文三路8864弄梧桐里",
    "note of a call": "梦见银杏树下的保险箱",
    "undeclared property": "counterparty-LuoXiaohei",
    "note of a refused event": "窗台上的蓝色信封",
    "note of an awaited event": "周五去看海边的房子",
    "note of a pushed event": "阁楼里的旧钢琴",
    "note of a meeting": "喝了一壶白毫银针",
    "text of a need": "想给外孙存学费",
    "text of a complaint": "排队时被踩了脚",
    "reason of an owner": "对面楼的老邻居",
    "reason of a change": "女儿出嫁改了名字",
    "reason of a merge": "同住一个屋檐下",
    "proof": "录音带-0815-慕雪",
}
IDENTITIES = {
    "source id": "CIF-OYMX-771930",
    "source id of the imported": "CIF-SMTH-551842",
    "source id of the awaited": "CIF-WAIT-662951",
}
CUSTOMER_DATABASE = "customer."
POSTGRES_FILES = "pg/"
JSON_EVENT = "application/cloudevents+json"
COLUMNS = [
    "source",
    "source_id",
    "kind",
    "name",
    "id_number",
    "phone",
    "email",
    "address",
    "gender",
    "birth_date",
    "occupation",
    "industry",
    "org",
    "primary_manager",
    "backup_manager",
    "risk_level",
    "risk_valid_until",
    "customer_since",
    "consent_call",
    "consent_sms",
    "consent_email",
]


@dataclass
class House:
    stack: Stack
    aside: Path
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, *roles: Role, staff: str) -> httpx.Client:
        token = self.stack.keyring.issuer.token(staff, roles=list(roles), org="hq", staff=staff, name=staff)
        return self._client({"Authorization": f"Bearer {token}"})

    def system(self) -> httpx.Client:
        key = self.stack.keyring.ensure_key("scan", roles=[Role.integrator], source="core")
        return self._client({"X-API-Key": key})

    def _client(self, headers: dict[str, str]) -> httpx.Client:
        url = f"{self.stack.base_url}/api/customer/v1"
        self.clients.append(httpx.Client(base_url=url, headers=headers, timeout=60))
        return self.clients[-1]

    def conninfo(self, service: str) -> str:
        return self.stack.postgres.url(service).replace("+psycopg", "")

    def sql(self, service: str, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.conninfo(service), autocommit=True) as connection:
            found = connection.execute(statement)  # type: ignore[arg-type]  # constants of this file
            return found.fetchall() if found.description else []

    def settle(self) -> None:
        """Everything is published, and what follows has had time to take it."""
        for service in SERVICES:
            wait_until(
                lambda service=service: (  # type: ignore[misc]
                    self.sql(service, "SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]
                ),
                what=f"the outbox of {service}",
            )
        time.sleep(3)

    def scan(self, values: dict[str, str]) -> Scanner:
        """All databases as tables, all files of the installation, all columnar stores."""
        for service in SERVICES:
            self.sql(service, "CHECKPOINT")
        scanner = Scanner(values)
        for service in SERVICES:
            scanner.database(service, self.conninfo(service))
        scanner.directory(self.stack.data_dir, without=["secrets"])
        for store in sorted(self.stack.data_dir.rglob("*.duckdb")):
            scanner.duckdb(store, self.aside)
        return scanner


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Stack(tmp_path_factory.mktemp("scan") / ".huanying", port=0) as stack:
        house = House(stack, tmp_path_factory.mktemp("copies"))
        yield house
        for client in house.clients:
            client.close()


def _ok(answer: httpx.Response, *statuses: int) -> Any:
    assert answer.status_code in (statuses or (200, 201, 202)), answer.text
    return answer.json()


def _catalogue(admin: httpx.Client) -> None:
    name = {"zh": "甲", "en": "A"}
    _ok(admin.put("/orgs/hq", json={"level": "hq", "name": name}))
    _ok(admin.put("/orgs/hq.sh", json={"level": "tier1", "name": name}))
    for code in ("S1", "S2"):
        _ok(admin.put(f"/staff/{code}", json={"name": code, "role": "manager", "org": "hq.sh"}))
    product = {"name": name, "category": "wealth", "risk": "R2", "margin": "0.01"}
    _ok(admin.put("/products/wealth", json=product))


def _event(subject: str, kind: str, data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": f"scan-{time.monotonic_ns()}",
        "source": "core",
        "type": kind,
        "subject": subject,
        "time": "2026-11-01T09:31:07+08:00",
        "data": data,
    }
    return {**event, **changes}


def _push(core: httpx.Client, event: dict[str, Any], *statuses: int) -> Any:
    return _ok(core.post("/events", json=event, headers={"Content-Type": JSON_EVENT}), *statuses)


def _person() -> dict[str, Any]:
    return {
        "kind": "person",
        "name": SEALED["name before"],
        "id_number": SEALED["id number"],
        "phone": SEALED["phone"],
        "email": SEALED["email"],
        "address": SEALED["address"],
        "identities": [{"source": "core", "source_id": IDENTITIES["source id"]}],
        "org": "hq.sh",
        "primary_manager": "S1",
        "backup_manager": "S2",
        "birth_date": "1988-11-22",
    }


def _import(core: httpx.Client) -> None:
    subject, name = IDENTITIES["source id of the imported"], SEALED["name of the imported"]
    row = dict.fromkeys(COLUMNS, "")
    row |= {"source": "core", "source_id": subject, "kind": "person", "name": name, "org": "hq.sh"}
    row["phone"] = SEALED["phone of the imported"]
    bad = {**row, "source_id": f"{subject}-bad", "kind": "dog", "org": "hq.nowhere"}
    lines = [",".join(COLUMNS), *(",".join(one.values()) for one in (row, bad))]
    for encoding in ("utf-8", "gb18030"):
        answer = core.post(
            "/imports",
            params={"dataset": "customers", "filename": f"{name}.csv"},
            content="\n".join(lines).encode(encoding),
            headers={"Content-Type": "text/csv"},
        )
        job = _ok(answer, 202)
        wait_until(
            lambda job=job: _ok(core.get(f"/imports/{job['id']}"))["state"] not in {"queued", "running"},  # type: ignore[misc]
            what="the import",
        )
        assert _ok(core.get(f"/imports/{job['id']}"))["state"] == "succeeded"


def _find(client: httpx.Client, source_id: str) -> dict[str, Any]:
    found = _ok(client.get("/customers", params={"source": "core", "source_id": source_id}))["items"]
    assert len(found) == 1
    return dict(found[0])


def _events(core: httpx.Client, subject: str) -> None:
    call = {"kind": "call", "direction": "in", "note": SEALED["note of a call"]}
    _push(core, _event(subject, "interaction.recorded", call))
    login = {"channel": "mobile", "counterparty": SEALED["undeclared property"]}
    _push(core, _event(subject, "login", login))
    balance = {"product": "wealth", "balance": "10.00", "as_of": "2026-10-31"}
    _push(core, _event(subject, "balance.snapshot", balance))
    refused = {"kind": "smoke signal", "note": SEALED["note of a refused event"]}
    _push(core, _event(subject, "interaction.recorded", refused), 422)
    awaited = {**call, "note": SEALED["note of an awaited event"]}
    _push(core, _event(IDENTITIES["source id of the awaited"], "interaction.recorded", awaited))


def _managers_work(manager: httpx.Client, customer: str) -> None:
    """What managers write down about a customer."""
    about = {"customer_id": customer}
    _ok(manager.post("/interactions", json={**about, "kind": "visit", "note": SEALED["note of a meeting"]}))
    need = {"needs": [{"category": "saving"}], "text": SEALED["text of a need"]}
    _ok(manager.post("/need-notes", json={**about, **need}))
    complaint = _ok(manager.post("/complaints", json={**about, "text": SEALED["text of a complaint"]}))
    _ok(manager.post(f"/complaints/{complaint['id']}:resolve"))


def _walk(house: House) -> str:
    """One person through every path there is; the id of the file all others were merged into."""
    admin, head = house.client(Role.admin, staff="A1"), house.client(Role.branch_head, staff="H1")
    core = house.system()
    _catalogue(admin)
    key = {"Idempotency-Key": f"create {IDENTITIES['source id']}"[:20]}
    customer = _ok(admin.post("/customers", json=_person(), headers=key), 201)
    path = f"/customers/{customer['id']}"
    change = {"name": SEALED["name"], "reason": SEALED["reason of a change"]}
    _ok(head.patch(path, json=change, headers={"If-Match": '"v1"'}))
    _events(core, IDENTITIES["source id"])
    asyncio.run(_push_over_nats(house))
    _import(core)
    imported = _find(head, IDENTITIES["source id of the imported"])
    proof = {"kind": "recording", "reference": SEALED["proof"]}
    _ok(head.put(f"{path}/consents/call", json={"granted": True, "proof": proof}))
    merge = {"survivor": customer["id"], "merged": [imported["id"]], "reason": SEALED["reason of a merge"]}
    _ok(head.post("/customers:merge", json=merge))
    owners = {"org": "hq.sh", "primary_manager": "S2", "backup_manager": "S1"}
    answer = head.put(
        f"{path}/ownership",
        json={**owners, "reason": SEALED["reason of an owner"]},
        headers={"If-Match": head.get(path).headers["ETag"]},
    )
    _ok(answer)
    _managers_work(house.client(Role.manager, staff="S1"), customer["id"])
    export = _ok(head.post(f"{path}:export"))
    wait_until(
        lambda: _ok(head.get(f"/subject-exports/{export['id']}"))["state"] == "ready", what="the export"
    )
    for params in (
        {"phone": SEALED["phone"]},
        {"id_number": SEALED["id number"]},
        {"source": "core", "source_id": IDENTITIES["source id"]},
    ):
        assert _ok(head.get("/customers", params=params))["items"]
    wait_until(
        lambda: SEALED["note of a pushed event"] in head.get(f"{path}/timeline").text, what="the pushed event"
    )
    assert _ok(head.get(path, params={"reveal": "pii"}))["name"] == SEALED["name"]
    for read in ("360", "timeline", "history", "consents", "holdings"):
        assert head.get(f"{path}/{read}").status_code == 200
    _mistakes(admin, core)
    house.settle()
    return str(customer["id"])


async def _push_over_nats(house: House) -> None:
    data = {"kind": "call", "direction": "in", "note": SEALED["note of a pushed event"]}
    event = _event(IDENTITIES["source id"], "interaction.recorded", data)
    client = await nats.connect(house.stack.nats.url)
    await client.jetstream().publish(intake_subject("core"), json.dumps(event).encode())
    await client.close()


def _mistakes(admin: httpx.Client, core: httpx.Client) -> None:
    """Refusals tell what is wrong without repeating it to the log."""
    assert admin.post("/customers", json=_person()).status_code == 409
    assert admin.post("/customers", json={**_person(), "gender": SEALED["name"]}).status_code == 422
    assert admin.post("/customers", content=SEALED["name"].encode()).status_code in {400, 422}
    assert admin.get("/customers", params={"org": SEALED["name"]}).status_code == 422
    assert admin.get(f"/customers/{SEALED['name']}").status_code == 422
    assert core.post("/events", content=f"[{SEALED['name']}".encode()).status_code in {400, 415}


def _unexpected(hits: list[Hit], *allowed: str) -> list[Hit]:
    return [hit for hit in hits if not hit.place.startswith(allowed)]


def _erase(house: House, customer: str) -> dict[str, Any]:
    core = house.system()
    closed = _event(
        IDENTITIES["source id"], "product.closed", {"product": "wealth"}, time="2026-11-02T09:00:00+08:00"
    )
    _push(core, closed)
    head, checker = house.client(Role.branch_head, staff="H1"), house.client(Role.approver, staff="P1")
    request = {"reason": "case 1", "legal_basis": "consent_withdrawn"}
    asked = _ok(head.post(f"/customers/{customer}:erase", json=request), 201)
    _ok(checker.post(f"/erasures/{asked['id']}:confirm"))

    def confirmed() -> bool:
        services = _ok(checker.get(f"/erasures/{asked['id']}"))["services"]
        return all(one["state"] == "confirmed" for one in services)

    wait_until(confirmed, seconds=120, what="the confirmations of all services")
    return dict(_ok(checker.get(f"/erasures/{asked['id']}")))


def test_nothing_that_names_a_person_is_in_the_clear(house: House) -> None:
    customer = _walk(house)
    before = house.scan({**SEALED, **IDENTITIES})
    print("before erasure:", before.told())
    assert [hit for hit in before.hits if hit.name in SEALED] == []
    assert _unexpected(before.hits, CUSTOMER_DATABASE, POSTGRES_FILES) == []
    assert {hit.name for hit in before.hits} == set(IDENTITIES), "the scan saw the database at all"

    receipt = _erase(house, customer)
    print("destroyed:", receipt["destroyed"], "services:", receipt["services"])
    house.settle()
    # Deleted rows stay in the pages until they are rewritten.
    house.sql("customer", "VACUUM FULL")
    house.sql("customer", "SELECT pg_switch_wal()")
    gone = {name: value for name, value in IDENTITIES.items() if name != "source id of the awaited"}
    after = house.scan({**SEALED, **gone})
    print("after erasure:", after.told(), "in", sorted({hit.place for hit in after.hits}))
    assert [hit for hit in after.hits if hit.name in SEALED] == []
    # The write-ahead log is the one place that still has what was deleted, until its segments are reused.
    assert _unexpected(after.hits, "pg/pg_wal/") == []
    assert not any(customer.encode() in part for part in _facts_elsewhere(house))


def _facts_elsewhere(house: House) -> Iterator[bytes]:
    """What the other services' databases say of the person, beyond that it was erased."""
    for service in SERVICES:
        if service != "customer":
            tables = house.sql(
                service,
                "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                " WHERE c.relkind = 'r' AND a.attname = 'customer_id'",
            )
            for (table,) in tables:
                for row in house.sql(service, f"SELECT to_jsonb(t)::text FROM {table} t"):
                    yield row[0].encode()
