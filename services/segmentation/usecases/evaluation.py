"""Evaluating the live segments: one query, bitmaps, differences, one transaction.

The store is read first and PostgreSQL written after; a crash between the two loses nothing,
because the next pass computes the same difference again.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from pyroaring import BitMap
from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.references import evaluation_order
from services.segmentation.domain.rules.tree import Rule, segment_keys
from services.segmentation.models import EvaluationState, Membership, Segment, SegmentVersion
from services.segmentation.queries.memberships import members_by_key
from services.segmentation.settings import SegmentationSettings
from services.segmentation.store import families, reading
from services.segmentation.store.bitmaps import from_mask, to_array
from services.segmentation.store.store import Store, position
from services.segmentation.usecases.feed import STREAM, CustomerFeed
from services.segmentation.usecases.membership import Change, save_changes, settled
from shared import clock
from shared.contracts.segmentation import Refresh, SegmentKind, SegmentState
from shared.ids import new_id
from shared.service import Runtime

logger = structlog.get_logger()

Cause = Literal["events", "edit", "full"]
_NOBODY = BitMap()
_LEADER = text("SELECT pg_try_advisory_xact_lock(hashtext('segmentation.evaluate'))")
_STATE_ROW = 1


@dataclass(frozen=True)
class Evaluated:
    """What one pass did. `skipped` says why it did nothing."""

    segments: int = 0
    changed: int = 0
    seconds: float = 0.0
    skipped: str | None = None
    again: bool = False
    """It was skipped for a reason that passes."""


@dataclass(frozen=True)
class Pass:
    """What a pass over the store found: members by segment key, ids of those who moved.

    `regrouped`: whom merges touched since the last pass. `gone`: who belongs to no segment any more, if
    anybody was merged, separated or erased since; otherwise `None`.
    """

    applied: int
    members: Mapping[str, BitMap]
    ids: Mapping[int, UUID]
    regrouped: BitMap
    gone: families.Gone | None


async def evaluate(runtime: Runtime, cause: Cause, only: Collection[UUID] = ()) -> Evaluated:
    """Brings the members of live rule segments up to date with the store.

    All with `refresh: realtime`, those whose published version was not evaluated yet, and
    `only`. One process at a time does this, the others are `skipped`.
    """
    started = time.perf_counter()
    moment = Moment(clock.now(), clock.ZONE)
    async with runtime.db.transaction() as session:
        if not await session.scalar(_LEADER):
            return Evaluated(skipped="another process evaluates", again=True)
        due = await _due(session, only)
        since = await session.scalar(select(EvaluationState.applied)) or 0
        rules = {segment.key: stored_rule(sql) for segment, sql in due}
        referred = {key for rule in rules.values() for key in segment_keys(rule)}
        before = await members_by_key(session, rules.keys() | referred)
        store = runtime.resource(Store)
        found = await asyncio.to_thread(evaluate_rules, store, rules, before, moment, since)
        if not due and found.gone is None:
            return Evaluated(skipped="nothing to evaluate")
        if not await _advance(session, found.applied, moment.at):
            return Evaluated(skipped="this store is behind the one that evaluated last", again=True)
        facts, merges = _by_cause([segment for segment, _ in due], before, found, cause)
        changed = await save_changes(session, facts, found.ids, moment.at, new_id())
        merges += await _resettled(session, rules.keys(), found.gone)
        ids = await store.run(lambda cursor: reading.customer_ids(cursor, _moved(merges)))
        changed |= await save_changes(session, merges, ids, moment.at, new_id())
    return Evaluated(len(due), len(changed), time.perf_counter() - started)


def _by_cause(
    segments: Sequence[Segment], before: Mapping[str, BitMap], found: Pass, cause: Cause
) -> tuple[list[Change], list[Change]]:
    """The changes in two steps: what facts did, then what merges and separations did."""
    facts, merges = [], []
    for segment in segments:
        old, new = before[segment.key], found.members[segment.key]
        known = segment.evaluated_version == segment.live_version
        regrouped = (old ^ new) & found.regrouped if known else _NOBODY
        between = new ^ regrouped
        facts.append(Change(segment, old, between, cause))
        if regrouped:
            merges.append(Change(segment, between, new, "merge"))
    return facts, merges


async def _resettled(
    session: AsyncSession, evaluated: Collection[str], gone: families.Gone | None
) -> list[Change]:
    """Segments that this pass did not evaluate lose who was merged, and get back who was separated."""
    if gone is None:
        return []
    rows = await session.execute(
        select(Segment, Membership)
        .join(Membership, Membership.segment_id == Segment.id)
        .where(Segment.state == SegmentState.live, Segment.key.not_in(evaluated))
        .order_by(Segment.key)
    )
    changes = []
    for segment, stored in rows:
        before = BitMap.deserialize(stored.members)
        evaluated_then = BitMap.deserialize(stored.evaluated or stored.members)
        change = settled(segment, before, evaluated_then, gone, "merge")
        if change.after != before:
            changes.append(change)
    return changes


def _moved(changes: Sequence[Change]) -> NDArray[np.uint32]:
    return to_array(BitMap.union(_NOBODY, *(change.before ^ change.after for change in changes)))


async def _due(session: AsyncSession, only: Collection[UUID]) -> list[tuple[Segment, str]]:
    rows = await session.execute(
        select(Segment, SegmentVersion.sql)
        .join(
            SegmentVersion,
            (SegmentVersion.segment_id == Segment.id) & (SegmentVersion.version == Segment.live_version),
        )
        .where(
            Segment.state == SegmentState.live,
            Segment.kind == SegmentKind.rule,
            or_(
                Segment.refresh == Refresh.realtime,
                Segment.evaluated_version.is_distinct_from(Segment.live_version),
                Segment.id.in_(list(only)),
            ),
        )
        .order_by(Segment.key)
    )
    return [(segment, sql) for segment, sql in rows if sql is not None]


def evaluate_rules(
    store: Store, rules: Mapping[str, Rule], before: Mapping[str, BitMap], moment: Moment, since: int = 0
) -> Pass:
    """One query for all rules at one moment of the store. `since`: stream position of the last pass."""
    compiler = Compiler(BUILT_IN, moment)
    order = evaluation_order({key: segment_keys(rule) for key, rule in rules.items()})
    for number, key in enumerate(order):
        compiler.add_rule(f"s{number}", rules[key], segment=key)
    query = compiler.query()
    with store.read() as cursor:
        columns = reading.columns(cursor, query, before.__getitem__)
        size = reading.highest_ordinal(cursor) + 1
        ordinals = np.asarray(columns["ordinal"]).astype(np.uint32)
        members = {
            key: from_mask(ordinals, reading.holds(columns[f"s{number}"]), size)
            for number, key in enumerate(order)
        }
        moved = BitMap()
        for key in order:
            moved |= members[key] ^ before[key]
        ids = reading.customer_ids(cursor, to_array(moved))
        applied = position(cursor, STREAM) or 0
        regrouped = families.regrouped_since(cursor, since)
        news = bool(regrouped or families.erased_since(cursor, since))
        gone = families.gone(cursor) if news else None
    # Customers this store has not heard of stay what they were: it cannot say that they left.
    unknown = moved - BitMap(ids)
    if unknown:
        logger.warning("members_unknown", customers=len(unknown))
        members = {key: found | (before[key] & unknown) for key, found in members.items()}
    return Pass(applied, members, ids, regrouped, gone)


async def _advance(session: AsyncSession, applied: int, at: datetime) -> bool:
    """Notes the pass; `False` if another process has evaluated facts this store does not have yet."""
    statement = insert(EvaluationState).values(id=_STATE_ROW, applied=applied, evaluated_at=at)
    noted = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=[EvaluationState.id],
            set_={"applied": applied, "evaluated_at": at},
            where=EvaluationState.applied <= applied,
        ).returning(EvaluationState.id)
    )
    return noted is not None


async def keep_evaluated(runtime: Runtime) -> None:
    """The worker's endless task: evaluate soon after facts arrived, and when time alone has passed."""
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    feed = runtime.resource(CustomerFeed)
    while True:
        if feed.filled:
            feed.changed.clear()
            done = await evaluate(runtime, "events")
            if done.changed:
                logger.info("segments_evaluated", segments=done.segments, changed=done.changed)
            # A pass that takes long leaves the machine to others in between.
            await asyncio.sleep(max(settings.evaluate_after_seconds, done.seconds))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.evaluate_every_seconds):
                await feed.changed.wait()
        await asyncio.sleep(settings.evaluate_after_seconds)
