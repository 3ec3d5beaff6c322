"""What all branches of a level, or all managers, did beside their targets, in one pass."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.activity import ACTIVITIES, days_of
from services.campaign.models import ActivityTarget
from services.campaign.queries.activity import ACTS, COUNTS, Key, between, item
from services.campaign.queries.orgs import within
from shared.contracts.campaign.activity_targets import ActivityAttainment, ActivityPeriod, ActivityUnit
from shared.db import fetch

_MOST = 10_000
_BRANCH = "array_to_string((string_to_array(org_path, '.'))[1:%(depth)s::int + 1], '.')"
_DONE = {
    "branch": f"{ACTS} SELECT {_BRANCH} AS unit, NULL, {COUNTS} GROUP BY unit",
    "staff": f"{ACTS} SELECT org_path, manager, {COUNTS} GROUP BY org_path, manager",
}


@dataclass(frozen=True)
class UnitsWanted:
    """`depth`: of branches, steps below head office; what was done deeper counts there."""

    period: ActivityPeriod
    on: date
    org: str
    unit: ActivityUnit
    depth: int


async def read_units(session: AsyncSession, wanted: UnitsWanted) -> ActivityAttainment:
    """Whoever did something or has a target; the first 10,000 by name."""
    first, last = days_of(wanted.period, wanted.on)
    parameters = between(first, last) | {"org": wanted.org, "manager": None, "depth": wanted.depth}
    rows = await fetch(session, _DONE[wanted.unit], parameters)
    done: dict[Key, tuple[int, ...]] = {(org, staff): tuple(counts) for org, staff, *counts in rows}
    targets = await _targets(session, wanted, first)
    keys = sorted({*done, *targets}, key=lambda key: (key[0], key[1] or ""))
    nothing = (0,) * len(ACTIVITIES)
    return ActivityAttainment(
        period=wanted.period,
        first_day=first,
        last_day=last,
        items=[item(key, done.get(key, nothing), targets.get(key, {})) for key in keys[:_MOST]],
        left_off=max(0, len(keys) - _MOST),
    )


async def _targets(
    session: AsyncSession, wanted: UnitsWanted, first: date
) -> dict[Key, dict[str, int | None]]:
    """The newest of each that holds on the period's first day: of organisations no deeper than is asked for,
    or of managers.
    """
    named = ActivityTarget.manager.is_not(None)
    query = select(ActivityTarget).where(
        ActivityTarget.period == wanted.period,
        ActivityTarget.valid_from <= first,
        within(ActivityTarget.org_path.expression, wanted.org),
        named if wanted.unit == "staff" else ~named,
    )
    rows = await session.scalars(query.order_by(ActivityTarget.valid_from))
    return {
        (row.org_path, row.manager): {name: getattr(row, name) for name in ACTIVITIES}
        for row in rows
        if wanted.unit == "staff" or row.org_path.count(".") <= wanted.depth
    }
