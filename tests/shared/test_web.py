"""Transactions, problems, versions and pages over a real database."""

import asyncio

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, select, text

from shared.auth import Role
from shared.contracts.base import Timestamp
from shared.db import Outbox
from shared.problems import _in_body
from tests.shared.conftest import Note
from tests.support import Running


async def _outbox_size(probe: Running) -> int:
    async with probe.runtime.db.transaction() as session:
        return int(await session.scalar(select(func.count()).select_from(Outbox)) or 0)


async def test_commits_rows_and_events_before_the_answer(probe: Running) -> None:
    before = await _outbox_size(probe)
    async with probe.client(Role.strategist) as client:
        answer = await client.post("/v1/notes", json={"org": "hq.a", "title": "committed"})
    assert answer.status_code == 201, answer.text
    assert await _outbox_size(probe) == before + 1


async def test_an_error_leaves_nothing_behind_and_says_nothing_it_should_not(probe: Running) -> None:
    before = await _outbox_size(probe)
    async with probe.client(Role.strategist) as client:
        answer = await client.post("/v1/notes", json={"org": "hq.a", "title": "boom"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "13800000000" not in answer.text
    assert answer.json()["type"] == "/problems/internal"
    assert await _outbox_size(probe) == before
    async with probe.runtime.db.transaction() as session:
        assert await session.scalar(select(Note.id).where(Note.title == "boom")) is None


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "status", "type_"),
    [
        ("GET", "/v1/nothing", {}, 404, "/problems/not-found"),
        ("DELETE", "/v1/notes", {}, 405, "/problems/method-not-allowed"),
        (
            "POST",
            "/v1/notes",
            {"content": b"{", "headers": {"content-type": "application/json"}},
            400,
            "/problems/bad-request",
        ),
        ("POST", "/v1/notes", {"json": {"org": "HQ", "extra": 1}}, 422, "/problems/invalid"),
        (
            "POST",
            "/v1/notes",
            {"json": {"org": "hq", "title": "x" * 200_000}},
            413,
            "/problems/too-large",
        ),
        ("GET", "/v1/notes?cursor=rubbish", {}, 400, "/problems/bad-request"),
        ("GET", "/v1/notes?limit=0", {}, 422, "/problems/invalid"),
        ("PATCH", "/v1/notes/1", {"json": {"org": "hq", "title": "x"}}, 428, "/problems/if-match-required"),
        ("GET", "/v1/audit", {}, 403, "/problems/forbidden"),
    ],
)
async def test_every_failure_is_a_problem(
    probe: Running, method: str, path: str, kwargs: dict[str, object], status: int, type_: str
) -> None:
    async with probe.client(Role.strategist) as client:
        answer = await client.request(method, path, **kwargs)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    assert answer.json()["type"] == type_
    assert answer.json()["status"] == status


