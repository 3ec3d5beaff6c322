"""Activity targets, and what managers did: counted from what they recorded in one pass over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.activity import ACTIVITIES, attained, days_of
from services.campaign.models import ActivityTarget
from services.campaign.queries.opportunities import mine_or_my_branch
from services.campaign.queries.orgs import within
from services.campaign.queries.tasks import whose
from shared import clock
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.activity_targets import (
    ActivityAttainment,
    ActivityPeriod,
    ActivityTargetView,
    ManagerActivity,
)
from shared.db import fetch
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

ACTS = """
WITH act AS (
  SELECT coalesce(a.manager, c.manager) AS manager, c.org_path, c.customer_id, 'calls' AS kind,
    a.disposition NOT IN ('no_answer', 'wrong_number') AS met
  FROM attempt a JOIN contact c ON c.id = a.contact_id
  WHERE a.recorded_at >= %(since)s AND a.recorded_at < %(until)s
  UNION ALL
  SELECT manager, org_path, customer_id, 'visits', true FROM visit
  WHERE state = 'made' AND at >= %(since)s AND at < %(until)s
  UNION ALL
  SELECT manager, org_path, customer_id, 'opportunities', false FROM opportunity
  WHERE opened_at >= %(since)s AND opened_at < %(until)s
), chosen AS (
  SELECT act.*, coalesce(k.merged_into, act.customer_id) AS person
  FROM act LEFT JOIN known_customer k ON k.id = act.customer_id
  WHERE act.manager IS NOT NULL
    AND (%(org)s = 'hq' OR act.org_path = %(org)s OR starts_with(act.org_path, %(org)s || '.'))
    AND (%(manager)s::text IS NULL OR act.manager = %(manager)s)
), known AS (
  SELECT person, EXISTS (
    SELECT FROM known_customer f JOIN known_contribution v ON v.customer_id = f.id
    WHERE (f.id = person OR f.merged_into = person) AND v.contribution IS NOT NULL AND v.month < %(month)s
  ) OR EXISTS (
    SELECT FROM known_customer f JOIN opportunity o ON o.customer_id = f.id
    WHERE (f.id = person OR f.merged_into = person) AND o.status = 'won' AND o.closed_at < %(since)s
  ) AS existing
  FROM (SELECT DISTINCT person FROM chosen WHERE met) AS met
)
"""
"""What was done, by whom and for whom, as `chosen`; whether a person was a customer before, as `known`."""
COUNTS = """
  count(*) FILTER (WHERE kind = 'calls'), count(*) FILTER (WHERE kind = 'visits'),
  count(DISTINCT person) FILTER (WHERE met AND NOT existing),
  count(DISTINCT person) FILTER (WHERE met AND existing),
  count(*) FILTER (WHERE kind = 'opportunities')
FROM chosen LEFT JOIN known USING (person)
"""
"""In the order of `ACTIVITIES`."""
_DONE = f"{ACTS} SELECT org_path, manager, {COUNTS} GROUP BY GROUPING SETS ((org_path, manager), ())"

Key = tuple[str, str | None]
"""Organisation and manager; null: all of the organisation."""


@dataclass(frozen=True)
class ActivityWanted:
    period: ActivityPeriod
    on: date
    org: str
    manager: str | None = None
    limit: int = 200


async def read_attainment(
    session: AsyncSession, principal: Principal, wanted: ActivityWanted
) -> ActivityAttainment:
    """Of a manager their own; of whoever oversees others the organisation's, and each of its managers'."""
    first, last = days_of(wanted.period, wanted.on)
    manager = whose(principal, wanted.manager)
    parameters = between(first, last) | {"org": wanted.org, "manager": manager}
    whole: Key = (wanted.org, None)
    done: dict[Key, tuple[int, ...]] = {}
    for org, staff, *counts in await fetch(session, _DONE, parameters):
        done[(org, staff) if staff else whole] = tuple(counts)
    targets = await _targets(session, wanted, first, manager)
    keys = sorted({key for key in (*done, *targets) if key[1]}, key=lambda key: (key[0], key[1] or ""))
    shown = keys if manager is not None else [whole, *keys]
    nothing = (0,) * len(ACTIVITIES)
    return ActivityAttainment(
        period=wanted.period,
        first_day=first,
        last_day=last,
        items=[item(key, done.get(key, nothing), targets.get(key, {})) for key in shown[: wanted.limit]],
        left_off=max(0, len(shown) - wanted.limit),
    )


def between(first: date, last: date) -> dict[str, object]:
    """What `ACTS` asks for of the days."""
    return {
        "since": datetime.combine(first, time(), clock.ZONE),
        "until": datetime.combine(last + timedelta(days=1), time(), clock.ZONE),
        "month": first.replace(day=1),
    }


def item(key: Key, done: tuple[int, ...], targets: Mapping[str, int | None]) -> ManagerActivity:
    """Of an organisation, or of its manager."""
    return ManagerActivity(
        org=key[0],
        manager=key[1],
        activities=[
            attained(activity, count, targets.get(activity))
            for activity, count in zip(ACTIVITIES, done, strict=True)
        ],
    )


async def _targets(
    session: AsyncSession, wanted: ActivityWanted, first: date, manager: str | None
) -> dict[Key, dict[str, int | None]]:
    """The newest of each that holds on the period's first day: the organisation's own, and its managers'."""
    named = ActivityTarget.manager.is_not(None)
    query = select(ActivityTarget).where(
        ActivityTarget.period == wanted.period,
        ActivityTarget.valid_from <= first,
        within(ActivityTarget.org_path.expression, wanted.org),
        named | (ActivityTarget.org_path == wanted.org),
    )
    if manager is not None:
        query = query.where(ActivityTarget.manager == manager)
    rows = await session.scalars(query.order_by(ActivityTarget.valid_from))
    return {(row.org_path, row.manager): {name: getattr(row, name) for name in ACTIVITIES} for row in rows}


async def list_targets(
    session: AsyncSession, principal: Principal, page: PageRequest, org: str | None, manager: str | None
) -> Page[ActivityTargetView]:
    query = select(ActivityTarget)
    column: Any = ActivityTarget.manager.expression
    mine = mine_or_my_branch(principal, column, manager)
    if mine is not None:
        query = query.where(mine)
    if org is not None:
        query = query.where(within(ActivityTarget.org_path.expression, org))
    keys = (ActivityTarget.valid_from.expression, ActivityTarget.id.expression)
    return await paginate(session, query, keys, page, lambda row: target_view(row[0]), descending=True)


async def find_target(session: AsyncSession, principal: Principal, target_id: UUID) -> ActivityTarget:
    """Seen by whoever sees it on the list."""
    target = await session.get(ActivityTarget, target_id)
    mine = whose(principal, None)
    if target is None or mine not in {None, target.manager}:
        raise NotFound(f"no activity target {target_id}")
    return target


def target_view(row: ActivityTarget) -> ActivityTargetView:
    stored = {name: getattr(row, name) for name in ActivityTargetView.model_fields if name != "org"}
    return ActivityTargetView.model_validate({**stored, "org": row.org_path})
