"""Segments: define, preview, publish, refresh, archive."""

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import select

from services.segmentation.api.access import (
    BankStrategist,
    FeatureStore,
    Feed,
    LockedSegment,
    NamedSegment,
    Reader,
)
from services.segmentation.domain.definitions import read_definition
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import EvaluationState, Segment
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.memberships import members_by_key
from services.segmentation.queries.preview import preview
from services.segmentation.queries.segments import row_view, segments_with_definition, show_segment
from services.segmentation.usecases import segments as usecase
from services.segmentation.usecases.feed import STREAM
from shared.contracts.base import JobView, Page
from shared.contracts.segmentation import (
    FeedView,
    PreviewRequest,
    PreviewView,
    SegmentCreate,
    SegmentKind,
    SegmentPatch,
    SegmentState,
    SegmentView,
)
from shared.errors import Conflict
from shared.jobs import location_of
from shared.pagination import PageParams, paginate
from shared.web import (
    CurrentRuntime,
    IfMatch,
    Rest,
    Router,
    Session,
    check_version,
    problem_responses,
    set_etag,
)

router = Router(tags=["segments"])


@router.post("/segments", status_code=201, responses=problem_responses(409))
async def create_segment(
    session: Session, principal: BankStrategist, body: SegmentCreate, response: Response
) -> SegmentView:
    """A draft with version 1 of its rule, as SQL or as a condition tree. `:publish` makes it live."""
    segment = await usecase.create_segment(session, principal, body)
    response.headers["Location"] = f"/v1/segments/{segment.id}"
    set_etag(response, segment.revision)
    return await show_segment(session, segment)


@router.get("/segments")
async def list_segments(
    session: Session,
    principal: Reader,
    page: PageParams,
    state: Annotated[SegmentState | None, Query(description="Only segments in this state")] = None,
    kind: Annotated[SegmentKind | None, Query(description="Only segments of this kind")] = None,
) -> Page[SegmentView]:
    """Segments by key, with the newest version of their definition."""
    statement = segments_with_definition()
    if state is not None:
        statement = statement.where(Segment.state == state)
    if kind is not None:
        statement = statement.where(Segment.kind == kind)
    return await paginate(session, statement, [Segment.key], page, row_view)


@router.post("/segments:preview")
async def preview_segment(
    session: Session, principal: Reader, store: FeatureStore, body: PreviewRequest, rest: Rest
) -> PreviewView:
    """Exact count of an unsaved rule now, within your organisation, and how many each condition passes."""
    catalogue = await load_catalogue(session)
    rule = read_definition(body.definition, catalogue)
    members = await members_by_key(session, segment_keys(rule))
    await rest()
    return await store.run(
        lambda cursor: preview(cursor, rule, members, principal.org, body.sample, catalogue)
    )


@router.get("/segments/{segment}", responses=problem_responses(404))
async def get_segment(
    session: Session, principal: Reader, segment: NamedSegment, response: Response
) -> SegmentView:
    """One segment by id or key."""
    set_etag(response, segment.revision)
    return await show_segment(session, segment)


@router.patch("/segments/{segment}", responses=problem_responses(404, 409, 412, 428))
async def edit_segment(
    session: Session,
    principal: BankStrategist,
    segment: LockedSegment,
    body: SegmentPatch,
    expected: IfMatch,
    response: Response,
) -> SegmentView:
    """Change name, refresh or rule. A changed rule is a new version; `:publish` makes it decide."""
    check_version(segment.revision, expected)
    await usecase.edit_segment(session, principal, segment, body)
    set_etag(response, segment.revision)
    return await show_segment(session, segment)


@router.delete("/segments/{segment}", responses=problem_responses(404, 409, 412, 428))
async def archive_segment(
    session: Session, principal: BankStrategist, segment: LockedSegment, expected: IfMatch, response: Response
) -> SegmentView:
    """Take the segment out of use; its history stays. Refused while other segments refer to it."""
    check_version(segment.revision, expected)
    await usecase.archive_segment(session, principal, segment)
    set_etag(response, segment.revision)
    return await show_segment(session, segment)


@router.post("/segments/{segment}:publish", responses=problem_responses(404, 409))
async def publish_segment(
    session: Session, principal: BankStrategist, segment: LockedSegment, response: Response
) -> SegmentView:
    """Make the newest version live. Members follow with the job in `Location`, usually within a second;
    `evaluated_version` then equals `live_version`.
    """
    job = await usecase.publish_segment(session, principal, segment)
    if job is not None:
        response.headers["Location"] = location_of(job)
    set_etag(response, segment.revision)
    return await show_segment(session, segment)


@router.post("/segments/{segment}:restore", responses=problem_responses(404, 409, 422))
async def restore_segment(
    session: Session, principal: BankStrategist, segment: LockedSegment, response: Response
) -> SegmentView:
    """Take an archived rule segment out of the archive, as a draft; `:publish` brings its members back."""
    await usecase.restore_segment(session, principal, segment)
    set_etag(response, segment.revision)
    return await show_segment(session, segment)


@router.post("/segments/{segment}:refresh", status_code=202, responses=problem_responses(404, 409))
async def refresh_segment(
    session: Session, principal: BankStrategist, segment: NamedSegment, response: Response
) -> JobView:
    """Evaluate a live segment now, whatever its `refresh` says."""
    if segment.state != SegmentState.live:
        raise Conflict(f"The segment is {segment.state}: only live segments have members.")
    if segment.kind != SegmentKind.rule:
        raise Conflict("The members of a cluster come from its model run.")
    job = await usecase.request_refresh(session, principal, [segment.id])
    response.headers["Location"] = location_of(job)
    return job


@router.get("/feed")
async def get_feed(session: Session, principal: Reader, feed: Feed, runtime: CurrentRuntime) -> FeedView:
    """How far the customer stream has been applied here, and when segments were last evaluated."""
    last = await runtime.bus.last_sequence(STREAM)
    applied = feed.watermark(STREAM)
    evaluated = await session.scalar(select(EvaluationState.evaluated_at))
    return FeedView(
        stream=STREAM, applied=applied, last=last, lag=max(0, last - applied), evaluated_at=evaluated
    )
