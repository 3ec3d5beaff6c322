"""Scorecards as their readers see them: their own organisation and below; managers see themselves."""

from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import ScorecardRow, ScorecardSubject
from shared.auth import Principal, Role
from shared.contracts.base import Page
from shared.contracts.evaluation.scorecards import (
    RankingBulletin,
    ScorecardHead,
    ScorecardLevel,
    ScorecardState,
    SubjectCard,
    SubjectHistory,
    SubjectRecord,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_OVERSEERS = (Role.strategist, Role.approver, Role.branch_head, Role.auditor, Role.integrator)
_RECORDS = 24
_SINCE = (
    "state",
    "number",
    "supersedes",
    "reason",
    "published_at",
    "published_by",
    "superseded_by",
    "superseded_at",
)
AnySelect: TypeAlias = Select[*tuple[Any, ...]]


def head_of(row: ScorecardRow) -> ScorecardHead:
    """As it was computed, and what became of it since."""
    return ScorecardHead.model_validate(row.document | {name: getattr(row, name) for name in _SINCE})


async def head_page(
    session: AsyncSession,
    principal: Principal,
    page: PageRequest,
    level: ScorecardLevel | None,
    period: str | None,
    org: str | None,
    state: ScorecardState | None,
) -> Page[ScorecardHead]:
    wanted = {"level": level, "period": period, "org_path": org, "state": state}
    statement = _open_to(principal, select(ScorecardRow)).filter_by(
        **{name: value for name, value in wanted.items() if value is not None}
    )
    keys = [ScorecardRow.computed_at, ScorecardRow.id]
    return await paginate(session, statement, keys, page, _head, descending=True)


def _head(row: Row[Any]) -> ScorecardHead:
    return head_of(row[0])


async def bulletin(session: AsyncSession, principal: Principal, scorecard_id: UUID) -> RankingBulletin:
    statement = _open_to(principal, select(ScorecardRow).where(ScorecardRow.id == scorecard_id))
    row = (await session.scalars(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no scorecard with this id in your organisation.")
    mine = select(ScorecardSubject).where(ScorecardSubject.scorecard_id == row.id)
    cards = (await session.scalars(_own(principal, mine).order_by(ScorecardSubject.subject))).all()
    return RankingBulletin(
        **dict(head_of(row)),
        subjects=[SubjectCard.model_validate(each.card) for each in cards],
        others=row.subjects - len(cards),
    )


async def history(session: AsyncSession, principal: Principal, subject: str) -> SubjectHistory:
    """What holds, the newest period first; NotFound also of subjects of other organisations."""
    last_day = ScorecardRow.document["last_day"].astext
    statement = (
        select(ScorecardRow, ScorecardSubject)
        .join(ScorecardSubject, ScorecardSubject.scorecard_id == ScorecardRow.id)
        .where(ScorecardSubject.subject == subject, ScorecardRow.state != "superseded")
        .order_by(last_day.desc(), ScorecardRow.computed_at.desc(), ScorecardRow.id.desc())
        .limit(_RECORDS)
    )
    found = (await session.execute(_own(principal, _open_to(principal, statement)))).all()
    if not found:
        raise NotFound("No scorecard has this branch or manager in your organisation.", slug="not-scored")
    return SubjectHistory(
        subject=subject,
        records=[
            SubjectRecord(head=head_of(row[0]), card=SubjectCard.model_validate(row[1].card)) for row in found
        ],
    )


def _open_to(principal: Principal, statement: AnySelect) -> AnySelect:
    """Drafts are for who oversees others."""
    if principal.has(*_OVERSEERS):
        return statement
    return statement.where(ScorecardRow.state != "draft")


def _own(principal: Principal, statement: AnySelect) -> AnySelect:
    """Row-level security keeps other organisations out; of their own, managers see themselves alone."""
    if principal.has(*_OVERSEERS):
        return statement
    return statement.where(
        ScorecardSubject.staff.is_not(None), ScorecardSubject.staff == (principal.staff or "")
    )
