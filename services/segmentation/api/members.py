"""Members of segments: lists, history, profile, explanation."""

from typing import Annotated
from uuid import UUID

import numpy as np
from fastapi import Header, Path, Response

from services.segmentation.api.access import FeatureStore, NamedSegment, Reader
from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Segment, SegmentVersion
from services.segmentation.queries.explain import explain_rule
from services.segmentation.queries.members import change_page, member_batches, member_page
from services.segmentation.queries.memberships import (
    joined_at,
    members_by_key,
    members_of,
    segments_containing,
)
from services.segmentation.queries.profile import PROFILED, contrast_views, feature_matrix
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared import clock
from shared.columnar import ARROW, CSV, NDJSON, arrow_response
from shared.contracts.base import LocalText, Page
from shared.contracts.segmentation import (
    ChangeView,
    CustomerSegment,
    CustomerSegments,
    Explanation,
    MemberView,
    SegmentKind,
    SegmentProfile,
)
from shared.errors import NotFound
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["members"])

CustomerId = Annotated[UUID, Path(description="Id of the customer")]
_COLUMNAR = (ARROW, CSV, NDJSON)


@router.get(
    "/segments/{segment}/members",
    response_model=Page[MemberView],
    responses={
        200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _COLUMNAR}},
        **problem_responses(404),
    },
)
async def list_members(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    segment: NamedSegment,
    page: PageParams,
    accept: Annotated[str | None, Header(description="Arrow, CSV or NDJSON: all members at once")] = None,
) -> Page[MemberView] | Response:
    """Members within your organisation, by page; all of them where Arrow, CSV or NDJSON is accepted."""
    members = await members_of(session, segment.id)
    if accept is not None and any(media in accept for media in _COLUMNAR):
        batches = member_batches(store, to_array(members), principal.org)
        return arrow_response(reading.MEMBER_EXPORT, batches, accept)
    return await member_page(store, members, principal.org, page)


@router.get("/segments/{segment}/changes", responses=problem_responses(404))
async def list_changes(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment, page: PageParams
) -> Page[ChangeView]:
    """Who joined and who left, newest first, within your organisation."""
    return await change_page(session, store, segment.id, principal.org, page)


@router.get("/segments/{segment}/profile", responses=problem_responses(404))
async def get_segment_profile(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment
) -> SegmentProfile:
    """In which features the members differ from everybody, within your organisation."""
    members = await members_of(session, segment.id)
    moment = Moment(clock.now(), clock.ZONE)
    ordinals, matrix = await store.run(lambda cursor: feature_matrix(cursor, PROFILED, moment, principal.org))
    group = np.isin(ordinals, to_array(members))
    return SegmentProfile(
        segment_id=segment.id,
        key=segment.key,
        size=int(group.sum()),
        of=len(ordinals),
        evaluated_at=moment.at,
        contrasts=contrast_views(matrix, group),
    )


@router.get("/segments/{segment}/explain/{customer_id}", responses=problem_responses(404))
async def explain_membership(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment, customer_id: CustomerId
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
        explanation.holds_now, explanation.leaves = await store.run(
            lambda cursor: explain_rule(cursor, rule, ordinal, referred, moment)
        )
    return explanation


@router.get("/customers/{customer_id}/segments", responses=problem_responses(404))
async def list_customer_segments(
    session: Session, principal: Reader, store: FeatureStore, customer_id: CustomerId
) -> CustomerSegments:
    """The live segments this customer is in."""
    ordinal = await _ordinal(store, customer_id, principal.org)
    found = await segments_containing(session, ordinal)
    return CustomerSegments(
        customer_id=customer_id,
        segments=[await _customer_segment(session, segment, ordinal) for segment in found],
    )


async def _customer_segment(session: Session, segment: Segment, ordinal: int) -> CustomerSegment:
    return CustomerSegment(
        segment_id=segment.id,
        key=segment.key,
        name=LocalText.model_validate(segment.name),
        kind=SegmentKind(segment.kind),
        version=segment.evaluated_version or segment.version,
        since=await joined_at(session, segment.id, ordinal),
    )


async def _ordinal(store: Store, customer_id: UUID, org: str) -> int:
    ordinal = await store.run(lambda cursor: reading.ordinal_of(cursor, customer_id, org))
    if ordinal is None:
        raise NotFound(f"There is no customer {customer_id} in your organisation.")
    return ordinal
