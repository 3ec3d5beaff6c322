"""Reads of visits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Customer, Visit
from services.campaign.queries.families import of_family
from services.campaign.queries.orgs import within
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign.account_plans import VisitState, VisitView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


@dataclass(frozen=True)
class VisitFilter:
    state: VisitState | None = None
    customer_id: UUID | None = None
    manager: str | None = None
    org: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def _select() -> Any:
    """Rows of visit and the survivor."""
    return select(Visit, Customer.merged_into).outerjoin(Customer, Customer.id == Visit.customer_id)


async def list_visits(session: AsyncSession, page: PageRequest, wanted: VisitFilter) -> Page[VisitView]:
    query = _select()
    if wanted.state is not None:
        query = query.where(Visit.state == wanted.state)
    if wanted.customer_id is not None:
        query = query.where(of_family(Visit.customer_id.expression, wanted.customer_id))
    if wanted.manager is not None:
        query = query.where(Visit.manager == wanted.manager)
    if wanted.org is not None:
        query = query.where(within(Visit.org_path.expression, wanted.org))
    if wanted.since is not None:
        query = query.where(Visit.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Visit.at < wanted.until)
    return await paginate(
        session, query, [Visit.at.expression, Visit.id.expression], page, _view, descending=True
    )


async def get_visit(session: AsyncSession, visit_id: UUID) -> VisitView:
    row = (await session.execute(_select().where(Visit.id == visit_id))).one_or_none()
    if row is None:
        raise NotFound(f"no visit {visit_id}")
    return _view(row)


def _view(row: Any) -> VisitView:
    visit: Visit = row.Visit
    derived = {"customer_id", "org", "overdue"}
    stored = {name: getattr(visit, name) for name in VisitView.model_fields if name not in derived}
    return VisitView.model_validate(
        {
            **stored,
            "customer_id": row.merged_into or visit.customer_id,
            "org": visit.org_path,
            "overdue": visit.state == "planned" and visit.at < clock.now(),
        }
    )
