"""Scorecards of branches and managers: computed, looked at, published."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Path, Query, Response

from services.evaluation.api.access import ScorecardRead, ScorecardWrite
from services.evaluation.queries.scorecards import bulletin, head_page, history
from services.evaluation.usecases.scorecard_publication import request_publication
from services.evaluation.usecases.scorecards import request_draft
from shared.contracts.base import JobView, OrgPath, Page
from shared.contracts.evaluation.scorecards import (
    RankingBulletin,
    ScorecardHead,
    ScorecardLevel,
    ScorecardPeriod,
    ScorecardPublish,
    ScorecardState,
    ScorecardWanted,
    SubjectHistory,
)
from shared.jobs import location_of
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["scorecards"])

Subject = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$",
        description="Path of a branch, or a staff code",
        examples=["hq.sh.pudong"],
    ),
]

ScorecardId = Annotated[UUID, Path(description="Id of a draft or a published scorecard")]


@router.get("/scorecards")
async def list_scorecards(
    session: Session,
    principal: ScorecardRead,
    page: PageParams,
    level: Annotated[ScorecardLevel | None, Query(description="Only of branches, or only of staff")] = None,
    period: Annotated[ScorecardPeriod | None, Query(description="Only of this month or quarter")] = None,
    org: Annotated[OrgPath | None, Query(description="Only those that compare this organisation's")] = None,
    state: Annotated[
        ScorecardState | None, Query(description="Only those that hold, drafts, or superseded ones")
    ] = None,
) -> Page[ScorecardHead]:
    """Drafts and published ones, newest first, without their subjects. Managers see no drafts."""
    return await head_page(session, principal, page, level, period, org, state)


@router.post("/scorecards", status_code=202, responses=problem_responses(403))
async def draw_scorecard(
    session: Session,
    principal: ScorecardWrite,
    body: Annotated[ScorecardWanted, Body()],
    response: Response,
) -> JobView:
    """Compute a draft on everything published up to now; it replaces an earlier draft of the same."""
    job = await request_draft(session, principal, body)
    response.headers["Location"] = location_of(job)
    return job


@router.post("/scorecards:publish", status_code=202, responses=problem_responses(403, 404, 409))
async def publish_scorecard(
    session: Session,
    principal: ScorecardWrite,
    body: Annotated[ScorecardPublish, Body()],
    response: Response,
) -> JobView:
    """Freeze a draft as it stands, or compute and freeze what is asked for. One holds for each period, level
    and organisation, and it never changes; 409 while outcomes of the period are still open.

    One that does not hold is superseded: name it with the reason. It stays readable and says by what.
    """
    job = await request_publication(session, principal, body)
    response.headers["Location"] = location_of(job)
    return job


@router.get("/ranking-bulletins/{scorecard_id}", responses=problem_responses(404))
async def get_ranking_bulletin(
    session: Session,
    principal: ScorecardRead,
    scorecard_id: Annotated[UUID, Path(description="Id of a draft, or of what was ever published")],
) -> RankingBulletin:
    """Who is where, with intervals: the reader's own organisation and below; managers see themselves."""
    return await bulletin(session, principal, scorecard_id)


@router.get("/scorecards/{subject}", responses=problem_responses(404))
async def get_scorecards_of(session: Session, principal: ScorecardRead, subject: Subject) -> SubjectHistory:
    """One branch or manager over time, beside the others as a whole."""
    return await history(session, principal, subject)
