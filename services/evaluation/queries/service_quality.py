"""Models of service quality, months observed, runs, and the index of branches."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.evaluation.models import QualityIndexRow, QualityModelRow, QualityObservation, QualityRunRow
from shared.contracts.base import Page
from shared.contracts.evaluation.service_quality import (
    BranchQuality,
    LeftOutBranch,
    ObservedPeriod,
    ObservedPeriods,
    PeriodIndex,
    QualityIndex,
    QualityModel,
    QualityModelCreate,
    QualityRun,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_SHOWN = ("rows", "index", "ci", "rank", "rank_ci", "standing", "drivers")


def no_model(key: str) -> NotFound:
    return NotFound(f"There is no model of service quality {key!r}.")


def newest_version(key: str) -> Select[QualityModelRow]:
    return (
        select(QualityModelRow)
        .where(QualityModelRow.key == key)
        .order_by(QualityModelRow.version.desc())
        .limit(1)
    )


def _newest_run() -> ScalarSelect[UUID]:
    return (
        select(QualityRunRow.id)
        .where(QualityRunRow.model_key == QualityModelRow.key)
        .order_by(QualityRunRow.ran_at.desc(), QualityRunRow.id.desc())
        .limit(1)
        .correlate(QualityModelRow)
        .scalar_subquery()
    )


def _view(row: QualityModelRow, run_id: UUID | None) -> QualityModel:
    declared = QualityModelCreate.model_validate(row.definition)
    return QualityModel(
        **declared.model_dump(), version=row.version, created_at=row.created_at, run_id=run_id
    )


async def model(session: AsyncSession, key: str) -> QualityModel:
    """The newest version; 404 without any."""
    row = await session.scalar(newest_version(key))
    if row is None:
        raise no_model(key)
    of = QualityRunRow
    newest = select(of.id).where(of.model_key == key).order_by(of.ran_at.desc(), of.id.desc()).limit(1)
    return _view(row, await session.scalar(newest))


async def definition(session: AsyncSession, key: str, version: int) -> QualityModelCreate:
    row = await session.get_one(QualityModelRow, (key, version))
    return QualityModelCreate.model_validate(row.definition)


async def model_page(session: AsyncSession, page: PageRequest) -> Page[QualityModel]:
    """The newest version of each, by key."""
    later = aliased(QualityModelRow)
    newer = select(later.key).where(later.key == QualityModelRow.key, later.version > QualityModelRow.version)
    listed = select(QualityModelRow, _newest_run().label("run_id")).where(~newer.exists())
    statement = cast("Select[Any]", listed)
    return await paginate(
        session, statement, [QualityModelRow.key], page, lambda row: _view(row[0], row.run_id)
    )


async def observed_periods(session: AsyncSession, key: str) -> ObservedPeriods:
    """By month, the newest first."""
    await model(session, key)
    of = QualityObservation
    rows = await session.execute(
        select(of.period, of.business, func.sum(of.rows), func.array_agg(of.org_path), func.max(of.version))
        .where(of.model_key == key)
        .group_by(of.period, of.business)
        .order_by(of.period.desc(), of.business)
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    branches: dict[str, set[str]] = defaultdict(set)
    versions: dict[str, int] = {}
    for period, business, count, places, version in rows:
        counts[period][business] = count
        branches[period].update(places)
        versions[period] = version
    return ObservedPeriods(
        items=[
            ObservedPeriod(
                period=period, rows=found, branches=len(branches[period]), version=versions[period]
            )
            for period, found in counts.items()
        ]
    )


async def blocks(session: AsyncSession, key: str, periods: Sequence[str]) -> Sequence[QualityObservation]:
    """Observations in a fixed order."""
    of = QualityObservation
    rows = await session.scalars(
        select(of)
        .where(of.model_key == key, of.period.in_(periods))
        .order_by(of.org_path, of.period, of.business)
    )
    return rows.all()


async def run(session: AsyncSession, key: str, run_id: UUID) -> QualityRun:
    row = await session.get(QualityRunRow, run_id)
    if row is None or row.model_key != key:
        raise NotFound(f"There is no run {run_id} of the model {key!r}.")
    return QualityRun.model_validate(row.document)


async def index(
    session: AsyncSession, key: str, period: str | None = None, org: str | None = None
) -> QualityIndex:
    """Of the newest run; 404 when the model has not run, or has no index of that month."""
    found = await model(session, key)
    if found.run_id is None:
        raise NotFound(f"The model {key!r} has not run yet.")
    of = await run(session, key, found.run_id)
    month = period or max(of.periods)
    if month not in of.periods:
        raise NotFound(f"The newest run has no index of {month}; it has {', '.join(of.periods)}.")
    rows = await _rows(session, of.id, month, _below(org))
    trends = await _trends(session, of.id, _below(org))
    branches = [
        BranchQuality.model_validate(
            {"branch": branch, "trend": trends[branch], **{name: row[name] for name in _SHOWN}}
        )
        for branch, row in rows
        if "index" in row
    ]
    best_first = sorted(branches, key=lambda one: (-one.index if of.comparable else 0.0, one.branch))
    return QualityIndex(
        model=key,
        version=of.version,
        run_id=of.id,
        ran_at=of.ran_at,
        period=month,
        comparable=of.comparable,
        withheld=[f"{name}: reliability below 0.7" for name in of.unreliable],
        ranked=next((row["ranked"] for _, row in rows if "index" in row), None),
        bank=of.bank,
        branches=best_first,
        left_out=[
            LeftOutBranch(branch=branch, detail=row["detail"]) for branch, row in rows if "detail" in row
        ],
    )


def _below(org: str | None) -> list[ColumnElement[bool]]:
    path = QualityIndexRow.org_path
    return [or_(path == org, path.startswith(f"{org}.", autoescape=True))] if org else []


async def _rows(
    session: AsyncSession, run_id: UUID, period: str, among: list[ColumnElement[bool]]
) -> list[tuple[str, dict[str, Any]]]:
    statement = (
        select(QualityIndexRow.org_path, QualityIndexRow.row)
        .where(QualityIndexRow.run_id == run_id, QualityIndexRow.period == period, *among)
        .order_by(QualityIndexRow.org_path)
    )
    return [(path, row) for path, row in await session.execute(statement)]


async def _trends(
    session: AsyncSession, run_id: UUID, among: list[ColumnElement[bool]]
) -> dict[str, list[PeriodIndex]]:
    """Branch → its index by month. Of the rows only the figures: drivers of all months would be much."""
    value = QualityIndexRow.row["index"]
    statement = (
        select(QualityIndexRow.org_path, QualityIndexRow.period, value, QualityIndexRow.row["ci"])
        .where(QualityIndexRow.run_id == run_id, QualityIndexRow.row.has_key("index"), *among)
        .order_by(QualityIndexRow.org_path, QualityIndexRow.period)
    )
    found: dict[str, list[PeriodIndex]] = defaultdict(list)
    for branch, period, figure, interval in await session.execute(statement):
        found[branch].append(PeriodIndex(period=period, index=figure, ci=interval))
    return found
