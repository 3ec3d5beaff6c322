"""Life-cycle stages: where customers are, how they moved, and what separates the stages."""

from datetime import date
from typing import Annotated

from fastapi import Query, Response

from services.segmentation.api.access import BankStrategist, FeatureStore, Reader
from services.segmentation.queries import life_cycle as queries
from services.segmentation.usecases.life_cycle import change_scheme
from shared import clock
from shared.contracts.segmentation.life_cycle import (
    LifeCycleSchemeView,
    StageCounts,
    StageTransitions,
    Thresholds,
)
from shared.errors import FieldError, Unprocessable
from shared.web import IfMatch, Rest, Router, Session, check_version, problem_responses, set_etag

router = Router(tags=["life-cycle"])

FIRST = date(1900, 1, 1)
"""Before every customer; and times still have an equal in other zones."""


@router.get("/life-cycle/scheme")
async def get_life_cycle_scheme(
    session: Session, principal: Reader, response: Response
) -> LifeCycleSchemeView:
    """What separates the stages. In rules the stage is the feature `life_cycle_stage`."""
    scheme = await queries.current_scheme(session)
    set_etag(response, scheme.version)
    return queries.scheme_view(scheme)


@router.put("/life-cycle/scheme", responses=problem_responses(412, 428))
async def put_life_cycle_scheme(
    session: Session, principal: BankStrategist, body: Thresholds, expected: IfMatch, response: Response
) -> LifeCycleSchemeView:
    """Change the thresholds. Live segments that ask for the stage are evaluated again."""
    scheme = await queries.current_scheme(session, for_update=True)
    check_version(scheme.version, expected)
    changed = await change_scheme(session, principal, scheme, body)
    set_etag(response, changed.version)
    return queries.scheme_view(changed)


@router.get("/life-cycle/stages")
async def get_life_cycle_stages(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    rest: Rest,
    as_of: Annotated[date | None, Query(ge=FIRST, description="Business date; today without it")] = None,
) -> StageCounts:
    """How many customers of your organisation are in each stage."""
    scheme, day = await queries.current_scheme(session), as_of or clock.today()
    await rest()
    return await store.run(lambda cursor: queries.stage_counts(cursor, scheme, day, principal.org))


@router.get("/life-cycle/transitions")
async def get_life_cycle_transitions(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    rest: Rest,
    since: Annotated[date, Query(ge=FIRST, description="Business date", examples=["2026-08-31"])],
    until: Annotated[date | None, Query(ge=FIRST, description="Business date; today without it")] = None,
) -> StageTransitions:
    """From which stage to which customers moved between the ends of two dates."""
    end = until or clock.today()
    if end <= since:
        raise Unprocessable(
            "The second date must be later.", errors=[FieldError("/query/until", "is not after `since`")]
        )
    scheme = await queries.current_scheme(session)
    await rest()
    return await store.run(
        lambda cursor: queries.stage_transitions(cursor, scheme, since, end, principal.org)
    )
