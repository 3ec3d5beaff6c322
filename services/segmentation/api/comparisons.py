"""Segments against each other: combine, overlap, impact."""

from services.segmentation.api.access import FeatureStore, NamedSegment, Reader
from services.segmentation.queries.comparisons import compared, overlap_view
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
from shared.web import Rest, Router, Session, problem_responses

router = Router(tags=["segments"])


@router.post("/segments:combine", responses=problem_responses(409, 422))
async def combine_segments(
    session: Session, principal: Reader, store: FeatureStore, body: CombineRequest, rest: Rest
) -> Combination:
    """Union, intersection or difference of live segments: the count within your organisation, some of the
    customers, and the same as a rule. Strategists may keep it as a draft with `save_as`.
    """
    if body.save_as is not None:
        combinations.may_save(principal)
    found = await compared(session, body.segments)
    await rest()
    shown = await store.run(lambda cursor: combinations.combine(cursor, found, body, principal.org))
    if body.save_as is not None:
        shown.saved = await combinations.save(session, principal, body.save_as, shown.sql)
    return shown


@router.post("/segments:overlap", responses=problem_responses(422))
async def overlap_segments(
    session: Session, principal: Reader, store: FeatureStore, body: OverlapRequest, rest: Rest
) -> OverlapView:
    """How many members each two of up to 50 live segments share within your organisation, with Jaccard index
    and lift.
    """
    found = await compared(session, body.segments)
    await rest()
    return await store.run(lambda cursor: overlap_view(cursor, found, principal.org))


@router.get("/segments/{segment}/impact", responses=problem_responses(404))
async def get_segment_impact(
    session: Session, principal: Reader, store: FeatureStore, segment: NamedSegment, rest: Rest
) -> DependantsView:
    """What leans on this segment: other segments, of which one that refers to it directly keeps it from being
    archived; models, target profiles, insights and running campaigns.
    """
    found = await usecase.leaning(session, segment)
    await rest()
    return await store.run(lambda cursor: usecase.dependants(cursor, segment, found, principal.org))


@router.post("/segments/{segment}:impact", responses=problem_responses(404, 409, 422))
async def preview_segment_impact(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    segment: NamedSegment,
    body: ImpactRequest,
    rest: Rest,
) -> ImpactView:
    """What publishing an unsaved definition would do now: exactly who joins and leaves this segment, and how
    the live segments that lean on it follow. Without a definition: what its absence would do to them.
    """
    asked = await usecase.impact_question(session, segment, body)
    await rest()
    return await store.run(lambda cursor: usecase.impact(cursor, asked, body.sample, principal.org))
