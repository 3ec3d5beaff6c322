"""Reads of quotas and budgets."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import CampaignBudget, OfferQuota
from shared.contracts.base import Page
from shared.contracts.campaign.quotas import BudgetView, QuotaView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


def quota_view(quota: OfferQuota) -> QuotaView:
    left = quota.units - quota.reserved - quota.sold
    stored = {name: getattr(quota, name) for name in QuotaView.model_fields if name != "left"}
    return QuotaView.model_validate({**stored, "left": left})


async def list_quotas(session: AsyncSession, page: PageRequest) -> Page[QuotaView]:
    return await paginate(
        session, select(OfferQuota), [OfferQuota.offer.expression], page, lambda row: quota_view(row[0])
    )


async def get_quota(session: AsyncSession, offer: str) -> QuotaView:
    quota = await session.get(OfferQuota, offer)
    if quota is None:
        raise NotFound(f"{offer} has no quota")
    return quota_view(quota)


async def get_budget(session: AsyncSession, campaign_id: UUID) -> BudgetView:
    """Of a campaign that was launched with one."""
    budget = await session.get(CampaignBudget, campaign_id)
    if budget is None:
        raise NotFound(f"campaign {campaign_id} was not launched, or has no budget")
    left = budget.amount - budget.reserved - budget.spent
    stored = {name: getattr(budget, name) for name in BudgetView.model_fields if name != "left"}
    return BudgetView.model_validate({**stored, "left": left})
