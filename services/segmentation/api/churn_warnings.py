"""Churn warnings and the win-back list."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response

from services.segmentation.api.access import BankStrategist, FeatureStore, Reader, Scorer
from services.segmentation.models import ChurnWarning
from services.segmentation.queries import churn_warnings as queries
from services.segmentation.queries.life_cycle import current_scheme, win_back_page
from services.segmentation.usecases import churn_warnings as usecase
from shared.contracts.base import Code, JobView, Key, OrgPath, Page
from shared.contracts.segmentation.churn_warnings import (
    ChurnWarningView,
    CloseWarning,
    RaiseWarnings,
    WarningState,
    WarningSummary,
    WinBackView,
)
from shared.jobs import location_of
from shared.pagination import PageParams, paginate
from shared.web import Rest, Router, Session, problem_responses

router = Router(tags=["churn-warnings"])

WarningId = Annotated[UUID, Path(description="Id of the warning")]


def _wanted(
    state: Annotated[
        list[WarningState] | None, Query(max_length=4, description="One or more; all without it")
    ] = None,
    org: Annotated[OrgPath | None, Query(description="This unit and those below")] = None,
    manager: Annotated[Code | None, Query(description="Primary manager")] = None,
    model: Annotated[Key | None, Query(description="Key of the churn model")] = None,
    run_id: Annotated[UUID | None, Query(description="The newest run that warned")] = None,
    customer_id: Annotated[UUID | None, Query(description="One customer's warnings")] = None,
) -> queries.Wanted:
    return queries.Wanted(state or (), org, manager, model, run_id, customer_id)


Filters = Annotated[queries.Wanted, Depends(_wanted)]


async def _locked(session: Session, warning_id: WarningId) -> ChurnWarning:
    return await queries.find_warning(session, warning_id, for_update=True)


LockedWarning = Annotated[ChurnWarning, Depends(_locked)]


@router.get("/churn-warnings")
async def list_churn_warnings(
    session: Session, principal: Reader, wanted: Filters, page: PageParams
) -> Page[ChurnWarningView]:
    """Customers of your organisation who may leave, most money at stake first, with reasons."""
    keys = [ChurnWarning.at_stake, ChurnWarning.id]
    statement = queries.warnings_of(wanted)
    return await paginate(session, statement, keys, page, queries.warning_row, descending=True)


@router.get("/churn-warnings/summary")
async def get_churn_warning_summary(session: Session, principal: Reader, wanted: Filters) -> WarningSummary:
    """How many warnings there are in each state, and how much is at stake."""
    return WarningSummary(states=await queries.counts_of(session, wanted))


@router.post("/churn-warnings:raise", status_code=202, responses=problem_responses(404, 409))
async def raise_churn_warnings(
    session: Session, principal: BankStrategist, body: RaiseWarnings, response: Response
) -> JobView:
    """Warn of those whom the newest run of a churn model lists. A run warns once, however often it is asked;
    open warnings of earlier runs that it does not repeat lapse.
    """
    job = await usecase.request_raise(session, principal, body.run_id)
    response.headers["Location"] = location_of(job)
    return job


@router.get("/churn-warnings/{warning_id}", responses=problem_responses(404))
async def get_churn_warning(session: Session, principal: Reader, warning_id: WarningId) -> ChurnWarningView:
    """One warning with its reasons."""
    return await queries.show_warning(session, await queries.find_warning(session, warning_id))


@router.post("/churn-warnings/{warning_id}:acknowledge", responses=problem_responses(404))
async def acknowledge_churn_warning(
    session: Session, principal: Scorer, warning: LockedWarning
) -> ChurnWarningView:
    """Somebody takes it up: later runs renew it and do not let it lapse."""
    await usecase.acknowledge(session, principal, warning)
    return await queries.show_warning(session, warning)


@router.post("/churn-warnings/{warning_id}:close", responses=problem_responses(404))
async def close_churn_warning(
    session: Session, principal: Scorer, warning: LockedWarning, body: CloseWarning
) -> ChurnWarningView:
    """What became of it."""
    await usecase.close(session, principal, warning, body.outcome)
    return await queries.show_warning(session, warning)


@router.get("/win-back")
async def list_win_back(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    page: PageParams,
    rest: Rest,
    org: Annotated[OrgPath | None, Query(description="This unit and those below")] = None,
    manager: Annotated[Code | None, Query(description="Primary manager")] = None,
) -> Page[WinBackView]:
    """Customers of your organisation in the stage `lost`, by the most they ever had in two years."""
    scheme = await current_scheme(session)
    scope = within(principal.org, org)
    if scope is None:
        return Page(items=[], next_cursor=None)
    await rest()
    return await store.run(lambda cursor: win_back_page(cursor, scheme, scope, manager, page))


def within(scope: str, wanted: str | None) -> str | None:
    """The narrower of the two units; none where they have nothing in common."""
    if wanted is None or scope == wanted or scope.startswith(f"{wanted}."):
        return scope
    return wanted if wanted.startswith(f"{scope}.") else None
