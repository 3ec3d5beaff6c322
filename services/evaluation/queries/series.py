"""The daily series as it is told, and the marks on it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.series import Day
from services.evaluation.models import Course, CourseChange, Registration
from services.evaluation.queries.documents import ends, number
from services.evaluation.store.series import Wave
from shared import clock
from shared.contracts.evaluation.series import MarkerKind, SeriesDay, SeriesMarker
from shared.contracts.metrics import MetricCreate

_KINDS: dict[str, MarkerKind] = {"paused": "pause", "running": "resume"}


async def changes(session: AsyncSession, campaign_id: UUID) -> list[CourseChange]:
    """Pauses and resumptions, in their order."""
    statement = select(CourseChange).where(CourseChange.campaign_id == campaign_id).order_by(CourseChange.at)
    return list(await session.scalars(statement))


def markers(
    registration: Registration, course: Course, changed: Sequence[CourseChange], waves: Sequence[Wave]
) -> list[SeriesMarker]:
    """By time. Days count from the first assignment, as those of the series do for the first wave."""
    begins = waves[0].at if waves else registration.launched_at
    found = [SeriesMarker(kind="launch", at=registration.launched_at, day=0)]
    found += [
        SeriesMarker(
            kind="wave", at=wave.at, day=_days(begins, wave.at), wave=wave.number, assigned=wave.assigned
        )
        for wave in waves
    ]
    found += [
        SeriesMarker(kind=_KINDS[each.state], at=each.at, day=_days(begins, each.at)) for each in changed
    ]
    if course.completed_at is not None:
        at = course.completed_at
        found.append(SeriesMarker(kind="complete", at=at, day=_days(begins, at)))
    return sorted(found, key=lambda marker: marker.at)


def _days(begins: datetime, at: datetime) -> float:
    return max(0.0, round((at - begins) / timedelta(days=1), 3))


def day(found: Day, metric: MetricCreate, begins: datetime, assigned: int, *, told: bool) -> SeriesDay:
    """Without an effect where nothing may be told of one."""
    lived = found.n + found.n_control
    base = SeriesDay(
        day=found.number,
        on=(begins + timedelta(days=found.number - 1)).astimezone(clock.ZONE).date(),
        matured=min(1.0, lived / assigned) if assigned else 0.0,
        immature=lived < assigned,
        n=found.n,
        n_hold_out=found.n_control,
    )
    effect = found.effect
    if not told:
        return base
    if isinstance(effect, NoEffect):
        return base.model_copy(update={"error": effect.detail})
    return base.model_copy(
        update={
            "mean": number(effect.mean, metric),
            "mean_hold_out": number(effect.mean_control, metric),
            "difference": number(effect.difference, metric),
            "ci": ends(effect.interval, metric),
            "always_valid_ci": ends(found.always_valid, metric) if found.always_valid else None,
        }
    )
