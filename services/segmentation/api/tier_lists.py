"""Applying tier schemes: lists of moves, their approval, and what moved."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response

from services.segmentation.api.access import BankApprover, BankStrategist, FeatureStore, Reader
from services.segmentation.api.tiers import LockedScheme
from services.segmentation.models.tier import TierList
from services.segmentation.queries import tiers as queries
from services.segmentation.queries.tier_changes import Wanted, change_page
from services.segmentation.store import reading
from services.segmentation.usecases import tier_lists as usecase
from shared.contracts.base import Key, Page
from shared.contracts.segmentation.tiers import (
    ApplyRequest,
    DecisionRequest,
    Move,
    RejectionRequest,
    TierCause,
    TierChangeView,
    TierListState,
    TierListView,
)
from shared.errors import NotFound
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses

router = Router(tags=["tiers"])

ListId = Annotated[UUID, Path(description="Id of the list")]


async def _list(session: Session, list_id: ListId) -> TierList:
    return await queries.find_list(session, list_id, for_update=True)


LockedList = Annotated[TierList, Depends(_list)]


@router.post("/tier-schemes/{scheme}:apply", status_code=202, responses=problem_responses(404))
async def apply_tier_scheme(
    session: Session, principal: BankStrategist, scheme: LockedScheme, body: ApplyRequest, response: Response
) -> TierListView:
    """Compute who moves, for all customers; the job in `Location` shows its progress. The list then waits for
    approval and takes the place of an older one that still waits. A dry run only shows.
    """
    entry = await usecase.request_list(session, principal, scheme, body)
    response.headers["Location"] = f"/v1/jobs/{entry.job_id}"
    return queries.list_view(entry, scheme.key)


@router.get("/tier-lists", responses=problem_responses(404))
async def list_tier_lists(
    session: Session,
    principal: Reader,
    page: PageParams,
    scheme: Annotated[str | None, Query(description="Id or key of a scheme", max_length=80)] = None,
    state: Annotated[TierListState | None, Query(description="Only these")] = None,
    cause: Annotated[TierCause | None, Query(description="Only these")] = None,
) -> Page[TierListView]:
    """Lists, newest first."""
    statement = queries.lists_with_scheme()
    if scheme is not None:
        statement = statement.where(TierList.scheme_id == (await queries.find_scheme(session, scheme)).id)
    if state is not None:
        statement = statement.where(TierList.state == state)
    if cause is not None:
        statement = statement.where(TierList.cause == cause)
    return await paginate(
        session,
        statement,
        [TierList.id],
        page,
        queries.list_row,
        descending=True,
    )


@router.get("/tier-lists/{list_id}", responses=problem_responses(404))
async def get_tier_list(session: Session, principal: Reader, list_id: ListId) -> TierListView:
    """One list: state, counts by direction, who made and who decided it."""
    return await queries.show_list(session, await queries.find_list(session, list_id))


@router.post("/tier-lists/{list_id}:approve", status_code=202, responses=problem_responses(404, 409))
async def approve_tier_list(
    session: Session, principal: BankApprover, entry: LockedList, body: DecisionRequest, response: Response
) -> TierListView:
    """Let the moves take effect, by the job in `Location`. Not by whoever asked for the list."""
    await usecase.approve_list(session, principal, entry, body.comment)
    response.headers["Location"] = f"/v1/jobs/{entry.job_id}"
    return await queries.show_list(session, entry)


@router.post("/tier-lists/{list_id}:reject", responses=problem_responses(404, 409))
async def reject_tier_list(
    session: Session, principal: BankApprover, entry: LockedList, body: RejectionRequest
) -> TierListView:
    """Refuse the list, saying why: nobody moves. Not by whoever asked for it."""
    await usecase.reject_list(session, principal, entry, body.comment)
    return await queries.show_list(session, entry)


@router.get("/tier-changes", responses=problem_responses(404))
async def list_tier_changes(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    page: PageParams,
    scheme: Annotated[str | None, Query(description="Id or key of a scheme", max_length=80)] = None,
    list_id: Annotated[
        UUID | None, Query(description="Moves of this list, whatever its state; else only what took effect")
    ] = None,
    customer_id: Annotated[UUID | None, Query(description="Only this customer's")] = None,
    move: Annotated[Move | None, Query(description="Only this direction")] = None,
    to_tier: Annotated[Key | None, Query(description="Only moves into this tier")] = None,
) -> Page[TierChangeView]:
    """Who moved up or down and why, newest list first, within your organisation."""
    ordinal = None
    if customer_id is not None:
        ordinal = await store.run(lambda cursor: reading.ordinal_of(cursor, customer_id, principal.org))
        if ordinal is None:
            raise NotFound(f"There is no customer {customer_id} in your organisation.")
    scheme_id = (await queries.find_scheme(session, scheme)).id if scheme is not None else None
    if list_id is not None:
        await queries.find_list(session, list_id)
    wanted = Wanted(scheme_id, list_id, ordinal, move, to_tier)
    return await change_page(session, store, wanted, principal.org, page)
