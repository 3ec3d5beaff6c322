"""Whose customer it is."""

from datetime import date
from typing import Annotated

from fastapi import Query, Response

from services.customer.api.access import CustomerRead, OwnershipChange
from services.customer.api.customers import CustomerId, VaultOfProcess
from services.customer.models import CustomerBranch, OwnershipChangeRow
from services.customer.queries import ownership as queries
from services.customer.queries.customers import customer_view
from services.customer.usecases.ownership import change_ownership
from shared import clock
from shared.contracts.base import OrgPath, Page
from shared.contracts.customer import CustomerView
from shared.contracts.customer.ownership import (
    CoManaged,
    OwnershipAssignment,
    OwnershipChangeView,
    OwnershipView,
)
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["ownership"])


@router.put("/customers/{customer_id}/ownership", responses=problem_responses(404, 409, 412, 428))
async def put_customer_ownership(
    session: Session,
    principal: OwnershipChange,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    body: OwnershipAssignment,
    expected: IfMatch,
    response: Response,
) -> CustomerView:
    """Assign lead branch, primary and backup manager and the branches' shares within your organisation."""
    await change_ownership(session, vault, principal, customer_id, body, expected)
    view = await customer_view(session, vault, customer_id)
    set_etag(response, view.version)
    return view


@router.get("/customers/{customer_id}/ownership", responses=problem_responses(404))
async def get_customer_ownership(
    session: Session,
    principal: CustomerRead,
    customer_id: CustomerId,
    response: Response,
    as_of: Annotated[date | None, Query(description="The owners on this day; today by default")] = None,
) -> OwnershipView:
    """Lead and co-managing branches with their shares, managers A and B."""
    view = await queries.ownership(session, customer_id, as_of or clock.today())
    set_etag(response, view.version)
    return view


@router.get("/customers/{customer_id}/ownership/changes", responses=problem_responses(400, 404))
async def list_customer_ownership_changes(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    page: PageParams,
) -> Page[OwnershipChangeView]:
    """Every change of branch or managers, newest first: who, when, why and from which day on."""
    statement = await queries.changes_of(session, customer_id)
    return await paginate(
        session,
        statement,
        [OwnershipChangeRow.seq],
        page,
        lambda row: queries.change_view(vault, row),
        descending=True,
    )


@router.get("/co-managed-customers", responses=problem_responses(400))
async def list_co_managed_customers(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    org: Annotated[OrgPath | None, Query(description="Of this unit and those below it")] = None,
) -> Page[CoManaged]:
    """Customers your branches share while another leads them.

    The file itself belongs to the lead branch: what a co-managing branch may see of it is its share.
    """
    return await paginate(
        session,
        queries.co_managed(org),
        [CustomerBranch.id],
        page,
        lambda row: queries.co_managed_view(row[0]),
    )
