"""Whether a customer may be visited to sell: as contacts of campaigns, by the bank's own contact policy."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import case, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Customer
from services.campaign.queries.contact_policies import DEFAULT, rules_of
from services.campaign.queries.families import person
from services.campaign.queries.policy import facts, policy_of, refusals
from services.campaign.settings import CampaignSettings
from shared import clock
from shared.contracts.campaign import SuppressionReason

CHANNEL = "visit"
_ASKED = frozenset({"inactive", "do_not_contact", "cool_down", "cap", "global_hold_out"})
"""Consent to a channel is for what is sent; a visit is agreed with the customer. Nothing is on offer whose
risk must suit, and no campaign has decided whose it is.
"""
_NO_CAMPAIGN = UUID(int=0)


async def sale_refused_by(
    session: AsyncSession, settings: CampaignSettings, customer_id: UUID, at: datetime
) -> SuppressionReason | None:
    """The first rule that forbids to visit the person then to sell, by what is known of all files today."""
    policy = policy_of(
        settings,
        await rules_of(session, settings, DEFAULT, clock.now()),
        as_of=at,
        today=clock.today(),
        required_rating=None,
        use_backup=False,
        consents=[CHANNEL],
        task_arms=(),
    )
    members = (
        select(
            person().label("customer_id"),
            literal(1).label("wave"),
            literal("").label("segment"),
        )
        .where(Customer.id == customer_id)
        .subquery("members")
    )
    of = facts(members, _NO_CAMPAIGN, policy)
    rules = [(refuses, name) for name, refuses in refusals(of, policy) if name in _ASKED]
    found: SuppressionReason | None = await session.scalar(select(case(*rules, else_=None)).select_from(of))
    return found
