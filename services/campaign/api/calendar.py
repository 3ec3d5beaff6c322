"""The campaign calendar."""

from datetime import date
from typing import Annotated

from fastapi import Query

from services.campaign.api.access import Reader
from services.campaign.queries.calendar import read_calendar
from shared.contracts.base import OrgPath
from shared.contracts.campaign.calendar import Calendar
from shared.errors import FieldError, Unprocessable
from shared.web import Router, Session

router = Router(tags=["calendar"])

_MAX_DAYS = 366


@router.get("/calendar", summary="Read the campaign calendar")
async def get_calendar(
    session: Session,
    principal: Reader,
    first: Annotated[date, Query(alias="from", description="First day", examples=["2026-12-01"])],
    until: Annotated[date, Query(description="Last day, at most 366 days on", examples=["2026-12-31"])],
    org: Annotated[OrgPath | None, Query(description="Only campaigns that concern this organisation")] = None,
) -> Calendar:
    """Campaigns you may see that have a schedule, drafts too, but for aborted and expired ones; with their
    waves, the contacts of a day as far as they are known, and which two ask the same segments at once.
    """
    if not 0 <= until.toordinal() - first.toordinal() < _MAX_DAYS:
        errors = [FieldError("/query/until", f"is before `from`, or {_MAX_DAYS} days or more after it")]
        raise Unprocessable("the calendar cannot show these days", errors=errors)
    return await read_calendar(session, principal, first, until, org)
