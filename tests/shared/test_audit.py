"""The audit chain shows any change; the application cannot make one."""

import asyncio

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from shared.audit import audit, verify
from shared.auth import Principal, Role
from shared.db import Job
from shared.ids import new_id
from tests.support import Running, eventually

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE job%'"
AUDITOR = Principal("user:auditor", frozenset({Role.auditor}), "hq")


async def _append(probe: Running, number: int) -> None:
    async with probe.runtime.db.transaction() as session:
        audit(session, AUDITOR, "test", f"object/{number}", {"number": number, "share": 0.1})


async def test_concurrent_entries_make_one_intact_chain(probe: Running) -> None:
    await asyncio.gather(*(_append(probe, number) for number in range(20)))
    async with probe.client(Role.auditor) as client:
        answer = await client.post("/v1/audit:verify")
    assert answer.json()["intact"], answer.text
    assert answer.json()["entries"] >= 20


async def test_whoever_audited_holds_up_nobody_before_the_commit(probe: Running) -> None:
    async with probe.runtime.db.transaction() as long:
        audit(long, AUDITOR, "test", "object/long")
        async with asyncio.timeout(5):
            await _append(probe, 1)
    async with probe.client(Role.auditor) as client:
        entries = (await client.get("/v1/audit", params={"limit": 2})).json()["items"]
        assert [each["object"] for each in entries] == ["object/long", "object/1"]
        assert (await client.post("/v1/audit:verify")).json()["intact"]


async def test_rows_that_the_commit_writes_are_locked_before_the_chain(probe: Running) -> None:
    """Who holds the row must be able to commit an entry while the other waits for the row."""
    job = Job(id=new_id(), task="test", args={}, principal="user:t", org_path="hq", counts={})
    async with probe.runtime.db.transaction() as session:
        session.add(job)

    async def change() -> None:
        async with probe.runtime.db.transaction() as session:
            found = await session.get_one(Job, job.id)
            found.step = "changed"
            audit(session, AUDITOR, "test", "object/waits")

    async def waits() -> bool:
        async with probe.runtime.db.transaction() as session:
            return bool(await session.scalar(text(_WAITING)))

    async with probe.runtime.db.transaction() as holder:
        await holder.execute(select(Job).where(Job.id == job.id).with_for_update())
        changing = asyncio.create_task(change())
        await eventually(waits, what="the commit")
        audit(holder, AUDITOR, "test", "object/held")
    await changing
    async with probe.client(Role.auditor) as client:
        entries = (await client.get("/v1/audit", params={"limit": 2})).json()["items"]
    assert [each["object"] for each in entries] == ["object/waits", "object/held"]


async def test_what_was_not_committed_is_not_in_the_log(probe: Running) -> None:
    async def fail() -> None:
        async with probe.runtime.db.transaction() as session:
            audit(session, AUDITOR, "test", "object/undone")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await fail()
    async with probe.client(Role.auditor) as client:
        found = await client.get("/v1/audit", params={"object": "object/undone"})
    assert found.json()["items"] == []


async def test_tampering_shows_where(probe: Running) -> None:
    for number in range(5):
        await _append(probe, number)
    async with probe.runtime.db.transaction() as session:
        seq = int(await session.scalar(text("SELECT max(seq) - 2 FROM audit_log")) or 0)
    conninfo = probe.servers.postgres.url("probe", "postgres").replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SET session_replication_role = replica")  # past the append-only trigger
        await connection.execute("UPDATE audit_log SET detail = '{\"number\": 7}' WHERE seq = %s", (seq,))
        await connection.execute("SET session_replication_role = origin")
        await connection.execute("SELECT set_config('huanying.org_scope', '*', false)")
        await connection.commit()
    async with probe.runtime.db.transaction() as session:
        found = await verify(session)
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DELETE FROM audit_log WHERE seq = %s", (seq,))
    async with probe.runtime.db.transaction() as session:
        missing = await verify(session)
    assert (found.broken_at, missing.broken_at) == (seq, seq)


async def test_the_application_cannot_rewrite_history(probe: Running) -> None:
    with pytest.raises(ProgrammingError):
        async with probe.runtime.db.transaction() as session:
            await session.execute(text("UPDATE audit_log SET action = 'x'"))
