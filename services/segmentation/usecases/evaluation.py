"""Keeping live segments evaluated: passes for who is touched, shadows for new versions.

A pass reads the store first and writes PostgreSQL after, in one transaction; a crash between the two loses
nothing, because the next pass goes on from where the last one that committed stands.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import duckdb
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.kept_members import Kept
from services.segmentation.settings import SegmentationSettings
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from services.segmentation.usecases.differences import (
    News,
    differences,
    outside_changes,
    read_news,
    without,
)
from services.segmentation.usecases.engine import Engine, Memory, language_of
from services.segmentation.usecases.membership import (
    CAUSES,
    Cause,
    Change,
    forget_unseen,
    lock_live,
    mark_evaluated,
    write_changes,
)
from services.segmentation.usecases.passes import NOBODY, Pass, Shadow, make_shadow, take_pass
from services.segmentation.usecases.standing import Stand, read_stand
from shared import clock
from shared.db import fetch
from shared.ids import new_id
from shared.service import Runtime

_LEADER = "SELECT pg_try_advisory_xact_lock(hashtext('segmentation.evaluate'))"
_NOTE_STATE = """
INSERT INTO evaluation_state (id, applied, evaluated_at, run_id, language)
VALUES (%(id)s, %(applied)s, %(at)s, %(run_id)s, %(language)s)
ON CONFLICT (id) DO UPDATE SET applied = excluded.applied, evaluated_at = excluded.evaluated_at,
  run_id = excluded.run_id, language = excluded.language
