"""How a segment came to be what it is: versions, trend."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Query

from services.segmentation.api.access import FeatureStore, NamedSegment, Reader
from services.segmentation.queries.trend import MOST_POINTS, starts_of, trend
from services.segmentation.queries.versions import version_page
from services.segmentation.store import reading
from shared import clock
from shared.contracts.base import Page
from shared.contracts.segmentation.history import SegmentTrend, SegmentVersionView, TrendStep
from shared.errors import FieldError, Unprocessable
from shared.pagination import PageParams
from shared.web import Rest, Router, Session, problem_responses

router = Router(tags=["members"])

_DAYS = 30
_FIRST_YEAR = 1900


@router.get("/segments/{segment}/versions", responses=problem_responses(400, 404))
async def list_segment_versions(
    session: Session, principal: Reader, segment: NamedSegment, page: PageParams
) -> Page[SegmentVersionView]:
    """Every definition the segment has had, newest first, with who joined and left when it took effect."""
    return await version_page(session, segment, page)


@router.get("/segments/{segment}/trend", responses=problem_responses(404, 422))
async def get_segment_trend(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    segment: NamedSegment,
    rest: Rest,
    since: Annotated[date | None, Query(description="First day; 29 days before `until` if left out")] = None,
    until: Annotated[date | None, Query(description="Last day; today if left out")] = None,
    step: Annotated[TrendStep, Query(description="By day or by week")] = TrendStep.day,
) -> SegmentTrend:
    """Size, and how many joined and left, by day or week of the bank's zone, within your organisation.

    Customers count where they belong today, also for days on which they belonged elsewhere.
    """
    today = clock.today()
    last = until or today
    _check_year(since, until)
    first = since or min(last, today) - timedelta(days=_DAYS - 1)
    _check(first, last, today, step)
    await rest()
    scope = await store.run(lambda cursor: reading.scope_of(cursor, principal.org))
    return await trend(session, segment, starts_of(first, last, step), step, scope)


def _check_year(since: date | None, until: date | None) -> None:
    errors = [
        FieldError(f"/query/{name}", f"is before {_FIRST_YEAR}")
        for name, given in (("since", since), ("until", until))
        if given is not None and given.year < _FIRST_YEAR
    ]
    if errors:
        raise Unprocessable("See `errors` for each field", errors=errors)


def _check(first: date, last: date, today: date, step: TrendStep) -> None:
    errors = []
    if last > today:
        errors.append(FieldError("/query/until", "is in the future"))
    if first > last:
        errors.append(FieldError("/query/since", "is after the last day"))
    elif (last - first).days // (
        1 if step is TrendStep.day else 7
    ) >= MOST_POINTS or first.year < _FIRST_YEAR:
        errors.append(FieldError("/query/since", f"would be more than {MOST_POINTS} points"))
    if errors:
        raise Unprocessable("See `errors` for each field", errors=errors)
