"""Life-cycle stages of all customers, now or on an earlier date, in one pass; and who may be won back."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.catalogue.holdings import ASSETS
from services.segmentation.domain.catalogue.life_cycle import STAGE, stage_feature
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.models import LifeCycleScheme
from services.segmentation.store.past import as_of
from shared import clock
from shared.contracts.base import LocalText, Page
from shared.contracts.segmentation.churn_warnings import WinBackView
from shared.contracts.segmentation.life_cycle import (
    LifeCycleSchemeView,
    Stage,
    StageCount,
    StageCounts,
    StageMove,
    StageTransitions,
    Thresholds,
)
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

NAMES = {
    Stage.prospect: LocalText(zh="潜在客户", en="Prospect"),
    Stage.onboarding: LocalText(zh="新客培育", en="Onboarding"),
    Stage.growth: LocalText(zh="成长期", en="Growth"),
    Stage.mature: LocalText(zh="成熟期", en="Mature"),
    Stage.decline: LocalText(zh="衰退期", en="Decline"),
    Stage.dormant: LocalText(zh="休眠期", en="Dormant"),
    Stage.lost: LocalText(zh="已流失", en="Lost"),
    Stage.won_back: LocalText(zh="已挽回", en="Won back"),
}
_ORDER = list(Stage)
_MOST = 10**18

_MOVES = """
SELECT stage_before.stage AS before, stage_after.stage AS after, count(*) AS customers
FROM stage_before FULL JOIN stage_after USING (ordinal) GROUP BY ALL
"""

# Assets at the end of each day on which a balance changed; the highest of two years.
_LOST = f"""
WITH lost AS (SELECT ordinal, aum, last_activity FROM stage_after WHERE stage = 'lost'),
change AS (
  SELECT ordinal, as_of, CASE WHEN closed THEN 0 ELSE balance END AS held,
    held - lag(held, 1, 0) OVER (PARTITION BY home, account ORDER BY as_of) AS delta
  FROM holding SEMI JOIN lost USING (ordinal) WHERE {ASSETS} AND as_of <= $today
),
daily AS (
  SELECT ordinal, as_of, sum(sum(delta)) OVER (PARTITION BY ordinal ORDER BY as_of) AS assets
  FROM change GROUP BY ordinal, as_of
),
best AS (
  SELECT ordinal, max(assets)::DECIMAL(20, 2) AS best, arg_max(as_of, assets) AS best_on
  FROM daily WHERE as_of > $today - 730 GROUP BY ordinal
)
SELECT ordinal, customer_id, org, primary_manager, best, best_on, aum, last_activity
FROM lost JOIN best USING (ordinal) JOIN customer USING (ordinal)
WHERE best >= $least AND ($manager IS NULL OR primary_manager = $manager)
  AND ($after_best IS NULL OR (best, -ordinal) < ($after_best, -$after_ordinal))
ORDER BY best DESC, ordinal LIMIT $limit
"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class Scheme:
    """The thresholds in force; version 0 are those delivered."""

    version: int
    thresholds: Thresholds
    changed_by: str | None = None
    changed_at: datetime | None = None


async def current_scheme(session: AsyncSession, *, for_update: bool = False) -> Scheme:
    statement = select(LifeCycleScheme).order_by(LifeCycleScheme.version.desc()).limit(1)
    found = await session.scalar(statement.with_for_update() if for_update else statement)
    if found is None:
        return Scheme(0, Thresholds())
    thresholds = Thresholds.model_validate(found.thresholds)
    return Scheme(found.version, thresholds, found.created_by, found.created_at)


def scheme_view(scheme: Scheme) -> LifeCycleSchemeView:
    return LifeCycleSchemeView(
        version=scheme.version,
        thresholds=scheme.thresholds,
        changed_by=scheme.changed_by,
        changed_at=scheme.changed_at,
    )


