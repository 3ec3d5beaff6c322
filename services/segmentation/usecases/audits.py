"""Comparing incremental members with a full evaluation of the same moment."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import duckdb
import structlog
from pyroaring import BitMap

from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.settings import SegmentationSettings
from services.segmentation.store import reading
from services.segmentation.store.agenda import Agenda
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from services.segmentation.usecases.evaluation import take_lead
from services.segmentation.usecases.feed import STREAM, CustomerFeed
from services.segmentation.usecases.passes import EVERYBODY, NOBODY, Seen, evaluate_rules, take_pass
from services.segmentation.usecases.standing import Stand, read_stand
from shared import clock
from shared.contracts.segmentation.audits import AuditView, SegmentAudit
from shared.errors import Conflict, Unavailable
from shared.service import Runtime
from shared.telemetry import SEGMENT_DIFFERENCES

logger = structlog.get_logger()

_SAMPLE = 20
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class _Compared:
    seen: Seen
    size: int
    missing: BitMap
    extra: BitMap


async def audit_members(runtime: Runtime, org: str, key: str | None = None) -> AuditView:
    """Of all segments that passes evaluate, or of one. Raises `Conflict` if passes do not evaluate that one,
    `Unavailable` while this process's store is behind the one that evaluated last.
    """
    stand = await _read_stand(runtime)
    if key is not None and not (key in stand.live and stand.live[key].in_step):
        raise Conflict(f"Passes do not evaluate '{key}': its members are those of its last refresh.")
    await _caught_up(runtime, stand)
    store = runtime.resource(Store)
    compared = await store.run(lambda cursor: _compare(cursor, stand))
    wanted = {each: found for each, found in compared.items() if key in {None, each}}
    segments = await store.run(
        lambda cursor: [_view(cursor, stand, each, found, org) for each, found in wanted.items()]
    )
    seen = next((found.seen for found in compared.values()), Seen(0, clock.now()))
    return AuditView(
        evaluated_at=seen.at,
        applied=seen.applied,
        differences=sum(each.missing + each.extra for each in segments),
        segments=segments,
    )


async def _read_stand(runtime: Runtime) -> Stand:
    """Between two passes, so that members and position belong together."""
    for _ in range(int(_PATIENCE_SECONDS / _PAUSE_SECONDS)):
        async with runtime.db.transaction() as session:
            if await take_lead(session):
                return await read_stand(session)
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Unavailable("An evaluation takes long: try again later.")


async def _caught_up(runtime: Runtime, stand: Stand) -> None:
    feed = runtime.resource(CustomerFeed)
    for _ in range(int(_PATIENCE_SECONDS / _PAUSE_SECONDS)):
        if stand.seen is None or feed.watermark(STREAM) >= stand.seen.applied:
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Unavailable("This process has not caught up with the customers: try again later.")


def _compare(cursor: duckdb.DuckDBPyConnection, stand: Stand) -> dict[str, _Compared]:
    moment = Moment(clock.now(), clock.ZONE)
    standing = stand.standing([])
    agenda = Agenda(STREAM, ahead=timedelta(0))
    passed = take_pass(cursor, standing, {}, stand.catalogue, moment, agenda)
    full = evaluate_rules(cursor, standing.rules, standing.members, stand.catalogue, moment, EVERYBODY)
    return {
        key: _Compared(
            passed.seen,
            len(members),
            members - passed.members[key],
            _known(cursor, passed.members[key] - members),
        )
        for key, members in full.items()
    }


def _known(cursor: duckdb.DuckDBPyConnection, ordinals: BitMap) -> BitMap:
    """Of whom this store has not heard it cannot say that they are no members."""
    return BitMap(reading.customer_ids(cursor, to_array(ordinals))) if ordinals else NOBODY


def _view(
    cursor: duckdb.DuckDBPyConnection, stand: Stand, key: str, found: _Compared, org: str
) -> SegmentAudit:
    segment = stand.live[key].segment
    samples: Mapping[str, list[UUID]] = {
        name: [id_ for _, id_, _ in reading.members_in_scope(cursor, to_array(who), org, _SAMPLE)]
        for name, who in (("missing_sample", found.missing), ("extra_sample", found.extra))
        if who
    }
    return SegmentAudit(
        segment_id=segment.id,
        key=key,
        version=segment.live_version or segment.version,
        size=found.size,
        missing=len(found.missing),
        extra=len(found.extra),
        missing_sample=samples.get("missing_sample", []),
        extra_sample=samples.get("extra_sample", []),
    )


async def keep_audited(runtime: Runtime) -> None:
    """The worker's endless task: says how many members are wrong, and repairs nothing."""
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    while True:
        await asyncio.sleep(settings.audit_every_seconds)
        found = await audit_members(runtime, "hq")
        SEGMENT_DIFFERENCES.set(found.differences)
        wrong = [each.key for each in found.segments if each.missing or each.extra]
        log = logger.error if wrong else logger.info
        log("segments_audited", segments=len(found.segments), differences=found.differences, wrong=wrong)