"""
_STATE_ROW = 1
_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class Evaluated:
    """What one pass did. `skipped` says why it did nothing."""

    segments: int = 0
    changed: int = 0
    touched: int | None = 0
    """Customers looked at; `None` for all of them."""
    skipped: str | None = None
    again: bool = False
    """It was skipped for a reason that passes."""
    waiting: bool = False
    """There are segments to be evaluated for everybody: `backfill`."""


async def evaluate(runtime: Runtime, shadows: Mapping[str, Shadow] | None = None) -> Evaluated:
    """One pass: brings the segments in step with the last one to now, and takes over `shadows`.

    One process at a time does this, the others are `skipped`.
    """
    engine = runtime.resource(Engine)
    async with engine.passing:
        async with runtime.db.transaction() as session:
            if not await take_lead(session):
                return Evaluated(skipped="another process evaluates", again=True)
            stand = await read_stand(session, engine)
            current = {key: each for key, each in (shadows or {}).items() if stand.takes(key, each)}
            with runtime.resource(Store).read() as cursor:
                done, memory = await _pass(session, cursor, engine, stand, current)
        # Committed: only now is it what the next pass may go on from.
        engine.memory = memory or engine.memory
    return replace(done, waiting=bool(stand.waiting(_rank_every(runtime)) - current.keys()))


async def take_lead(session: AsyncSession) -> bool:
    """Nobody else evaluates until the transaction ends."""
    return (await fetch(session, _LEADER)) == [(True,)]


async def backfill(runtime: Runtime, only: Collection[UUID] = ()) -> Evaluated:
    """Evaluates for everybody what waits for it, and `only`, beside the passes; then one of them takes over.

    Until then the members are those of the version before. Interrupted, nothing has changed.
    """
    engine, store = runtime.resource(Engine), runtime.resource(Store)
    async with engine.filling:
        async with runtime.db.transaction() as session:
            stand = await read_stand(session)
        keys = stand.waiting(_rank_every(runtime))
        keys |= {key for key, each in stand.live.items() if each.segment.id in only}
        if not keys:
            return Evaluated(skipped="nothing to evaluate")
        rules = {key: stand.live[key].rule for key in sorted(keys)}
        members = {key: stand.members(key) for key in stand.ids}
        moment = Moment(clock.now(), clock.ZONE)
        shadows = await store.run(lambda cursor: make_shadow(cursor, rules, members, stand.catalogue, moment))
        while (done := await evaluate(runtime, shadows)).again:  # noqa: ASYNC110 - another process must end
            await asyncio.sleep(_AGAIN_SECONDS)
        return done


async def _pass(
    session: AsyncSession,
    cursor: duckdb.DuckDBPyConnection,
    engine: Engine,
    stand: Stand,
    shadows: Mapping[str, Shadow],
) -> tuple[Evaluated, Memory | None]:
    asked = {key: shadow for key, shadow in shadows.items() if not stand.live[key].incremental}
    inside = {key: shadow for key, shadow in shadows.items() if key not in asked}
    news, looked = await asyncio.to_thread(_look_if_same, cursor, engine, stand, inside, settle=bool(asked))
    if news.behind(stand.seen):
        skipped = "this store is behind the one that evaluated last"
        return Evaluated(skipped=skipped, again=True), None
    outside = await outside_changes(session, stand, asked, inside.keys(), news)
    if looked is None:
        looked = await asyncio.to_thread(_look, cursor, engine, stand, inside, outside)
    found, ids, unknown = looked
    changes = [without(unknown, each) for each in outside]
    changes += differences(stand, inside.keys(), found, unknown)
    memory = await _write(session, stand, found, changes, ids, asked)
    looked_at = None if found.touched.everybody else len(found.touched.ordinals)
    changed = len({change.segment.id for change in changes if change.is_news})
    return Evaluated(len(found.members) + len(asked), changed, looked_at), memory


_Looked = tuple[Pass, dict[int, UUID], BitMap]


def _look_if_same(
    cursor: duckdb.DuckDBPyConnection,
    engine: Engine,
    stand: Stand,
    shadows: Mapping[str, Shadow],
    *,
    settle: bool,
) -> tuple[News, _Looked | None]:
    """In one go as long as customers are who they were, which is nearly always: nothing outside changes."""
    news = read_news(cursor, stand.seen, settle=settle)
    if news.behind(stand.seen) or news.gone is not None:
        return news, None
    return news, _look(cursor, engine, stand, shadows, [])


def _look(
    cursor: duckdb.DuckDBPyConnection,
    engine: Engine,
    stand: Stand,
    shadows: Mapping[str, Shadow],
    outside: Sequence[Change],
) -> _Looked:
    moment = Moment(clock.now(), clock.ZONE)
    found = take_pass(cursor, stand.standing(outside), shadows, stand.catalogue, moment, engine.agenda)
    return found, *_ids_of_moved(cursor, stand, found, outside)


def _ids_of_moved(
    cursor: duckdb.DuckDBPyConnection, stand: Stand, found: Pass, outside: Sequence[Change]
) -> tuple[dict[int, UUID], BitMap]:
    """Ids of all who moved, and who cannot have moved: customers that the store has not heard of."""
    moved = [stand.members(key) ^ after for key, after in found.members.items()]
    moved += [change.before ^ change.after for change in outside]
    everybody = BitMap.union(NOBODY, *moved)
    ids = reading.customer_ids(cursor, to_array(everybody)) if everybody else {}
    return ids, everybody - BitMap(ids)


async def _write(
    session: AsyncSession,
    stand: Stand,
    found: Pass,
    changes: Sequence[Change],
    ids: Mapping[int, UUID],
    asked: Mapping[str, Shadow],
) -> Memory:
    at, run_id = found.seen.at, new_id()
    evaluated = [stand.live[key].segment for key in found.members]
    current = await lock_live(session, [*evaluated, *(change.segment for change in changes)])
    by_cause: dict[Cause, list[Change]] = {}
    for change in changes:
        if change.segment.id in current:
            by_cause.setdefault(change.cause, []).append(change)
            if (shadow := asked.get(change.segment.key)) is not None:
                # Not in step with the pass: it stands where it was evaluated.
                await mark_evaluated(session, [change], shadow.seen.at)
    for cause in (each for each in CAUSES if each in by_cause):
        await write_changes(session, by_cause[cause], ids, at, run_id if cause == "events" else new_id())
    kept = _kept_after(stand, found, changes)
    stood = [
        Change(segment, kept[segment.id].members, kept[segment.id].members, "events")
        for segment in evaluated
        if segment.id in current
    ]
    await mark_evaluated(session, stood, at)
    await forget_unseen(session, stand.unseen_rows)
    await _note_state(session, found, run_id, language_of(stand.catalogue))
    return Memory(run_id, found.seen, kept)


def _kept_after(stand: Stand, found: Pass, changes: Sequence[Change]) -> dict[UUID, Kept]:
    """Members of the segments that the pass evaluated, as readers of the database find them now."""
    kept = {}
    for key in found.members:
        live = stand.live[key]
        version = live.segment.live_version or live.segment.version
        kept[live.segment.id] = replace(
            stand.kept.get(live.segment.id, Kept(version, NOBODY, None)), version=version
        )
    for change in changes:
        if (before := kept.get(change.segment.id)) is not None:
            deltas = 0 if change.fold else before.deltas + 1
            kept[change.segment.id] = Kept(change.version, change.after, change.evaluated, deltas)
    return kept


async def _note_state(session: AsyncSession, found: Pass, run_id: UUID, language: str) -> None:
    values = {"applied": found.seen.applied, "at": found.seen.at, "run_id": run_id, "language": language}
    await fetch(session, _NOTE_STATE, {"id": _STATE_ROW, **values})


def _rank_every(runtime: Runtime) -> timedelta:
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    return timedelta(seconds=settings.rank_every_seconds)