def end_of(day: date) -> Moment:
    """The last moment of a business date, or now on the present one. Raises `BadRequest` for a later one."""
    if day > clock.today():
        raise BadRequest(f"{day} has not come yet.")
    if day == clock.today():
        return Moment(clock.now(), clock.ZONE)
    last = datetime.combine(day + timedelta(days=1), time(), clock.ZONE) - timedelta(microseconds=1)
    return Moment(last, clock.ZONE)


def stage_counts(cursor: duckdb.DuckDBPyConnection, scheme: Scheme, day: date, org: str) -> StageCounts:
    """Of the customers below `org` at the end of the date."""
    _find_stages(cursor, "stage_after", scheme, end_of(day), org)
    rows = dict(cursor.execute("SELECT stage, count(*) FROM stage_after GROUP BY stage").fetchall())
    total = sum(rows.values())
    stages = [
        StageCount(
            stage=stage,
            name=NAMES[stage],
            customers=rows.get(stage, 0),
            share=rows.get(stage, 0) / total if total else 0.0,
        )
        for stage in _ORDER
    ]
    return StageCounts(as_of=day, scheme=scheme.version, customers=total, stages=stages)


def stage_transitions(
    cursor: duckdb.DuckDBPyConnection, scheme: Scheme, since: date, until: date, org: str
) -> StageTransitions:
    """Who was where at the end of two dates, by the thresholds of today."""
    _find_stages(cursor, "stage_before", scheme, end_of(since), org)
    _find_stages(cursor, "stage_after", scheme, end_of(until), org)
    moves = [
        StageMove(before=before, after=after, customers=customers)
        for before, after, customers in cursor.execute(_MOVES).fetchall()
    ]
    moves.sort(key=lambda each: (_place(each.before), _place(each.after)))
    return StageTransitions(since=since, until=until, scheme=scheme.version, moves=moves)


def _place(stage: Stage | None) -> int:
    return len(_ORDER) if stage is None else _ORDER.index(stage)


def win_back_page(
    cursor: duckdb.DuckDBPyConnection, scheme: Scheme, org: str, manager: str | None, page: PageRequest
) -> Page[WinBackView]:
    """Customers now lost who once had something, those with most first."""
    now = Moment(clock.now(), clock.ZONE)
    _find_stages(cursor, "stage_after", scheme, now, org)
    best, ordinal = _after(page)
    values = {
        "today": now.today,
        "least": scheme.thresholds.least_assets,
        "manager": manager,
        "after_best": best,
        "after_ordinal": ordinal,
        "limit": page.limit + 1,
    }
    rows = cursor.execute(_LOST, values).fetchall()
    names = ("customer_id", "org", "primary_manager", "best_assets", "best_on", "assets", "last_activity_on")
    items = [WinBackView(**dict(zip(names, row[1:], strict=True))) for row in rows[: page.limit]]
    last = rows[page.limit - 1] if len(rows) > page.limit else None
    return Page(items=items, next_cursor=encode_cursor([last[4], last[0]]) if last else None)


def _after(page: PageRequest) -> tuple[Any, Any]:
    after = page.after()
    if after is None:
        return None, 0
    match after:
        case [Decimal() as best, int() as ordinal] if (
            best.is_finite() and abs(best) < _MOST and 0 <= ordinal < 2**31
        ):
            return best, ordinal
        case _:
            raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")


def _find_stages(
    cursor: duckdb.DuckDBPyConnection, table: str, scheme: Scheme, moment: Moment, org: str
) -> None:
    """A temporary table of ordinal, stage, assets and the date of the last activity."""
    compiler = Compiler(BUILT_IN.with_features([stage_feature(scheme.thresholds)]), moment)
    compiler.add_feature("stage", STAGE)
    compiler.add_feature("aum", "aum")
    compiler.add_feature("idle", "last_activity_days")
    query = compiler.query(org=org)
    with as_of(cursor, moment) if moment.today < clock.today() else nullcontext():
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS "  # noqa: S608 - our own names
            f"SELECT ordinal, stage, aum, (DATE '{moment.today.isoformat()}' - idle::INTEGER)::DATE "
            f"AS last_activity FROM ({query.sql})",
            dict(query.parameters),
        )
