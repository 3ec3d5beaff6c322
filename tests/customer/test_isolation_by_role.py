"""Every route × every role, from inside and from outside the branch a customer belongs to."""

import re
from typing import Any

import httpx
import pytest

from shared.auth import Role
from tests.customer.hostile import Bodies
from tests.customer.target import DOCUMENT, Target, name_in, operations
from tests.support import Servers

pytestmark = pytest.mark.xdist_group("target")

OPEN = {
    "/healthz": "a probe, nothing about a customer",
    "/readyz": "a probe, nothing about a customer",
    "/metrics": "counts of this process, nothing about a customer",
}

OURS = {
    "customer_id",
    "orgs/code",
    "staff/code",
    "complaint_id",
    "duplicate_id",
    "erasure_id",
    "export_id",
    "handover_id",
    "import_id",
    "interaction_id",
    "job_id",
    "merge_id",
    "note_id",
    "refused_id",
    "relationship_id",
    "webhook_id",
}
"""Path parameters that name something of the branch `hq.sh.pudong`, or of head office."""

BANKWIDE = {
    "products/code": "the catalogue is the bank's",
    "event_type": "the registry is the bank's",
    "version": "of an event type",
    "value-models/code": "the models are the bank's",
    "run_id": "a run covers the bank; its rows are shown by branch",
    "rules/code": "the rules are the bank's",
    "quality/code": "the rules are the bank's",
    "retention-rules/code": "the rules are the bank's",
    "dataset": "a word",
    "channel": "a word",
    "account": "of the customer before it in the path",
}

NOBODY_READS = {
    "/v1/subject-exports/{export_id}/file": "ready when its job is; tests/customer has it in full",
    "/v1/value-runs/{run_id}/difference": "against an earlier run of the month, which this bank has not",
}


def _guarded() -> list[tuple[str, str]]:
    return [(method, path) for method, path in operations(DOCUMENT) if path not in OPEN]


def _client(target: Target, servers: Servers, role: Role, org: str, staff: str) -> httpx.Client:
    token = servers.token(role, org=org, staff=staff)
    return httpx.Client(base_url=target.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def _paths(target: Target, path: str) -> str:
    """With the ids of our branch; the lists of `target` hold nothing else."""
    fixed = {"orgs/code": "hq.sh.pudong", "staff/code": "S1", "account": "A-77"}
    if "{account}" in path:
        fixed["customer_id"] = target.holder

    return target.path_of(path, fixed)


def _query(target: Target, method: str, path: str) -> dict[str, str]:
    """Filters that ask for our customers by name."""
    ours = {"customer_id": target.known["customer_id"][0], "org": "hq.sh", "manager": "S1", "staff": "S1"}
    ours |= {"to": target.known["customer_id"][1], "limit": "1000", "model": "standard"}
    declared = {
        p["name"] for p in DOCUMENT["paths"][path][method].get("parameters", []) if p["in"] == "query"
    }
    return {name: value for name, value in ours.items() if name in declared}


def _body(target: Target, method: str, path: str) -> Any:
    content = DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    people = target.known["customer_id"]
    named = {
        "customer_id": people[0],
        "survivor": people[0],
        "merged": [people[1]],
        "to": {"customer_id": people[1]},
        "from": {"customer_id": people[0]},
        "org": "hq.bj.haidian",
        "staff": "S3",
        "primary_manager": "S3",
        "identities": [{"source": "crm", "source_id": "twin-0"}],
        "month": "2026-10",
        "dry_run": False,
    }
    return Bodies(DOCUMENT, named).of(content["application/json"]["schema"])


def _send(client: httpx.Client, target: Target, method: str, path: str) -> httpx.Response:
    return client.request(
        method,
        _paths(target, path),
        params=_query(target, method, path),
        json=_body(target, method, path),
        headers={"If-Match": '"v1"'},
    )


def _marks(target: Target) -> set[str]:
    return {*target.known["customer_id"], "twin-0", "A-77", "hq.sh", '"S1"', '"S2"', "张三丰"}


def _state(target: Target) -> dict[str, Any]:
    """What head office reads of our customer and of everything that hangs on it."""
    read = {}
    for method, path in _guarded():
        names = {name_in(path, name) for name in re.findall(r"\{(\w+)\}", path)}
        if method == "get" and names & OURS and not path.endswith("/stream") and path not in NOBODY_READS:
            answer = target.admin.get(_paths(target, path), params=_query(target, "get", path))
            read[path] = (answer.status_code, re.sub(r'"instance":"[^"]*"', "", answer.text))
    return read


def test_every_path_parameter_is_ours_or_the_banks() -> None:
    """A new route with a new id must say here whose it is."""
    names = {name_in(path, name) for _, path in _guarded() for name in re.findall(r"\{(\w+)\}", path)}
    assert names - OURS - set(BANKWIDE) == set()


def test_nobody_gets_in_without_a_key(target: Target) -> None:
    with httpx.Client(base_url=target.url, timeout=60) as nobody:
        for method, path in _guarded():
            assert _send(nobody, target, method, path).status_code == 401, (method, path)


@pytest.mark.parametrize("role", list(Role))
def test_another_branch_sees_and_changes_nothing(target: Target, servers: Servers, role: Role) -> None:
    before = _state(target)
    with _client(target, servers, role, "hq.bj", "S3") as stranger:
        for method, path in _guarded():
            answer = _send(stranger, target, method, path)
            context = (role, method, path, answer.status_code, answer.text[:400])
            assert answer.status_code < 500, context
            names = {name_in(path, name) for name in re.findall(r"\{(\w+)\}", path)}
            if names & OURS:
                assert answer.status_code >= 400, context
            request = str(answer.request.url) + answer.request.content.decode()
            unsaid = {mark for mark in _marks(target) if mark not in request}
            seen = [mark for mark in unsaid if mark in re.sub(r'"instance":"[^"]*"', "", answer.text)]
            assert seen == [], (*context, seen)
    after = _state(target)
    assert {path for path in before if before[path] != after.get(path)} == set()


def test_somebody_inside_reads_what_nobody_outside_does(target: Target, servers: Servers) -> None:
    """Otherwise the test above would be content with routes that answer nobody."""
    wanted = [
        path
        for method, path in _guarded()
        if method == "get" and "{" in path and not path.endswith("/stream") and path not in NOBODY_READS
    ]
    read: set[str] = set()
    for role in Role:
        for org, staff in (("hq.sh", "S4"), ("hq.sh.pudong", "S1"), ("hq", "S0001")):
            with _client(target, servers, role, org, staff) as client:
                for path in set(wanted) - read:
                    answer = client.get(_paths(target, path), params=_query(target, "get", path))
                    assert answer.status_code < 500, (role, path, answer.text)
                    if answer.status_code == 200:
                        read.add(path)
    assert sorted(set(wanted) - read) == []


def test_roles_that_only_read_change_nothing(target: Target, servers: Servers) -> None:
    """Inside the branch, too: an auditor reads, and that is all."""
    reading = {"customers:resolve", "imports:propose"}
    with _client(target, servers, Role.auditor, "hq", "S0004") as auditor:
        for method, path in _guarded():
            if (
                method == "get"
                or path.removeprefix("/v1/") in reading
                or path.endswith((":check", ":verify"))
            ):
                continue
            answer = _send(auditor, target, method, path)
            assert answer.status_code >= 400, (method, path, answer.status_code, answer.text[:300])
