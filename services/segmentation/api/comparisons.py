"""Segments against each other: combine, overlap, impact."""

from services.segmentation.api.access import FeatureStore, NamedSegment, Reader
from services.segmentation.queries.comparisons import overlap_view
from services.segmentation.usecases import combinations
from services.segmentation.usecases import impact as usecase
from shared.contracts.segmentation.comparisons import (
    Combination,
    CombineRequest,
    DependantsView,
    ImpactRequest,
    ImpactView,
    OverlapRequest,
    OverlapView,
)
from shared.web import Router, Session, problem_responses

router = Router(tags=["segments"])


@router.post("/segments:combine", responses=problem_responses(409, 422))
async def combine_segments(
    session: Session, principal: Reader, store: FeatureStore, body: CombineRequest
) -> Combination:
    """Union, intersection or difference of live segments: the count within your organisation, some of the
    customers, and the same as a rule. Strategists may keep it as a draft with `save_as`.
    """
    return await combinations.combine(session, principal, store, body)


@router.post("/segments:overlap", responses=problem_responses(422))
async def overlap_segments(
    session: Session, principal: Reader, store: FeatureStore, body: OverlapRequest
) -> OverlapView:
    """How many members each two of up to 50 live segments share within your organisation, with Jaccard index
    and lift.
    """
    return await overlap_view(session, store, body.segments, principal.org)


@router.get("/segments/{segment}/impact", responses=problem_responses(404))
async def get_segment_impact(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment
) -> DependantsView:
    """Which segments lean on this one. While one refers to it directly it cannot be archived."""
    return await usecase.dependants(session, store, segment, principal.org)


@router.post("/segments/{segment}:impact", responses=problem_responses(404, 409, 422))
async def preview_segment_impact(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment, body: ImpactRequest
) -> ImpactView:
    """What publishing an unsaved definition would do now: exactly who joins and leaves this segment, and how
    the live segments that lean on it follow. Without a definition: what its absence would do to them.
    """
    return await usecase.impact(session, store, segment, body, principal.org)
