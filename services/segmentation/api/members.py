"""Members of segments: lists, history, profile, explanation."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header, Path, Query, Response

from services.segmentation.api.access import FeatureStore, NamedSegment, Reader
from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Segment, SegmentVersion
from services.segmentation.queries.changes import Wanted, change_page
from services.segmentation.queries.explain import explain_rule
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.members import member_batches, member_page
from services.segmentation.queries.memberships import (
    joined_at,
    members_by_key,
    members_of,
    segments_containing,
)
from services.segmentation.queries.past_members import members_at, segments_containing_at, version_at
from services.segmentation.queries.segment_profile import segment_profile
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared import clock
from shared.columnar import ARROW, CSV, NDJSON, arrow_response
from shared.contracts.base import LocalText, Page, Timestamp
from shared.contracts.segmentation import (
    Cause,
    ChangeKind,
    ChangeView,
    CustomerSegment,
    CustomerSegments,
    Explanation,
    MemberView,
    SegmentKind,
    SegmentProfile,
)
from shared.errors import FieldError, NotFound, Unprocessable
from shared.pagination import PageParams
from shared.web import Rest, Router, Session, problem_responses

router = Router(tags=["members"])

AsOf = Annotated[Timestamp | None, Query(description="As it was at this moment")]
CustomerId = Annotated[UUID, Path(description="Id of the customer")]
_COLUMNAR = (ARROW, CSV, NDJSON)


@router.get(
    "/segments/{segment}/members",
    response_model=Page[MemberView],
    responses={
        200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _COLUMNAR}},
        **problem_responses(404, 422),
    },
)
async def list_members(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    segment: NamedSegment,
    page: PageParams,
    rest: Rest,
    as_of: AsOf = None,
    accept: Annotated[str | None, Header(description="Arrow, CSV or NDJSON: all members at once")] = None,
) -> Page[MemberView] | Response:
    """Members within your organisation, by page; all of them where Arrow, CSV or NDJSON is accepted.

    `as_of`: as they were then. Customers merged since stand under their own id, as they did; where they
    belong is as of today.
    """
    _check_past(as_of)
    members = await (members_at(session, segment, as_of) if as_of else members_of(session, segment.id))
    await rest()
    if accept is not None and any(media in accept for media in _COLUMNAR):
        batches = member_batches(store, to_array(members), principal.org)
        return arrow_response(reading.MEMBER_EXPORT, batches, accept)
    return await member_page(store, members, principal.org, page)


@router.get("/segments/{segment}/changes", responses=problem_responses(404, 422))
async def list_changes(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    segment: NamedSegment,
    page: PageParams,
    cause: Annotated[Cause | None, Query(description="Only for this reason")] = None,
    change: Annotated[ChangeKind | None, Query(description="Only who joined, or who left")] = None,
    since: Annotated[Timestamp | None, Query(description="Evaluated then or later")] = None,
    until: Annotated[Timestamp | None, Query(description="Evaluated before")] = None,
    customer: Annotated[UUID | None, Query(description="Only this customer's")] = None,
) -> Page[ChangeView]:
    """Who joined and who left, newest first, within your organisation. 404 for a customer outside it."""
    ordinal = None if customer is None else await _ordinal(store, customer, principal.org)
    wanted = Wanted(cause, change, since, until, ordinal)
    return await change_page(session, store, segment.id, principal.org, page, wanted)


@router.get("/segments/{segment}/profile", responses=problem_responses(404))
async def get_segment_profile(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment, rest: Rest
) -> SegmentProfile:
    """In which features the members differ from everybody, within your organisation."""
    members = await members_of(session, segment.id)
    await rest()
    return await store.run(lambda cursor: segment_profile(cursor, segment, members, principal.org))


@router.get("/segments/{segment}/explain/{customer_id}", responses=problem_responses(404))
async def explain_membership(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    segment: NamedSegment,
    customer_id: CustomerId,
    rest: Rest,
) -> Explanation:
    """Why this customer is a member or not: each condition's value and the events behind it."""
    ordinal = await _ordinal(store, customer_id, principal.org)
    moment = Moment(clock.now(), clock.ZONE)
    version = segment.live_version or segment.version
    definition = await session.get(SegmentVersion, (segment.id, version))
    member = ordinal in await members_of(session, segment.id)
    explanation = Explanation(
        customer_id=customer_id,
        segment_id=segment.id,
        key=segment.key,
        member=member,
        holds_now=None,
        since=await joined_at(session, segment.id, ordinal) if member else None,
        version=version,
        evaluated_at=moment.at,
        leaves=[],
    )
    if definition is not None and definition.sql is not None:
        rule = stored_rule(definition.sql)
        referred = await members_by_key(session, segment_keys(rule))
        catalogue = await load_catalogue(session)
        await rest()
        explanation.holds_now, explanation.leaves = await store.run(
            lambda cursor: explain_rule(cursor, rule, ordinal, referred, moment, catalogue)
        )
    return explanation


@router.get("/customers/{customer_id}/segments", responses=problem_responses(404, 422))
async def list_customer_segments(
    session: Session, principal: Reader, store: FeatureStore, customer_id: CustomerId, as_of: AsOf = None
) -> CustomerSegments:
    """The live segments this customer is in; `as_of`: those it was in then, also segments archived since."""
    _check_past(as_of)
    ordinal = await _ordinal(store, customer_id, principal.org)
    if as_of is None:
        found = await segments_containing(session, ordinal)
    else:
        found = await segments_containing_at(session, ordinal, as_of)
    return CustomerSegments(
        customer_id=customer_id,
        segments=[await _customer_segment(session, segment, ordinal, as_of) for segment in found],
    )


async def _customer_segment(
    session: Session, segment: Segment, ordinal: int, as_of: datetime | None
) -> CustomerSegment:
    then = await version_at(session, segment.id, as_of) if as_of else segment.evaluated_version
    return CustomerSegment(
        segment_id=segment.id,
        key=segment.key,
        name=LocalText.model_validate(segment.name),
        kind=SegmentKind(segment.kind),
        version=then or segment.version,
        since=await joined_at(session, segment.id, ordinal, as_of),
    )


def _check_past(as_of: datetime | None) -> None:
    if as_of is not None and as_of > clock.now():
        raise Unprocessable(
            "Nobody knows the members of tomorrow", errors=[FieldError("/query/as_of", "is in the future")]
        )


async def _ordinal(store: Store, customer_id: UUID, org: str) -> int:
    ordinal = await store.run(lambda cursor: reading.ordinal_of(cursor, customer_id, org))
    if ordinal is None:
        raise NotFound(f"There is no customer {customer_id} in your organisation.")
    return ordinal
