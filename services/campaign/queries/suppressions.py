"""Reads of suppressions."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Suppression
from services.campaign.queries.families import of_family
from shared.contracts.base import Page
from shared.contracts.campaign import SuppressionView
from shared.pagination import PageRequest, paginate


def suppression_view(entry: Suppression) -> SuppressionView:
    return SuppressionView.model_validate(
        {name: getattr(entry, name) for name in SuppressionView.model_fields}
    )


async def list_suppressions(
    session: AsyncSession, page: PageRequest, customer_id: UUID | None
) -> Page[SuppressionView]:
    query = select(Suppression)
    if customer_id is not None:
        query = query.where(of_family(Suppression.customer_id.expression, customer_id))
    return await paginate(
        session,
        query,
        [Suppression.id.expression],
        page,
        lambda row: suppression_view(row[0]),
        descending=True,
    )
