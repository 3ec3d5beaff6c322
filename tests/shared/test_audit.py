"""The audit chain shows any change; the application cannot make one."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from shared.audit import audit, verify
from shared.auth import Principal, Role
from tests.support import Running

AUDITOR = Principal("user:auditor", frozenset({Role.auditor}), "hq")


async def _append(probe: Running, number: int) -> None:
    async with probe.runtime.db.transaction() as session:
        await audit(session, AUDITOR, "test", f"object/{number}", {"number": number, "share": 0.1})


async def test_concurrent_entries_make_one_intact_chain(probe: Running) -> None:
    await asyncio.gather(*(_append(probe, number) for number in range(20)))
    async with probe.client(Role.auditor) as client:
        answer = await client.post("/v1/audit:verify")
    assert answer.json()["intact"], answer.text
    assert answer.json()["entries"] >= 20


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
