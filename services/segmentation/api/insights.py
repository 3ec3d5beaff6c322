"""Insight notes: from what somebody thinks about customers to what the data say."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from sqlalchemy import select

from services.segmentation.api.access import Analyst, BankStrategist, Contributor, FeatureStore, Reader
from services.segmentation.models import Insight, InsightComment
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.insights import (
    comment_row,
    insight_row,
    insights_with_counts,
    show_insight,
    test_views,
    tests_of,
)
from services.segmentation.queries.owned import find_owned, lock_owned, may_change
from services.segmentation.queries.segments import show_segment
from services.segmentation.usecases import insights as usecase
from services.segmentation.usecases.insight_tests import answer, keep_test, read_claim
from shared.contracts.base import Key, Page
from shared.contracts.segmentation import SegmentView
from shared.contracts.segmentation.insights import (
    CommentCreate,
    CommentView,
    InsightCreate,
    InsightDetail,
    InsightMove,
    InsightPatch,
    InsightState,
    InsightTestView,
    InsightView,
    PromoteRequest,
    TestRequest,
    VoteRequest,
)
from shared.contracts.segmentation.insights import Tag as InsightTag
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Rest, Router, Session, check_version, problem_responses, set_etag

router = Router(tags=["insights"])

InsightId = Annotated[UUID, Path(description="Id of the insight")]


async def _insight(session: Session, insight_id: InsightId) -> Insight:
    return await find_owned(session, Insight, insight_id)


async def _own_insight(session: Session, principal: Contributor, insight_id: InsightId) -> Insight:
    return await lock_owned(session, principal, Insight, insight_id)


NamedInsight = Annotated[Insight, Depends(_insight)]
OwnInsight = Annotated[Insight, Depends(_own_insight)]


@router.post("/insights", status_code=201)
async def propose_insight(
    session: Session, principal: Contributor, body: InsightCreate, response: Response
) -> InsightView:
    """Say what you think about customers. Free text must not name one: no numbers, no addresses."""
    insight = await usecase.propose(session, principal, body)
    response.headers["Location"] = f"/v1/insights/{insight.id}"
    set_etag(response, insight.revision)
    return await show_insight(session, insight, principal.id)


@router.get("/insights")
async def list_insights(
    session: Session,
    principal: Reader,
    page: PageParams,
    state: Annotated[InsightState | None, Query(description="Only in this state")] = None,
    tag: Annotated[InsightTag | None, Query(description="Only with this tag")] = None,
    segment: Annotated[Key | None, Query(description="Only about this segment")] = None,
) -> Page[InsightView]:
    """Insights of your unit, of those below, and of those above. Newest first."""
    statement = insights_with_counts(principal.id)
    if state is not None:
        statement = statement.where(Insight.state == state)
    if tag is not None:
        statement = statement.where(Insight.tags.contains([tag]))
    if segment is not None:
        statement = statement.where(Insight.segment == segment)
    return await paginate(session, statement, [Insight.id], page, insight_row, descending=True)


@router.get("/insights/{insight_id}", responses=problem_responses(404))
async def get_insight(
    session: Session, principal: Reader, insight: NamedInsight, response: Response
) -> InsightDetail:
    """One insight with its tests, newest first."""
    set_etag(response, insight.revision)
    shown = await show_insight(session, insight, principal.id)
    results = test_views(await tests_of(session, insight.id), await load_catalogue(session))
    return InsightDetail(**shown.model_dump(exclude={"group"}), group=shown.group, results=results)


@router.patch("/insights/{insight_id}", responses=problem_responses(404, 409, 412, 428))
async def change_insight(
    session: Session,
    principal: Contributor,
    insight: OwnInsight,
    body: InsightPatch,
    expected: IfMatch,
    response: Response,
) -> InsightView:
    """By its author or a strategist."""
    check_version(insight.revision, expected)
    await usecase.change(session, principal, insight, body)
    set_etag(response, insight.revision)
    return await show_insight(session, insight, principal.id)


@router.post("/insights/{insight_id}:move", responses=problem_responses(404, 409))
async def move_insight(
    session: Session, principal: Analyst, insight: OwnInsight, body: InsightMove, response: Response
) -> InsightView:
    """To one of `next_states`. Validated and refuted need a newest test that says so; 409 names what is
    legal.
    """
    await usecase.move(session, principal, insight, body)
    set_etag(response, insight.revision)
    return await show_insight(session, insight, principal.id)


@router.post("/insights/{insight_id}:vote", responses=problem_responses(404, 409))
async def vote_on_insight(
    session: Session, principal: Contributor, insight: NamedInsight, body: VoteRequest
) -> InsightView:
    """For or against; one vote per person, the last one counts."""
    await usecase.vote(session, principal, insight, body.value)
    return await show_insight(session, insight, principal.id)


@router.post("/insights/{insight_id}/comments", status_code=201, responses=problem_responses(404, 409))
async def comment_on_insight(
    session: Session, principal: Contributor, insight: NamedInsight, body: CommentCreate
) -> CommentView:
    """Say what you think of it, or point to evidence elsewhere."""
    return comment_row((await usecase.comment(session, principal, insight, body),))


@router.get("/insights/{insight_id}/comments", responses=problem_responses(404))
async def list_insight_comments(
    session: Session, principal: Reader, insight: NamedInsight, page: PageParams
) -> Page[CommentView]:
    """The discussion, oldest first."""
    statement = select(InsightComment).where(InsightComment.insight_id == insight.id)
    return await paginate(session, statement, [InsightComment.id], page, comment_row)


@router.post("/insights/{insight_id}:test", status_code=201, responses=problem_responses(404, 409))
async def test_insight_on_data(
    session: Session,
    principal: Analyst,
    store: FeatureStore,
    insight: NamedInsight,
    body: TestRequest,
    rest: Rest,
) -> InsightTestView:
    """Compare a group's mean with everybody else's or another group's, within your organisation, now.

    The result stays with the insight. Every further test of it makes the correction stricter.
    """
    may_change(principal, insight)
    claim = await read_claim(session, principal, insight, body)
    await rest()
    found = await store.run(lambda cursor: answer(cursor, claim))
    own = await lock_owned(session, principal, Insight, insight.id)
    test = await keep_test(session, principal, own, claim, found)
    views = test_views(await tests_of(session, own.id), claim.catalogue)
    return next(view for view in views if view.id == test.id)


@router.post("/insights/{insight_id}:promote", status_code=201, responses=problem_responses(404, 409))
async def promote_insight(
    session: Session, principal: BankStrategist, insight: OwnInsight, body: PromoteRequest, response: Response
) -> SegmentView:
    """A validated insight becomes a draft segment whose description links back."""
    segment = await usecase.promote(session, principal, insight, body)
    response.headers["Location"] = f"/v1/segments/{segment.id}"
    return await show_segment(session, segment)
