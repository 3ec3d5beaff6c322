"""Declaring target profiles, and looking whether we stay with them."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import pointer_of, read_definition, stored_rule
from services.segmentation.domain.drift import Point
from services.segmentation.domain.rules.references import check_references
from services.segmentation.domain.rules.text import digest, to_sql
from services.segmentation.domain.rules.tree import Rule, segment_keys
from services.segmentation.models import TargetAlert, TargetProfile, TargetVersion
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.segments import references
from services.segmentation.queries.targets import (
    Drift,
    DriftQuestion,
    alert_view,
    declared,
    drift_of,
    drift_question,
)
from services.segmentation.settings import SegmentationSettings
from services.segmentation.store.store import Store
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import LocalText
from shared.contracts.conditions import SegmentDefinition
from shared.contracts.events import DriftedShare, TargetDriftDetected
from shared.contracts.segmentation.targets import (
    DriftMeasure,
    TargetCheck,
    TargetProfileCreate,
    TargetProfilePatch,
    Tolerances,
)
from shared.errors import Conflict, FieldError, Forbidden, ProblemError, Unprocessable
from shared.ids import new_id
from shared.outbox import emit
from shared.service import Runtime

logger = structlog.get_logger()

_SYSTEM = Principal(id="system:segmentation", roles=frozenset(), org="hq", name="segmentation")
_MONTHS = 4
"""The present month, the last two that may speak together, and one whose facts may have come late."""
# No segment can have this key: a profile is referred to by none.
_NO_KEY = ""


async def declare(session: AsyncSession, principal: Principal, wanted: TargetProfileCreate) -> TargetProfile:
    """Version 1. Raises `RuleError` for a bad rule, `Forbidden` for a unit that is not the caller's."""
    if not principal.covers(wanted.org):
        raise Forbidden(
            f"{wanted.org} is not in your organisation.", errors=[FieldError("/org", "is not yours")]
        )
    rule = await _checked(session, wanted.definition)
    now = clock.now()
    profile = TargetProfile(
        id=new_id(),
        org_path=wanted.org,
        name=wanted.name.model_dump(),
        rationale=wanted.rationale,
        version=1,
        valid_from=wanted.valid_from,
        valid_until=wanted.valid_until,
        revision=1,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    session.add(profile)
    await session.flush()
    _add_version(session, profile, rule, wanted.tolerances, principal)
    await session.flush()
    detail = {"sql": to_sql(rule)}
    audit(session, principal, "declare", f"target-profile/{profile.id}", detail, org_path=wanted.org)
    return profile


async def change(
    session: AsyncSession, principal: Principal, profile: TargetProfile, wanted: TargetProfilePatch
) -> None:
    """Another rule or other tolerances make a new version; what was declared before stays readable."""
    given = wanted.model_fields_set
    if wanted.name is not None:
        profile.name = wanted.name.model_dump()
    if wanted.rationale is not None:
        profile.rationale = wanted.rationale
    if wanted.valid_from is not None:
        profile.valid_from = wanted.valid_from
    if "valid_until" in given:
        profile.valid_until = wanted.valid_until
    if profile.valid_until is not None and profile.valid_until < profile.valid_from:
        detail = "valid_until is before valid_from"
        raise Unprocessable(detail, errors=[FieldError("/valid_until", detail)])
    await _declare_anew(session, principal, profile, wanted)
    profile.revision += 1
    profile.updated_at = clock.now()
    await session.flush()
    said = {"fields": sorted(given), "version": profile.version}
    path = profile.org_path
    audit(session, principal, "change", f"target-profile/{profile.id}", said, org_path=path)


async def _declare_anew(
    session: AsyncSession, principal: Principal, profile: TargetProfile, wanted: TargetProfilePatch
) -> None:
    version = await declared(session, profile)
    present = Tolerances.model_validate(version.tolerances)
    tolerances = wanted.tolerances or present
    rule = await _checked(session, wanted.definition) if wanted.definition is not None else None
    if tolerances == present and (rule is None or digest(rule) == version.digest):
        return
    profile.version += 1
    _add_version(session, profile, rule or stored_rule(version.sql), tolerances, principal)


async def _checked(session: AsyncSession, definition: SegmentDefinition) -> Rule:
    rule = read_definition(definition, await load_catalogue(session))
    check_references(_NO_KEY, segment_keys(rule), await references(session), pointer_of(definition))
    return rule


def _add_version(
    session: AsyncSession, profile: TargetProfile, rule: Rule, tolerances: Tolerances, principal: Principal
) -> None:
    session.add(
        TargetVersion(
            profile_id=profile.id,
            version=profile.version,
            sql=to_sql(rule),
            digest=digest(rule),
            tolerances=tolerances.model_dump(),
            created_by=principal.id,
            created_at=clock.now(),
        )
    )


async def to_check(session: AsyncSession, profile: TargetProfile) -> DriftQuestion:
    """About the months that are over, of the profile's unit and those directly below it."""
    return await drift_question(session, await declared(session, profile), profile.org_path, _MONTHS)


async def check(
    session: AsyncSession, principal: Principal, profile: TargetProfile, asked: DriftQuestion, drift: Drift
) -> TargetCheck:
    """Tells of each unit and month, of those that ended while the profile was valid, at most once. Raises
    `Conflict` if another version was declared since it was `asked`. `profile` is locked.
    """
    tolerances = asked.tolerances
    if profile.version != asked.version:
        raise Conflict("The profile was changed while it was looked at: check it again.")
    found = _alarming(drift, tolerances, profile)
    alerts = [await _alert(session, profile, where, shares, drift.now) for where, shares in found.items()]
    new = [alert for alert in alerts if alert is not None]
    profile.checked_at = drift.now
    await session.flush()
    await emit(session, *(_told(profile, alert) for alert in new))
    detail = {"alerts": len(new), "version": asked.version}
    path = profile.org_path
    audit(session, principal, "check", f"target-profile/{profile.id}", detail, org_path=path)
    return TargetCheck(
        profile_id=profile.id,
        checked_at=drift.now,
        judged=sum(
            point.judged and getattr(tolerances, measure) is not None
            for (_, measure), points in drift.series.items()
            for point in points
        ),
        alerts=[alert_view(alert) for alert in new],
    )


def _alarming(
    drift: Drift, tolerances: Tolerances, profile: TargetProfile
) -> Mapping[tuple[str, date], list[dict[str, Any]]]:
    """What speaks against a unit and month, by both."""
    found: dict[tuple[str, date], list[dict[str, Any]]] = defaultdict(list)
    for (unit, measure), points in sorted(drift.series.items()):
        for point in points:
            if point.evidence is not None and _valid(profile, point):
                share = _share(point, measure, getattr(tolerances, measure))
                found[unit, point.period.first].append(share.model_dump(mode="json"))
    return found


def _valid(profile: TargetProfile, point: Point) -> bool:
    last = point.period.stop.astimezone(clock.ZONE).date()
    begun = profile.valid_from < last
    return begun and (profile.valid_until is None or point.period.first <= profile.valid_until)


def _share(point: Point, measure: DriftMeasure, tolerance: float) -> DriftedShare:
    low, high = point.sums.interval or (0.0, 1.0)
    return DriftedShare(
        measure=measure.value,
        share=point.sums.share or 0.0,
        low=low,
        high=high,
        tolerance=tolerance,
        evidence=point.evidence or "interval",
    )


async def _alert(
    session: AsyncSession,
    profile: TargetProfile,
    where: tuple[str, date],
    shares: list[dict[str, Any]],
    now: datetime,
) -> TargetAlert | None:
    """The stored alert; nothing when this unit was told of this month before."""
    unit, period = where
    stored: TargetAlert | None = await session.scalar(
        insert(TargetAlert)
        .values(
            id=new_id(),
            profile_id=profile.id,
            version=profile.version,
            org_path=unit,
            period=period,
            shares=shares,
            detected_at=now,
        )
        .on_conflict_do_nothing(
            index_elements=[TargetAlert.profile_id, TargetAlert.org_path, TargetAlert.period]
        )
        .returning(TargetAlert)
    )
    return stored


def _told(profile: TargetProfile, alert: TargetAlert) -> TargetDriftDetected:
    return TargetDriftDetected(
        profile_id=profile.id,
        version=alert.version,
        name=LocalText.model_validate(profile.name),
        org=alert.org_path,
        period=alert.period,
        shares=[DriftedShare.model_validate(share) for share in alert.shares],
        detected_at=alert.detected_at,
    )


async def keep_checking(runtime: Runtime) -> None:
    """The worker's endless task: every valid profile once a business day."""
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    while True:
        await check_due(runtime)
        await asyncio.sleep(settings.look_for_drift_every_seconds)


async def check_due(runtime: Runtime) -> int:
    """Checks the profiles that nobody has checked today, one after another."""
    async with runtime.db.transaction() as session:
        due = (await session.scalars(_due().order_by(TargetProfile.id))).all()
    done = 0
    for each in due:
        try:
            found = await _check_one(runtime, each.id)
        except ProblemError as problem:
            logger.warning("target_not_checked", profile=str(each.id), problem=problem.detail)
            continue
        if found is not None:
            done += 1
            logger.info("target_checked", profile=str(each.id), alerts=len(found.alerts))
    return done


async def _check_one(runtime: Runtime, profile_id: UUID) -> TargetCheck | None:
    """Nothing if another worker was faster."""
    one = _due().where(TargetProfile.id == profile_id)
    async with runtime.db.transaction() as session:
        profile = await session.scalar(one)
        asked = await to_check(session, profile) if profile is not None else None
    if asked is None:
        return None
    drift = await drift_of(runtime.resource(Store), asked)
    async with runtime.db.transaction() as session:
        profile = await session.scalar(one.with_for_update())
        return await check(session, _SYSTEM, profile, asked, drift) if profile is not None else None


def _due() -> Select[TargetProfile]:
    today = clock.today()
    midnight = datetime.combine(today, datetime.min.time(), clock.ZONE)
    return select(TargetProfile).where(
        TargetProfile.valid_from <= today,
        or_(TargetProfile.valid_until.is_(None), TargetProfile.valid_until >= today),
        or_(TargetProfile.checked_at.is_(None), TargetProfile.checked_at < midnight),
    )
