"""Models of value, their runs, and what changed from one run to another."""

from collections.abc import Sequence
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import SupersededValue, ValueModel, ValueModelVersion, ValueRun
from services.customer.models.value import FIGURES
from services.customer.queries.value_sums import Line, RunOfMonth, difference, figures, totals
from shared.contracts.base import Page
from shared.contracts.customer.value import (
    OrgDifference,
    SupersededFigures,
    ValueModelView,
    ValueRunDiff,
    ValueRunView,
)
from shared.db import Job, fetch
from shared.errors import FieldError, NotFound, Unprocessable
from shared.pagination import PageRequest, paginate

# Row-level security leaves the totals of the caller's branches.
_TOTALS: LiteralString = """
SELECT run_id, org_path, sum(average_balance), sum(ftp_margin), sum(fees), sum(expected_loss),
  sum(operating_cost), sum(capital), sum(capital_charge), sum(contribution)
FROM value_run_total WHERE run_id = ANY(%(runs)b::uuid[]) GROUP BY 1, 2 ORDER BY 2
"""


async def model_view(session: AsyncSession, code: str, version: int | None) -> ValueModelView:
    """The present version, or the one asked for."""
    if version is None:
        version = await session.scalar(select(ValueModel.version).where(ValueModel.code == code))
    row = await session.get(ValueModelVersion, (code, version)) if version is not None else None
    if row is None:
        raise NotFound("There is no such model of value, or no such version of it")
    return version_view(row)


def version_view(row: ValueModelVersion) -> ValueModelView:
    return ValueModelView.model_validate(
        {
            **row.spec,
            "code": row.code,
            "version": row.version,
            "changed_at": row.changed_at,
            "changed_by": row.changed_by,
        }
    )


def present_models() -> Select[ValueModelVersion]:
    return select(ValueModelVersion).join(
        ValueModel,
        (ValueModel.code == ValueModelVersion.code) & (ValueModel.version == ValueModelVersion.version),
    )


async def run_view(session: AsyncSession, run_id: UUID) -> ValueRunView:
    return (await run_views(session, [await _run(session, run_id)]))[0]


async def run_views(session: AsyncSession, runs: Sequence[ValueRun]) -> list[ValueRunView]:
    """Runs with the totals of the caller's branches; one cancelled before its job began says so."""
    waiting = [run.job_id for run in runs if run.state == "queued"]
    ended = set(await session.scalars(select(Job.id).where(Job.id.in_(waiting), Job.state == "cancelled")))
    rows: dict[UUID, list[list[Any]]] = {}
    for run_id, _org, *amounts in await fetch(session, _TOTALS, {"runs": [run.id for run in runs]}):
        rows.setdefault(run_id, []).append(amounts)
    return [_view(run, rows.get(run.id), cancelled=run.job_id in ended) for run in runs]


async def run_difference(session: AsyncSession, run_id: UUID, against: UUID | None) -> ValueRunDiff:
    """By branch, this run − the other; the other is, unless named, the one this run replaced."""
    run = await _run(session, run_id)
    other_id = against or run.replaces
    if other_id is None:
        raise Unprocessable(
            "The run replaced none: name the one to compare with",
            errors=[FieldError("/query/against", "is required")],
        )
    other = await _run(session, other_id)
    found: dict[str, dict[UUID, list[Any]]] = {}
    for owner, org, *amounts in await fetch(session, _TOTALS, {"runs": [run.id, other.id]}):
        found.setdefault(org, {})[owner] = amounts
    orgs = []
    for org, pair in found.items():
        after, before = (figures([pair[i]] if i in pair else []) for i in (run.id, other.id))
        orgs.append(OrgDifference(org=org, before=before, after=after, difference=difference(after, before)))
    sums = [[getattr(each.difference, name) for name in FIGURES] for each in orgs]
    return ValueRunDiff(run=run.id, against=other.id, orgs=orgs, total=figures(sums))


async def run_page(
    session: AsyncSession, code: str, month: str | None, page: PageRequest
) -> Page[ValueRunView]:
    """Runs of a model, newest first."""
    statement = select(ValueRun).where(ValueRun.model == code)
    if month is not None:
        statement = statement.where(ValueRun.month == date.fromisoformat(f"{month}-01"))
    found: Page[Any] = await paginate(
        session, statement, [ValueRun.number], page, lambda row: row[0], descending=True
    )
    return Page[ValueRunView](items=await run_views(session, found.items), next_cursor=found.next_cursor)


def superseded_rows(run_id: UUID) -> Select[SupersededValue]:
    return select(SupersededValue).where(SupersededValue.run_id == run_id)


def superseded_view(row: SupersededValue) -> SupersededFigures:
    values = {name: getattr(row, name) for name in FIGURES}
    return SupersededFigures.model_validate(
        {"customer_id": row.customer_id, "product": row.product, "figures": values}
    )


async def _run(session: AsyncSession, run_id: UUID) -> ValueRun:
    run = await session.get(ValueRun, run_id)
    if run is None:
        raise NotFound("There is no such run")
    return run


def _view(run: ValueRun, rows: list[list[Any]] | None, *, cancelled: bool) -> ValueRunView:
    of_month = RunOfMonth(run.id, run.month, run.days, run.day_count, run.model_version)
    lines = [Line(of_month, amounts) for amounts in rows or ()]
    return ValueRunView.model_validate(
        {
            **{name: getattr(run, name) for name in _SAME},
            "month": f"{run.month:%Y-%m}",
            "through": run.through.isoformat(),
            "state": "cancelled" if cancelled else run.state,
            "totals": totals(lines, run.month) if run.state in {"current", "superseded"} else None,
        }
    )


_SAME = (
    "id",
    "model",
    "model_version",
    "reason",
    "requested_by",
    "job_id",
    "watermark",
    "counts",
    "replaces",
    "created_at",
    "finished_at",
)
