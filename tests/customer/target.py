"""A customer service as its callers meet it, with a small bank in it, for tests that throw things at it.

A process, a database and a broker of its own: nothing it is made to swallow reaches another test.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
from sqlalchemy import make_url

from deploy.embedded.databases import app_of, create_database, owner_of
from deploy.embedded.nats import NatsServer
from services.customer.app import app
from shared import clock
from shared.auth import Role
from shared.migrate import upgrade
from tests.customer.conftest import BATCH, ORGS, PRODUCTS, STAFF, event, person, source_id
from tests.customer.hostile import Bodies
from tests.support import Servers

DATABASE = "target"
RECORD_FIELDS = {
    "participants": ["S2"],
    "due_on": "2027-01-31",
    "next_on": "2027-01-31",
    "products": ["fund"],
}
RECORDS = ("/v1/complaints", "/v1/interactions", "/v1/need-notes")
METHODS = ("get", "put", "post", "patch", "delete")


@dataclass
class Target:
    url: str
    document: dict[str, Any]
    admin: httpx.Client
    log: Path
    known: dict[str, list[str]] = field(default_factory=dict)
    """Values that exist, by the path parameter they fit: `customer_id`, `merge_id`, …"""
    holder: str = ""
    """The customer who holds account A-77."""

    @property
    def operations(self) -> list[tuple[str, str]]:
        return operations(self.document)

    def path_of(self, path: str, fixed: Mapping[str, str] | None = None) -> str:
        """The path with ids that exist, where some are known; others are well formed and nobody's."""

        def value(match: re.Match[str]) -> str:
            name = name_in(path, match[1])
            if fixed and name in fixed:
                return fixed[name]
            return (self.known.get(name) or [_stranger(self.document, path, match[1])])[0]

        return re.sub(r"\{(\w+)\}", value, path)

    def learn(self) -> None:
        """Ask every list for what it holds: its items name what the paths below it take."""
        for path in self.document["paths"]:
            found = re.fullmatch(r"(/v1/[\w/-]+)/\{(\w+)\}", path)
            if found is None or "get" not in self.document["paths"].get(found[1], {}):
                continue
            answer = self.admin.get(found[1], params={"limit": 50})
            for item in answer.json()["items"]:
                for key in ("id", "code", "type", found[2]):
                    if item.get(key):
                        self.remember(name_in(path, found[2]), item[key])
                        break

    def remember(self, name: str, *values: object) -> None:
        known = self.known.setdefault(name, [])
        known += [str(value) for value in values if str(value) not in known]


def operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method, path)
        for path, methods in sorted(document["paths"].items())
        for method in METHODS
        if method in methods
    ]


DOCUMENT: dict[str, Any] = app.openapi()


def name_in(path: str, parameter: str) -> str:
    """`code` means something else below /orgs than below /staff."""
    return f"{path.split('/')[2].split('{', maxsplit=1)[0]}/{parameter}" if parameter == "code" else parameter


def _stranger(document: dict[str, Any], path: str, name: str) -> str:
    for methods in document["paths"][path].values():
        for parameter in methods.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] == name:
                schema = parameter["schema"]
                if schema.get("format") == "uuid":
                    return "01900000-0000-7000-8000-000000000000"
                if "enum" in schema:
                    return str(schema["enum"][0])
                return "1" if schema.get("type") == "integer" else "hq"
    raise LookupError(f"{path} declares no {name}")


