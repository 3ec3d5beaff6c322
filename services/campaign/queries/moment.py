"""Whether a contact that is about to begin may still be made, by the facts as they are now."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, case, cast, func, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.contact_rules import ContactRules
from services.campaign.domain.fixes import CHANNELS
from services.campaign.domain.plan import Plan
from services.campaign.domain.suitability import required_rating
from services.campaign.models import Customer
from services.campaign.queries.policy import evidence, facts, policy_of, refusals
from services.campaign.settings import CampaignSettings
from shared import clock
from shared.contracts.campaign import OfferView, SuppressionReason

# Decided once and for all when the task was made: whose it is, and which of a person's files stands.
_DECIDED = frozenset({"merged", "no_manager"})


@dataclass(frozen=True)
class Refusal:
    rule: SuppressionReason
    evidence: dict[str, Any] | None


async def refusal_now(
    session: AsyncSession,
    settings: CampaignSettings,
    *,
    contact_id: UUID,
    campaign_id: UUID,
    customer_id: UUID,
    plan: Plan,
    offer: OfferView,
    rules: ContactRules,
) -> Refusal | None:
    """The first rule that forbids this contact at this moment; None when all of them let it pass.

    Of a merged customer the person is asked about: the survivor with all files.
    """
    now = clock.now()
    policy = policy_of(
        settings,
        rules,
        as_of=now,
        today=clock.today(),
        required_rating=required_rating([offer.risk]),
        use_backup=plan.people.use_backup,
        consent=CHANNELS[plan.scheme.arms[0].channel],
        orgs=plan.people.orgs,
        contact=contact_id,
    )
    person = select(func.coalesce(Customer.merged_into, Customer.id)).where(Customer.id == customer_id)
    member = select(
        func.coalesce(person.scalar_subquery(), literal(customer_id, Uuid)).label("customer_id"),
        literal(1).label("wave"),
        literal("").label("segment"),
    ).subquery("member")
    of = facts(member, campaign_id, policy)
    asked = [(name, refuses) for name, refuses in refusals(of, policy) if name not in _DECIDED]
    rule = case(*((refuses, name) for name, refuses in asked), else_=None)
    reasons = evidence(of, policy)
    proof = case(*((refuses, reasons.get(name, cast(None, JSONB))) for name, refuses in asked), else_=None)
    row = (
        await session.execute(select(rule.label("rule"), type_coerce(proof, JSONB).label("proof")))
    ).one_or_none()
    if row is None:
        return Refusal("erased", None)
    return None if row.rule is None else Refusal(row.rule, row.proof)
