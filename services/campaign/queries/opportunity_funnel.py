"""The funnel: what stands in each stage now, and how opportunities of a period came through."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import LiteralString

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.opportunities import passages, rate, weighted
from services.campaign.queries.opportunities import newest_stages
from services.campaign.queries.tasks import whose
from shared import clock
from shared.auth import Principal
from shared.contracts.campaign.opportunities import (
    Funnel,
    FunnelBy,
    FunnelStage,
    FunnelView,
    Rad,
    Stage,
)
from shared.db import fetch

_GROUP: dict[FunnelBy, LiteralString] = {
    "all": "NULL::text",
    "org": "o.org_path",
    "manager": "o.manager",
    "offer": "o.offer",
    "rad": "o.rad",
}
_NOTHING = Decimal("0.00")

# Stages no longer on the list had no open opportunity when they went; in histories they count as the first.
_ROWS: LiteralString = """
WITH stage AS (
  SELECT key, n FROM unnest(%(keys)b::text[]) WITH ORDINALITY AS s(key, n)
), chosen AS (
  SELECT o.*, {group} AS grp, o.opened_at >= %(since)s AND o.opened_at < %(until)s AS counts
  FROM opportunity o
  WHERE o.currency = %(currency)s
    AND (o.status = 'open' OR (o.opened_at >= %(since)s AND o.opened_at < %(until)s))
    AND (%(manager)s::text IS NULL OR o.manager = %(manager)s)
    AND (%(org)s::text IS NULL OR o.org_path = %(org)s OR starts_with(o.org_path, %(org)s || '.'))
    AND (%(offer)s::text IS NULL OR o.offer = %(offer)s)
    AND (%(rad)s::text IS NULL OR o.rad = %(rad)s)
), stay AS (
  SELECT c.id, c.grp, c.status, coalesce(s.n, 1) AS n, m.to_stage, m.moved_at,
    lead(m.moved_at) OVER (PARTITION BY c.id ORDER BY m.number) AS left_at
  FROM chosen c JOIN opportunity_move m ON m.opportunity_id = c.id LEFT JOIN stage s ON s.key = m.to_stage
  WHERE c.counts
), furthest AS (
  SELECT id, grp, status, max(n) AS n FROM stay WHERE to_stage NOT IN ('won', 'lost') GROUP BY id, grp, status
)
SELECT 'stage', c.grp, s.n, count(*), sum(c.amount), 0, NULL::float8
FROM chosen c JOIN stage s ON s.key = c.stage WHERE c.status = 'open' GROUP BY c.grp, s.n
UNION ALL
SELECT 'furthest', grp, n, count(*) FILTER (WHERE status <> 'won'), 0,
  count(*) FILTER (WHERE status = 'lost'), NULL
FROM furthest GROUP BY grp, n
UNION ALL
SELECT 'stay', grp, n, count(*), 0, 0,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM left_at - moved_at) / 86400)
FROM stay WHERE to_stage NOT IN ('won', 'lost') AND left_at IS NOT NULL GROUP BY grp, n
UNION ALL
SELECT 'outcome', grp, 0, count(*) FILTER (WHERE status = 'won'),
  coalesce(sum(won_amount) FILTER (WHERE status = 'won'), 0), count(*) FILTER (WHERE status = 'lost'),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - opened_at) / 86400)
    FILTER (WHERE status = 'won')
FROM chosen WHERE counts GROUP BY grp
UNION ALL
SELECT 'opened', grp, 0, count(*), 0, 0, NULL FROM chosen WHERE counts GROUP BY grp
"""


@dataclass(frozen=True)
class FunnelWanted:
    by: FunnelBy
    currency: str
    opened_from: date
    opened_until: date
    org: str | None = None
    manager: str | None = None
    offer: str | None = None
    rad: Rad | None = None
    limit: int = 100


async def read_funnel(session: AsyncSession, principal: Principal, wanted: FunnelWanted) -> FunnelView:
    """Of a manager their own, of whoever oversees others those of the organisation."""
    stages = await newest_stages(session)
    parameters = {
        "keys": [stage.key for stage in stages.stages],
        "since": _midnight(wanted.opened_from),
        "until": _midnight(wanted.opened_until + timedelta(days=1)),
        "currency": wanted.currency,
        "manager": whose(principal, wanted.manager),
        "org": wanted.org,
        "offer": wanted.offer,
        "rad": wanted.rad,
    }
    rows = await fetch(session, _ROWS.replace("{group}", _GROUP[wanted.by]), parameters)
    parts: defaultdict[str | None, _Rows] = defaultdict(dict)
    for kind, group, *row in rows:
        parts[group][kind, row[0]] = tuple(row[1:])
    if wanted.by == "all" and not parts:
        parts[None] = {}
    groups = [_funnel(group, part, stages.stages) for group, part in parts.items()]
    groups.sort(key=lambda each: (-each.weighted, -each.opened, each.group or ""))
    return FunnelView(
        currency=wanted.currency,
        stages_version=stages.version,
        by=wanted.by,
        opened_from=wanted.opened_from,
        opened_until=wanted.opened_until,
        groups=groups[: wanted.limit],
        left_off=max(0, len(groups) - wanted.limit),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), clock.ZONE)


_Row = tuple[int, Decimal, int, float | None]
"""Count, amount, lost, median days."""
_Rows = dict[tuple[str, int], _Row]
_NONE: _Row = (0, _NOTHING, 0, None)


def _funnel(group: str | None, rows: _Rows, stages: list[Stage]) -> Funnel:
    numbers = range(1, len(stages) + 1)
    won, won_amount, lost, days = rows.get(("outcome", 0), _NONE)
    furthest = [rows.get(("furthest", n), _NONE) for n in numbers]
    through = passages([each[0] for each in furthest], [each[2] for each in furthest], won)
    shown = [
        FunnelStage(
            key=stage.key,
            open=here[0],
            amount=here[1],
            weighted=weighted(here[1], stage.probability),
            reached=passage.reached,
            advanced=passage.advanced,
            lost=passage.lost,
            conversion=passage.conversion,
            median_days=rows.get(("stay", n), _NONE)[3],
        )
        for n, stage, passage in zip(numbers, stages, through, strict=True)
        for here in [rows.get(("stage", n), _NONE)]
    ]
    return Funnel(
        group=group,
        open=sum(each.open for each in shown),
        amount=sum((each.amount for each in shown), _NOTHING),
        weighted=sum((each.weighted for each in shown), _NOTHING),
        opened=rows.get(("opened", 0), _NONE)[0],
        won=won,
        won_amount=won_amount,
        lost=lost,
        win_rate=rate(won, lost),
        median_days_to_win=days,
        stages=shown,
    )
