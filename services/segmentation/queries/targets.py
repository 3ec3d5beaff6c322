"""Target profiles as rows: find one, list them, show them; their drift computed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.drift import Period, Point, Sums, judge, months
from services.segmentation.domain.rules.json_text import to_condition
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import TargetAlert, TargetProfile, TargetVersion
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.past_members import members_back
from services.segmentation.queries.target_shares import Found, Judged, monthly_shares
from services.segmentation.store.store import Store, position
from shared import clock
from shared.auth import Principal
from shared.contracts.base import LocalText
from shared.contracts.events import CustomersChanged
from shared.contracts.segmentation import DefinitionView
from shared.contracts.segmentation.targets import (
    AlertedShare,
    DriftMeasure,
    DriftPoint,
    DriftSeries,
    Evidence,
    TargetProfileView,
    TargetVersionView,
    Tolerances,
)
from shared.contracts.segmentation.targets import TargetAlert as AlertView
from shared.errors import NotFound
from shared.topology import stream_of

STREAM = stream_of(CustomersChanged)


async def declared(session: AsyncSession, profile: TargetProfile) -> TargetVersion:
    """The newest version: the one that counts."""
    return await session.get_one(TargetVersion, (profile.id, profile.version))


def profiles_with_version() -> Select[Any]:
    """Each profile with its newest version and the number of alerts."""
    alerts = (
        select(func.count())
        .where(TargetAlert.profile_id == TargetProfile.id)
        .correlate(TargetProfile)
        .scalar_subquery()
    )
    statement = select(TargetProfile, TargetVersion, alerts).join(
        TargetVersion,
        (TargetVersion.profile_id == TargetProfile.id) & (TargetVersion.version == TargetProfile.version),
    )
    return cast("Select[Any]", statement)


async def show_profile(session: AsyncSession, profile: TargetProfile) -> TargetProfileView:
    rows = await session.execute(profiles_with_version().where(TargetProfile.id == profile.id))
    return profile_row(rows.one())


def profile_row(row: Any) -> TargetProfileView:
    profile, version, alerts = row[:3]
    return TargetProfileView(
        id=profile.id,
        name=LocalText.model_validate(profile.name),
        rationale=profile.rationale,
        org=profile.org_path,
        version=profile.version,
        revision=profile.revision,
        definition=rule_view(version.sql),
        tolerances=Tolerances.model_validate(version.tolerances),
        valid_from=profile.valid_from,
        valid_until=profile.valid_until,
        checked_at=profile.checked_at,
        alerts=alerts,
        created_by=profile.created_by,
        created_at=profile.created_at,
        updated_at=profile.updated_at,
    )


def rule_view(sql: str) -> DefinitionView:
    return DefinitionView(sql=sql, tree=to_condition(stored_rule(sql)))


def version_row(row: Any) -> TargetVersionView:
    version: TargetVersion = row[0]
    return TargetVersionView(
        version=version.version,
        definition=rule_view(version.sql),
        tolerances=Tolerances.model_validate(version.tolerances),
        created_by=version.created_by,
        created_at=version.created_at,
    )


def alert_view(alert: TargetAlert) -> AlertView:
    return AlertView(
        id=alert.id,
        profile_id=alert.profile_id,
        version=alert.version,
        org=alert.org_path,
        period=alert.period,
        shares=[AlertedShare.model_validate(share) for share in alert.shares],
        detected_at=alert.detected_at,
    )


class Drift:
    """The judged months of a profile's units at one moment of the store."""

    def __init__(
        self, found: Found, periods: list[Period], tolerances: Tolerances, now: datetime, stream_position: int
    ) -> None:
        self.found = found
        self.now = now
        self.stream_position = stream_position
        self.series = {
            (unit, measure): judge(
                self._points(sums, periods, found.since(measure)),
                cast("float | None", getattr(tolerances, measure)),
            )
            for (unit, measure), sums in found.shares.items()
        }

    def _points(self, sums: Iterable[Sums], periods: list[Period], since: date | None) -> list[Point]:
        return [
            Point(period, each, period.complete(self.now), since is None or since <= period.first)
            for period, each in zip(periods, sums, strict=True)
        ]


@dataclass(frozen=True)
class DriftQuestion:
    """Whether a unit and those below it wander off: all that the store is asked with."""

    version: int
    judged: Judged
    periods: list[Period]
    tolerances: Tolerances
    org: str
    now: datetime


async def drift_question(
    session: AsyncSession, version: TargetVersion, org: str, count: int
) -> DriftQuestion:
    """The last `count` calendar months, the present one among them, of `org` and the units below it."""
    now = clock.now()
    periods = months(now, clock.ZONE, count)
    rule = stored_rule(version.sql)
    members = await members_back(session, segment_keys(rule), [min(each.stop, now) for each in periods])
    judged = Judged(rule, await load_catalogue(session), members)
    tolerances = Tolerances.model_validate(version.tolerances)
    return DriftQuestion(version.version, judged, periods, tolerances, org, now)


async def drift_of(store: Store, asked: DriftQuestion) -> Drift:
    """Takes seconds of a large bank: end the transaction before."""
    found, applied = await store.run(
        lambda cursor: (
            monthly_shares(cursor, asked.judged, asked.periods, asked.org, asked.now),
            position(cursor, STREAM) or 0,
        )
    )
    return Drift(found, asked.periods, asked.tolerances, asked.now, applied)


def drift_series(drift: Drift, tolerances: Tolerances, org: str) -> list[DriftSeries]:
    """The unit itself first."""
    order = sorted(drift.series, key=lambda key: (key[0] != org, key[0], list(DriftMeasure).index(key[1])))
    return [
        DriftSeries(
            org=unit,
            measure=measure,
            tolerance=getattr(tolerances, measure),
            points=[_point_view(point) for point in drift.series[unit, measure]],
        )
        for unit, measure in order
    ]


def _point_view(point: Point) -> DriftPoint:
    sums, interval = point.sums, point.sums.interval if point.known else None
    return DriftPoint(
        period=point.period.first,
        complete=point.complete,
        known=point.known,
        total=sums.total,
        inside=sums.inside,
        unknown=sums.unknown,
        effective_n=sums.effective_n,
        share=sums.share if point.known else None,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        evidence=Evidence(point.evidence) if point.evidence else None,
    )


def narrower(profile_org: str, asked: str | None, principal: Principal) -> str:
    """The unit to look at: the one asked for, else the lower one of the profile's and the reader's."""
    unit = asked or (profile_org if principal.covers(profile_org) else principal.org)
    if not principal.covers(unit) or not (unit == profile_org or unit.startswith(profile_org + ".")):
        raise NotFound(f"The profile says nothing about {unit} in your organisation.")
    return unit