async def test_validation_names_each_field(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        answer = await client.post("/v1/notes", json={"org": "HQ", "weight": -1})
    pointers = {item["pointer"] for item in answer.json()["errors"]}
    assert pointers == {"/org", "/title", "/weight"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer rubbish"}, {"X-API-Key": "hy_unknown"}])
async def test_nobody_and_unknown_credentials_are_401(probe: Running, headers: dict[str, str]) -> None:
    async with probe.client() as client:
        answer = await client.get("/v1/notes", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/unauthorized"


async def test_unique_violation_is_a_conflict(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        await client.post("/v1/notes", json={"org": "hq", "title": "twice"})
        answer = await client.post("/v1/notes", json={"org": "hq", "title": "twice"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/already-exists")


async def test_stale_version_is_412_and_the_new_one_is_an_etag(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        note = (await client.post("/v1/notes", json={"org": "hq", "title": "versioned"})).json()
        body = {"org": "hq", "title": "renamed"}
        first = await client.patch(f"/v1/notes/{note['id']}", json=body, headers={"If-Match": '"v1"'})
        second = await client.patch(f"/v1/notes/{note['id']}", json=body, headers={"If-Match": '"v1"'})
    assert (first.status_code, first.headers["ETag"]) == (200, '"v2"')
    assert second.status_code == 412


async def test_keyset_pages_cover_everything_once(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        for number in range(7):
            await client.post("/v1/notes", json={"org": "hq.pages", "title": f"page {number}"})
    titles: list[str] = []
    async with probe.client(Role.manager, org="hq.pages") as client:
        cursor = None
        while True:
            page = (
                await client.get("/v1/notes", params={"limit": 3, **({"cursor": cursor} if cursor else {})})
            ).json()
            titles += [item["title"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert titles == [f"page {number}" for number in range(7)]


async def test_row_level_security_hides_other_branches(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        await client.post("/v1/notes", json={"org": "hq.north", "title": "north"})
        await client.post("/v1/notes", json={"org": "hq.northwest", "title": "northwest"})
    async with probe.client(Role.manager, org="hq.north") as client:
        titles = [item["title"] for item in (await client.get("/v1/notes")).json()["items"]]
    assert titles == ["north"]
    async with probe.client(Role.strategist, org="hq.north") as client:
        answer = await client.post("/v1/notes", json={"org": "hq.south", "title": "foreign"})
    assert answer.status_code == 403


async def test_without_a_scope_nothing_shows(probe: Running) -> None:
    session = probe.runtime.db.new_session()
    try:
        assert (await session.execute(select(Note))).first() is None
    finally:
        await session.close()


async def test_a_transaction_that_rests_goes_on_as_the_same_caller(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        for unit in ("east", "eastern"):
            await client.post("/v1/notes", json={"org": f"hq.{unit}", "title": unit})
    unit_of_work = probe.runtime.db.unit_of_work()
    session = await unit_of_work.session("hq.east", "somebody")
    try:
        before = (await session.scalars(select(Note))).one()
        await unit_of_work.rest()
        assert not session.in_transaction()
        assert before.title == "east"
        assert (await session.scalars(select(Note.title))).all() == ["east"]
        async with session.begin_nested():
            assert await session.scalar(text("SELECT current_setting('huanying.actor')")) == "somebody"
    finally:
        await unit_of_work.close()


class TestIdempotencyKey:
    async def test_replays_the_first_answer(self, probe: Running) -> None:
        async with probe.client(Role.strategist) as client:
            send = {"json": {"org": "hq", "title": "once"}, "headers": {"Idempotency-Key": "k1"}}
            first = await client.post("/v1/notes", **send)  # type: ignore[arg-type]
            second = await client.post("/v1/notes", **send)  # type: ignore[arg-type]
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.content == second.content
        assert second.headers["Idempotency-Replayed"] == "true"

    async def test_refuses_another_body(self, probe: Running) -> None:
        async with probe.client(Role.strategist) as client:
            headers = {"Idempotency-Key": "k2"}
            await client.post("/v1/notes", json={"org": "hq", "title": "k2 a"}, headers=headers)
            answer = await client.post("/v1/notes", json={"org": "hq", "title": "k2 b"}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")

    async def test_concurrent_twins_make_one_row(self, probe: Running) -> None:
        async with probe.client(Role.strategist) as client:
            answers = await asyncio.gather(
                *(
                    client.post(
                        "/v1/notes", json={"org": "hq", "title": "twins"}, headers={"Idempotency-Key": "k3"}
                    )
                    for _ in range(6)
                )
            )
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert sum(answer.status_code == 201 for answer in answers) >= 1
        async with probe.runtime.db.transaction() as session:
            titles = (await session.execute(select(Note).where(Note.title == "twins"))).all()
        assert len(titles) == 1

    async def test_a_failed_request_may_be_repeated(self, probe: Running) -> None:
        async with probe.client(Role.strategist) as client:
            headers = {"Idempotency-Key": "k4"}
            bad = await client.post("/v1/notes", json={"org": "hq"}, headers=headers)
            good = await client.post("/v1/notes", json={"org": "hq", "title": "k4"}, headers=headers)
        assert (bad.status_code, good.status_code) == (422, 201)


async def test_health_metrics_and_documents_need_no_principal(probe: Running) -> None:
    async with probe.client() as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 200, ready.text
        assert {check["name"] for check in ready.json()["checks"]} == {
            "database",
            "broker",
            "outbox",
            "feeds",
            "disk",
        }
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert "huanying_http_request_seconds" in (await client.get("/metrics")).text
        docs = await client.get("/docs")
        assert docs.status_code == 200
        assert "//cdn" not in docs.text


async def test_documentation_pages_work_behind_a_prefix(probe: Running) -> None:
    async with probe.client() as client:
        headers = {"X-Forwarded-Prefix": "/api/probe"}
        page = (await client.get("/docs", headers=headers)).text
        script = page.split('src="', 1)[1].split('"', 1)[0]
        assert script.startswith("/api/probe/")
        asset = await client.get(script.removeprefix("/api/probe"), headers=headers)
        odd = await client.get("/healthz", headers={"X-Forwarded-Prefix": "/../../etc"})
    assert asset.status_code == 200
    assert odd.status_code == 200


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"])
def test_times_without_an_equal_in_other_zones_are_refused(text: str) -> None:
    """Converting one of them to the bank's zone would overflow."""
    with pytest.raises(ValidationError):
        TypeAdapter(Timestamp).validate_python(text)
    assert TypeAdapter(Timestamp).validate_python("2026-11-01T00:00:00Z").year == 2026


async def test_a_problem_does_not_grow_with_the_request(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        answer = await client.post("/v1/notes", json={"x" * 20_000: 1, **{f"k{n}": 1 for n in range(5_000)}})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100
    assert max(len(item["pointer"]) for item in answer.json()["errors"]) == 1_000


def test_pointers_leave_out_the_members_of_unions() -> None:
    body = {"check": {"kind": "present", "field": 1}, "items": [{"a": 1}]}
    for location, pointer in (
        (("check", "present", "field"), ["check", "field"]),
        (("check", "present", "missing"), ["check", "missing"]),
        (("items", 0, "a", "int"), ["items", 0, "a"]),
        (("items", 0, "b"), ["items", 0, "b"]),
        (("absent",), ["absent"]),
    ):
        assert _in_body(location, body) == pointer


async def test_what_counts_for_the_whole_bank_is_head_offices(probe: Running) -> None:
    async def answer(*roles: Role, org: str, body: dict[str, str]) -> tuple[int, str | None]:
        async with probe.client(*roles, org=org) as client:
            said = await client.post("/v1/notes:rule", json=body)
        return said.status_code, said.json().get("type")

    note = {"org": "hq.north", "title": "rule"}
    assert await answer(Role.strategist, org="hq", body=note) == (200, None)
    assert await answer(Role.admin, org="hq", body=note) == (200, None)
    for roles in ((Role.strategist,), (Role.admin,), (Role.admin, Role.strategist)):
        # Nobody learns what would be wrong with a request that is not theirs to make.
        for body in (note, {}):
            refused = await answer(*roles, org="hq.north", body=body)
            assert refused == (403, "/problems/head-office-only")
    assert await answer(Role.manager, org="hq", body=note) == (403, "/problems/forbidden")
