"""Optimisations: which campaign contacts whom, within what all of them share."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import Overseer, Planner
from services.campaign.queries import optimisations as queries
from services.campaign.usecases.optimisation_binding import apply, unbind
from services.campaign.usecases.optimisations import request_optimisation
from shared.contracts.base import Code, Page
from shared.contracts.campaign.optimisations import (
    ChosenContact,
    CustomerOptions,
    ManagerShare,
    OptimisationSummary,
    OptimisationView,
    OptimisationWrite,
)
from shared.jobs import location_of
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["optimisations"])

_RESULT = problem_responses(404, 409)


@router.post("/optimisations", status_code=202, summary="Optimise contacts")
async def create_optimisation(
    session: Session, principal: Planner, response: Response, body: OptimisationWrite
) -> OptimisationView:
    """Weighs campaigns that are not launched yet against each other, over your organisation's customers.
    The job in `Location` shows its progress, and cancels it: nothing of a cancelled run is kept. Nobody is
    contacted.
    """
    run, job = await request_optimisation(session, principal, body)
    response.headers["Location"] = location_of(job)
    return await queries.optimisation_view(session, run)


@router.get("/optimisations", summary="List optimisations")
async def list_optimisations(
    session: Session, principal: Overseer, page: PageParams
) -> Page[OptimisationSummary]:
    """Newest first."""
    return await queries.list_optimisations(session, page)


@router.get(
    "/optimisations/{optimisation_id}", summary="Read an optimisation", responses=problem_responses(404)
)
async def get_optimisation(session: Session, principal: Overseer, optimisation_id: UUID) -> OptimisationView:
    """What was asked and, once it has succeeded, value, bound, gap and the price of every limit."""
    found = await queries.find_optimisation(session, optimisation_id)
    return await queries.optimisation_view(session, found)


@router.post(
    "/optimisations/{optimisation_id}:apply",
    summary="Contact the chosen",
    responses=_RESULT,
)
async def apply_optimisation(session: Session, principal: Planner, optimisation_id: UUID) -> OptimisationView:
    """Binds all of its campaigns, or none: one that was launched, or whose content has changed since the run,
    refuses the whole. Their launches contact whom the run chose and suppress others with `not_chosen`, also
    those who come into the audience later. Arms and hold-out are drawn by hash among the chosen. The choice
    is content: review and approval are void.
    """
    found = await queries.finished_optimisation(session, optimisation_id)
    await apply(session, principal, found)
    return await queries.optimisation_view(session, found)


@router.post("/optimisations/{optimisation_id}:unbind", summary="Take the choice back", responses=_RESULT)
async def unbind_optimisation(
    session: Session, principal: Planner, optimisation_id: UUID
) -> OptimisationView:
    """From all campaigns bound to it that are not launched: the contact policy alone decides again. Their
    review and approval are void.
    """
    found = await queries.finished_optimisation(session, optimisation_id)
    await unbind(session, principal, found)
    return await queries.optimisation_view(session, found)


@router.get(
    "/optimisations/{optimisation_id}/contacts", summary="List the chosen contacts", responses=_RESULT
)
async def list_optimised_contacts(
    session: Session,
    principal: Overseer,
    page: PageParams,
    optimisation_id: UUID,
    campaign_id: Annotated[UUID | None, Query(description="Only those of this campaign")] = None,
    manager: Annotated[Code | None, Query(description="Only those of this manager")] = None,
) -> Page[ChosenContact]:
    """By campaign and customer."""
    found = await queries.finished_optimisation(session, optimisation_id)
    return await queries.list_contacts(session, found.id, campaign_id, manager, page)


@router.get("/optimisations/{optimisation_id}/managers", summary="List what managers get", responses=_RESULT)
async def list_optimised_managers(
    session: Session, principal: Overseer, page: PageParams, optimisation_id: UUID
) -> Page[ManagerShare]:
    """Whose minutes are worth most first."""
    found = await queries.finished_optimisation(session, optimisation_id)
    return await queries.list_managers(session, found.id, page)


@router.get(
    "/optimisations/{optimisation_id}/customers/{customer_id}",
    summary="Explain a customer",
    responses=_RESULT,
)
async def explain_optimised_customer(
    session: Session, principal: Overseer, optimisation_id: UUID, customer_id: UUID
) -> CustomerOptions:
    """For each campaign whose audience the customer was in: chosen, or the rule or limit that stood in its
    way.
    """
    found = await queries.finished_optimisation(session, optimisation_id)
    return await queries.options_of(session, found, customer_id)