@contextmanager
def running_target(servers: Servers, directory: Path) -> Iterator[Target]:
    administrator = servers.postgres.url("postgres", "postgres").replace("+psycopg", "")
    with psycopg.connect(administrator, autocommit=True) as connection:
        create_database(connection, DATABASE)
    upgrade("customer", make_url(servers.postgres.url(DATABASE, owner_of(DATABASE))), app_of(DATABASE))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", directory / "target.log"
    data = directory / "data"
    data.mkdir(parents=True)
    with NatsServer(directory / "nats") as nats, log.open("wb") as output:
        environment = {
            **os.environ,
            **servers.environment("customer"),
            "HUANYING_DATABASE_URL": servers.postgres.url(DATABASE, app_of(DATABASE)),
            "HUANYING_NATS_URL": nats.url,
            "HUANYING_DATA_DIR": str(data),
            "HUANYING_PORT": str(port),
        }
        command = [sys.executable, "-m", "shared.serve", "customer"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            headers = {"Authorization": f"Bearer {servers.token(Role.admin)}"}
            with httpx.Client(base_url=url, headers=headers, timeout=30) as admin:
                _wait_ready(admin)
                target = Target(url, DOCUMENT, admin, log)
                _fill(target, servers)
                target.learn()
                yield target
        finally:
            process.terminate()
            process.wait(20)


def _wait_ready(admin: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if admin.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError("the service did not become ready")
        time.sleep(0.1)


def _wait_ended(admin: httpx.Client, job: str) -> None:
    deadline = time.monotonic() + 60
    while (state := admin.get(job).json()["state"]) in {"queued", "running"}:
        assert time.monotonic() < deadline, f"{job} is {state}"
        time.sleep(0.1)


def _fill(target: Target, servers: Servers) -> None:
    """A bank in which every route finds something."""
    admin = target.admin
    for code, level in ORGS:
        _ok(admin.put(f"/v1/orgs/{code}", json={"level": level, "name": {"zh": code, "en": code}}))
    for code, role, org in (*STAFF, ("S5", "manager", "hq.sh.pudong")):
        _ok(admin.put(f"/v1/staff/{code}", json={"name": f"员工{code}", "role": role, "org": org}))
    for code, category, risk in PRODUCTS:
        body = {"name": {"zh": code, "en": code}, "category": category, "risk": risk, "margin": "0.0125"}
        _ok(admin.put(f"/v1/products/{code}", json=body))
    people = [_ok(admin.post("/v1/customers", json=person())).json() for _ in range(12)]
    twin = person()
    identities = [{"source": "crm", "source_id": f"twin-{number}"} for number in range(3)]
    people += [
        _ok(admin.post("/v1/customers", json={**twin, "identities": [identity]})).json()
        for identity in identities
    ]
    target.remember("customer_id", *(one["id"] for one in people))
    key = {"X-API-Key": servers.api_key("core"), "content-type": BATCH}
    events = [event(source_id(one)) for one in people[:10]]
    broken = {**event(source_id(people[0])), "data": {"amount": "much"}}
    stranger = event("nobody-yet")
    with httpx.Client(base_url=target.url, headers=key, timeout=30) as core:
        _ok(core.post("/v1/events", content=orjson.dumps([*events, broken, stranger])))
    holding = {
        **identities[0],
        "account": "A-77",
        "product": "wealth-steady",
        "balance": "50000.00",
        "as_of": "2026-11-01",
    }
    _ok(admin.post("/v1/holdings", json={"items": [holding]}))
    target.holder = people[-3]["id"]
    _fill_the_file(target, people)
    hook = {"url": "https://hooks.example.com/x", "event_types": ["huanying.customer.customer_erased.v1"]}
    _ok(admin.post("/v1/webhooks", json=hook))
    columns = "source,source_id,account,product,balance,currency,as_of,opened_on,matures_on"
    table = f"{columns}\ncrm,twin-0,A-9,wealth-steady,much,CNY,2026-11-01,,\n".encode()
    imported = admin.post(
        "/v1/imports",
        params={"dataset": "holdings"},
        content=table,
        headers={"content-type": "text/csv"},
    )
    target.remember("import_id", _ok(imported).json()["id"])
    target.remember("job_id", imported.headers["location"].rsplit("/", 1)[-1])


def _fill_the_file(target: Target, people: list[dict[str, Any]]) -> None:
    """What is known about customers beyond themselves: who is whom, who belongs to whom, what they are worth."""
    admin, ids = target.admin, [one["id"] for one in people]
    household = {"from": {"customer_id": ids[0]}, "to": {"customer_id": ids[1]}, "kind": "household"}
    related = _ok(admin.post("/v1/relationships", json={"items": [household]})).json()
    target.remember("relationship_id", related["items"][0]["id"])
    merge = {"survivor": ids[-3], "merged": [ids[-2]], "reason": "the same person twice"}
    _ok(admin.post("/v1/customers:merge", json=merge))
    _ok(admin.post("/v1/duplicates:find", json={}))
    model = {"name": {"zh": "价值", "en": "Value"}}
    _ok(admin.put("/v1/value-models/standard", json=model))
    run = _ok(admin.post("/v1/value-models/standard:run", json={"month": "2026-10"}))
    target.remember("run_id", run.json()["id"])
    _wait_ended(admin, run.headers["location"])
    rule = {"name": model["name"], "applies_to": "event", "event_type": "login", "keep_days": 30}
    _ok(admin.put("/v1/retention-rules/logins", json=rule))
    exported = _ok(admin.post(f"/v1/customers/{ids[4]}:export")).json()
    target.remember("export_id", _id_in(exported))
    forgotten = {"reason": "asked by letter", "legal_basis": "consent_withdrawn"}
    erasure = _ok(admin.post(f"/v1/customers/{ids[5]}:erase", json=forgotten)).json()
    target.remember("erasure_id", _id_in(erasure))
    receivers = {"strategy": "receivers", "receivers": [{"staff": "S5"}]}
    effective = str(clock.today() + timedelta(days=30))
    leave = {"reason": "leave", "plan": receivers, "effective_on": effective}
    _ok(admin.post("/v1/staff/S2:handover", json=leave))
    bodies = Bodies(
        DOCUMENT, {"customer_id": ids[4], "staff": "S1", "product": "wealth-steady"} | RECORD_FIELDS
    )
    for path in RECORDS:
        schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        _ok(admin.post(path, json=bodies.of(schema)))


def _id_in(answer: dict[str, Any]) -> str:
    """Of what was made, wherever the answer has it."""
    for value in (answer, *(value for value in answer.values() if isinstance(value, dict))):
        if "id" in value:
            return str(value["id"])
    raise LookupError(f"no id in {sorted(answer)}")


def _ok(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code in {200, 201, 202, 207}, (answer.request.url, answer.status_code, answer.text)
    return answer
