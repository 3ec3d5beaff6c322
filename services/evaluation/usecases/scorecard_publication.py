"""Freezing scorecards and telling of them: draft → published → superseded, and nothing else.

What was published never changes. One that does not hold is superseded by another, which says why.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.indicators import closes_on
from services.evaluation.models import ScorecardRow
from services.evaluation.queries.scorecards import head_of
from services.evaluation.usecases.scorecards import (
    ONE_AT_A_TIME,
    TASK,
    arguments,
    check,
    require_org,
    same,
    wanted_of,
)
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.evaluation.scorecards import ScorecardHead, ScorecardPublish, ScorecardWanted
from shared.contracts.events import ComparedIndicator, ScorecardPublished
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.jobs import defer
from shared.outbox import emit


async def request_publication(
    session: AsyncSession, principal: Principal, asked: ScorecardPublish
) -> JobView:
    """Queue the publication of a draft, or of what is computed then. Conflict when it cannot be published."""
    wanted = asked.wanted or await _draft_of(session, principal, asked.scorecard_id)
    check(principal, wanted)
    _require_closed(wanted)
    await _former(session, wanted, asked.supersedes)
    args = arguments(principal, wanted=wanted, publish=True)
    if asked.scorecard_id is not None:
        args["scorecard_id"] = str(asked.scorecard_id)
    if asked.supersedes is not None:
        args |= {"supersedes": str(asked.supersedes), "reason": asked.reason}
    return await defer(session, principal, TASK, args)


async def _draft_of(session: AsyncSession, principal: Principal, draft: UUID | None) -> ScorecardWanted:
    row = await session.get(ScorecardRow, draft)
    if row is None:
        raise NotFound("There is no such draft in your organisation: a newer one may have replaced it.")
    require_org(principal, row.org_path)
    if row.state != "draft":
        raise Conflict("This scorecard is published already.", slug="already-published")
    return wanted_of(head_of(row))


def _require_closed(wanted: ScorecardWanted) -> None:
    closes = closes_on(wanted.period)
    if clock.today() < closes:
        raise Conflict(
            f"Outcomes of {wanted.period} are known from {closes.isoformat()} on: only a draft till then.",
            slug="period-open",
        )


async def _former(
    session: AsyncSession, wanted: ScorecardWanted, supersedes: UUID | None
) -> ScorecardRow | None:
    """The published one whose place is taken; none of the first. Conflict when another one holds than is
    named; 422 when what is named is no published one of the same kind.
    """
    holds = await session.scalar(select(ScorecardRow).where(*same(wanted), ScorecardRow.state == "published"))
    if supersedes is None:
        if holds is None:
            return None
        raise Conflict(
            f"Scorecard {holds.id} is published for this period: name it in `supersedes`, with the reason,"
            " when it does not hold.",
            slug="already-published",
        )
    if holds is not None and holds.id == supersedes:
        return holds
    named = await session.scalar(select(ScorecardRow).where(*same(wanted), ScorecardRow.id == supersedes))
    if named is not None and named.state == "superseded":
        raise Conflict(f"It is superseded already, by {named.superseded_by}.", slug="already-superseded")
    detail = "is no published scorecard of this period, level and organisation"
    raise Unprocessable(f"Scorecard {supersedes} {detail}.", errors=[FieldError("/supersedes", detail)])


async def publish(
    session: AsyncSession,
    principal: Principal,
    scorecard_id: UUID,
    supersedes: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Freeze a draft and tell of it. Conflict when another one holds for its period than it supersedes."""
    await session.execute(ONE_AT_A_TIME)
    row = await session.get(ScorecardRow, scorecard_id, with_for_update=True)
    if row is None:
        raise NotFound("The draft is gone: a newer one has replaced it.")
    if row.state != "draft":
        return
    former, now = await _former(session, wanted_of(head_of(row)), supersedes), clock.now()
    row.number = 1
    if former is not None:
        row.number = (former.number or 1) + 1
        row.supersedes, row.reason = former.id, reason
        await _take_the_place(session, former.id, row.id, now)
    row.state, row.published_at, row.published_by = "published", now, principal.id
    await session.flush()
    head = head_of(row)
    await emit(session, _published(head, row.subjects))
    detail: dict[str, object] = {
        "level": head.level,
        "period": head.period,
        "depth": head.depth,
        "subjects": row.subjects,
        "number": head.number,
    }
    if head.supersedes is not None:
        detail |= {"supersedes": str(head.supersedes), "reason": head.reason}
    audit(session, principal, "scorecard.publish", str(row.id), detail, org_path=row.org_path)


async def _take_the_place(session: AsyncSession, former: UUID, by: UUID, at: datetime) -> None:
    """Before the other one is published: of each kind one holds."""
    done = await session.execute(
        update(ScorecardRow)
        .where(ScorecardRow.id == former, ScorecardRow.state == "published")
        .values(state="superseded", superseded_by=by, superseded_at=at)
        .returning(ScorecardRow.id)
    )
    if done.one_or_none() is None:
        raise Conflict("Somebody else has just superseded it.", slug="already-superseded")


def _published(head: ScorecardHead, subjects: int) -> ScorecardPublished:
    if head.published_at is None or head.published_by is None:
        raise ValueError(f"scorecard {head.id} is not published")
    return ScorecardPublished(
        scorecard_id=head.id,
        level=head.level,
        depth=head.depth,
        period=head.period,
        org=head.org,
        subjects=subjects,
        indicators=[
            ComparedIndicator(indicator=each.indicator.key, subjects=each.subjects, groups=each.groups)
            for each in head.comparisons
        ],
        input_hash=head.method.input_hash,
        published_at=head.published_at,
        published_by=head.published_by,
        number=head.number or 1,
        supersedes=head.supersedes,
        reason=head.reason,
    )
