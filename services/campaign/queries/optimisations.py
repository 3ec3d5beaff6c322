"""Reads of optimisations."""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import (
    Campaign,
    Customer,
    Optimisation,
    OptimisedContact,
    OptimisedManager,
    OptimisedPart,
)
from services.campaign.queries.optimisation_parts import PART_BITS, options_in
from shared.contracts.base import Page
from shared.contracts.campaign.optimisations import (
    BoundCampaign,
    ChosenContact,
    CustomerOptions,
    ManagerShare,
    OptimisationSummary,
    OptimisationView,
    OptimisationWrite,
)
from shared.errors import Conflict, NotFound
from shared.pagination import PageRequest, paginate


async def find_optimisation(session: AsyncSession, optimisation_id: UUID) -> Optimisation:
    """Row-level security hides those of other organisations."""
    found = await session.get(Optimisation, optimisation_id)
    if found is None:
        raise NotFound(f"no optimisation {optimisation_id}")
    return found


async def finished_optimisation(session: AsyncSession, optimisation_id: UUID) -> Optimisation:
    found = await find_optimisation(session, optimisation_id)
    if found.result is None:
        raise Conflict(f"the optimisation is {found.state} and has no result", slug="no-result")
    return found


async def optimisation_view(session: AsyncSession, row: Optimisation) -> OptimisationView:
    values = _columns(row, OptimisationSummary) | {
        name: getattr(row, name) for name in ("request", "job_id", "problem", "result")
    }
    return OptimisationView.model_validate(values | {"bound": await _bound(session, row)})


async def _bound(session: AsyncSession, run: Optimisation) -> list[BoundCampaign]:
    rows = await session.scalars(
        select(Campaign)
        .where(
            Campaign.id.in_(campaigns_of(run)),
            bound_to(run.id),
        )
        .order_by(Campaign.id)
    )
    return [BoundCampaign(campaign_id=row.id, key=row.key, status=row.status) for row in rows]


def bound_to(optimisation_id: UUID) -> ColumnElement[bool]:
    column: ColumnElement[Any] = Campaign.content.expression
    bound: ColumnElement[bool] = column["optimisation"]["optimisation_id"].astext == str(optimisation_id)
    return bound


def campaigns_of(run: Optimisation) -> list[UUID]:
    """Those that competed, in the order they were named."""
    return [terms.campaign_id for terms in OptimisationWrite.model_validate(run.request).campaigns]


async def list_optimisations(session: AsyncSession, page: PageRequest) -> Page[OptimisationSummary]:
    return await paginate(
        session,
        select(Optimisation),
        [Optimisation.id.expression],
        page,
        lambda row: OptimisationSummary.model_validate(_columns(row[0], OptimisationSummary)),
        descending=True,
    )


def _columns(row: Optimisation, model: type[OptimisationSummary]) -> dict[str, object]:
    names = [name for name in model.model_fields if name != "org"]
    return {"org": row.org_path, **{name: getattr(row, name) for name in names}}


async def list_contacts(
    session: AsyncSession,
    optimisation_id: UUID,
    campaign_id: UUID | None,
    manager: str | None,
    page: PageRequest,
) -> Page[ChosenContact]:
    query = select(OptimisedContact).where(OptimisedContact.optimisation_id == optimisation_id)
    if campaign_id is not None:
        query = query.where(OptimisedContact.campaign_id == campaign_id)
    if manager is not None:
        query = query.where(OptimisedContact.manager == manager)
    keys = [OptimisedContact.campaign_id.expression, OptimisedContact.customer_id.expression]
    return await paginate(session, query, keys, page, lambda row: _contact(row[0]))


def _contact(row: OptimisedContact) -> ChosenContact:
    return ChosenContact(
        customer_id=row.customer_id,
        campaign_id=row.campaign_id,
        manager=row.manager,
        branch=row.org_path,
        value=row.value,
    )


async def list_managers(
    session: AsyncSession, optimisation_id: UUID, page: PageRequest
) -> Page[ManagerShare]:
    query = select(OptimisedManager).where(OptimisedManager.optimisation_id == optimisation_id)
    return await paginate(
        session,
        query,
        [OptimisedManager.price.expression, OptimisedManager.manager.expression],
        page,
        lambda row: ManagerShare.model_validate(
            {name: getattr(row[0], name) for name in ManagerShare.model_fields}
        ),
        descending=True,
    )


async def options_of(session: AsyncSession, found: Optimisation, customer_id: UUID) -> CustomerOptions:
    """Why each campaign contacts the customer or not, as the run left it."""
    ordinal = await session.scalar(
        select(Customer.ordinal).where(Customer.id == customer_id, Customer.status != "erased")
    )
    if ordinal is None:
        raise NotFound(f"no customer {customer_id}")
    payload = await session.scalar(
        select(OptimisedPart.payload).where(
            OptimisedPart.optimisation_id == found.id, OptimisedPart.part == ordinal >> PART_BITS
        )
    )
    options = await asyncio.to_thread(options_in, bytes(payload), ordinal) if payload else []
    return CustomerOptions(customer_id=customer_id, options=options)
