"""Keeping what is known of data quality up to date: after changes, on expiries, and when asked to."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.quality import DIMENSIONS
from services.customer.domain.vault import Vault
from services.customer.queries.quality_rules import Judged, RuleSet, judge, rule_set
from services.customer.usecases import quality_statements as sql
from shared import clock
from shared.db import Database, fetch
from shared.jobs import JobRun
from shared.service import Runtime

_CHUNK = 500
_PAUSE_SECONDS = 3.0
_SNAPSHOT_SECONDS = 900.0
_OVERLAP = timedelta(minutes=5)
_OVERLAP_ORDINALS = 10_000
_NOBODY = UUID(int=0)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_ONE_AT_A_TIME = text("SELECT pg_try_advisory_xact_lock(hashtext('huanying.quality'))")


@dataclass
class _Watch:
    """What this process has seen: everything due on `day` by `stamp`, and changes since."""

    day: date | None = None
    stamp: str = ""
    since: datetime = _LONG_AGO
    ordinal: int = 0
    written: float = 0.0
    dirty: bool = False


async def watch_quality(runtime: Runtime) -> None:
    """Judge files that are new or changed within seconds; all that are due after a start, at a new day, and
    when a rule changes. Never busy more than a third of the time.

    Changes are found by version, near the end of `updated_at` and of the ordinals; whatever slips through, as
    a file with an old date, is found at the next day.
    """
    vault, watch = runtime.resource(Vault), _Watch()
    while True:
        begun = time.monotonic()
        await _look(runtime.db, vault, watch)
        await asyncio.sleep(max(_PAUSE_SECONDS, 2 * (time.monotonic() - begun)))


async def _look(db: Database, vault: Vault, watch: _Watch) -> None:
    today, now = clock.today(), clock.now()
    async with db.transaction() as session:
        stamp = (await rule_set(session)).stamp
        newest = (await fetch(session, sql.NEWEST))[0][0] or 0
    if (watch.day, watch.stamp) != (today, stamp):
        await _judge_all_due(db, vault)
        watch.day, watch.stamp, watch.dirty, watch.written = today, stamp, True, 0.0
    else:
        watch.dirty |= await _judge_changed(db, vault, watch) > 0
    watch.since, watch.ordinal = now - _OVERLAP, max(newest - _OVERLAP_ORDINALS, 0)
    if watch.dirty and time.monotonic() - watch.written > _SNAPSHOT_SECONDS:
        async with db.transaction() as session:
            await _snapshot(session)
        watch.dirty, watch.written = False, time.monotonic()


async def _judge_all_due(db: Database, vault: Vault) -> None:
    after = _NOBODY
    while True:
        begun = time.monotonic()
        async with db.transaction() as session:
            if not await session.scalar(_ONE_AT_A_TIME):
                return
            rules = await rule_set(session)
            ids = await _ids(session, sql.DUE_AFTER, rules, after=after)
            await judge_and_keep(session, vault, rules, ids)
            if not ids:
                await fetch(session, sql.PURGE)
                return
        after = ids[-1]
        await asyncio.sleep(2 * (time.monotonic() - begun))


async def _judge_changed(db: Database, vault: Vault, watch: _Watch) -> int:
    async with db.transaction() as session:
        if not await session.scalar(_ONE_AT_A_TIME):
            return 0
        rules = await rule_set(session)
        ids = await _ids(session, sql.CHANGED, rules, since=watch.since, ordinal=watch.ordinal)
        if not ids:
            return 0
        twins = await _twins(session, vault, rules, ids)
        await judge_and_keep(session, vault, rules, twins)
    return len(ids)


async def _ids(session: AsyncSession, statement: str, rules: RuleSet, **more: object) -> list[UUID]:
    parameters = {"stamp": rules.stamp, "today": clock.today(), "size": _CHUNK, **more}
    return [row[0] for row in await fetch(session, statement, parameters)]


async def _twins(session: AsyncSession, vault: Vault, rules: RuleSet, ids: list[UUID]) -> list[UUID]:
    """Judge `ids`; whom else their change concerns: who shares a number with them, or did."""
    by_field = {"id_codes": rules.unique("id_number"), "phone_codes": rules.unique("phone")}
    codes = [code for each in by_field.values() for code in each]
    before = {row[0] for row in await fetch(session, sql.FAILED, {"ids": ids, "codes": codes})}
    judged = await judge_and_keep(session, vault, rules, ids)
    repeated = [each.customer_id for each in judged if not set(codes).isdisjoint(each.assessment.failing)]
    found: set[UUID] = set()
    if repeated:
        found |= {row[0] for row in await fetch(session, sql.TWINS, {"ids": repeated})}
    if before:
        found |= {row[0] for row in await fetch(session, sql.FREED, by_field)}
    return list(found - set(ids))


async def judge_and_keep(
    session: AsyncSession, vault: Vault, rules: RuleSet, ids: Sequence[UUID]
) -> list[Judged]:
    """Results of the active customers are stored, of all others dropped."""
    if not ids:
        return []
    judged = await judge(session, vault, rules, ids)
    await fetch(session, sql.STORE, {**_columns(judged), "rules": rules.stamp, "now": clock.now()})
    gone = set(ids) - {each.customer_id for each in judged}
    await fetch(session, sql.DROP, {"ids": list(gone)})
    return judged


def _columns(judged: Iterable[Judged]) -> dict[str, Any]:
    rows = list(judged)
    scores = {name: [each.assessment.scores[name] for each in rows] for name in (*DIMENSIONS, "score")}
    return {
        **scores,
        "id": [each.customer_id for each in rows],
        "version": [each.version for each in rows],
        "failing": [orjson.dumps(each.assessment.failing).decode() for each in rows],
        "next_check": [each.assessment.next_check for each in rows],
    }


async def _snapshot(session: AsyncSession) -> None:
    """The day so far, for the units this transaction sees."""
    await fetch(session, sql.FORGET_DAY, {"day": clock.today()})
    await fetch(session, sql.SNAPSHOT, {"day": clock.today()})


async def run_quality(job: JobRun) -> dict[str, Any]:
    """Every customer of the organisation that asked, whatever was known before."""
    scope = "*" if job.args["org"] == "hq" else job.args["org"]
    vault, after, done = job.runtime.resource(Vault), _NOBODY, 0
    async with job.runtime.db.transaction(scope) as session:
        total = (await fetch(session, sql.TOTAL))[0][0]
    while True:
        async with job.runtime.db.transaction(scope, actor=job.principal) as session:
            rules = await rule_set(session)
            rows = await fetch(session, sql.EVERY, {"after": after, "size": _CHUNK})
            await judge_and_keep(session, vault, rules, [row[0] for row in rows])
        if not rows:
            break
        after, done = rows[-1][0], done + len(rows)
        await job.progress(done / max(total, done), f"customer {done}", {"customers": done})
    async with job.runtime.db.transaction(scope, actor=job.principal) as session:
        await _snapshot(session)
    return {"customers": done}
