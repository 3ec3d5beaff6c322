"""Whether contacts that are about to begin may still be made, by the facts as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import case, cast, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.contact_rules import ContactRules
from services.campaign.domain.plan import Plan
from services.campaign.domain.suitability import required_rating
from services.campaign.models import Contact, Customer
from services.campaign.queries.arms import consents_of, exits_of
from services.campaign.queries.families import person
from services.campaign.queries.policy import evidence, facts, policy_of, refusals
from services.campaign.settings import CampaignSettings
from shared import clock
from shared.contracts.campaign import OfferView, SuppressionReason

# Decided once and for all when the contact was: whose it is, which of a person's files stands, who is chosen.
_DECIDED = frozenset({"merged", "no_manager", "not_chosen"})


@dataclass(frozen=True)
class Refusal:
    rule: SuppressionReason
    evidence: dict[str, Any] | None


async def refusals_now(
    session: AsyncSession,
    settings: CampaignSettings,
    contacts: Sequence[UUID],
    *,
    campaign_id: UUID,
    plan: Plan,
    offer: OfferView,
    rules: ContactRules,
) -> dict[UUID, Refusal]:
    """Of these contacts of one campaign and offer those that may not be made now, each with the first rule
    that forbids it.

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
        consents=await consents_of(session, plan.scheme),
        task_arms=plan.task_arms,
        orgs=plan.people.orgs,
        exits=await exits_of(session, plan.scheme),
    )
    members = (
        select(
            Contact.id.label("contact_id"),
            person().label("customer_id"),
            literal(1).label("wave"),
            literal("").label("segment"),
        )
        .join(Customer, Customer.id == Contact.customer_id)
        .where(Contact.id.in_(contacts))
        .subquery("members")
    )
    of = facts(members, campaign_id, policy)
    asked = [(name, refuses) for name, refuses in refusals(of, policy) if name not in _DECIDED]
    rule = case(*((refuses, name) for name, refuses in asked), else_=None)
    reasons = evidence(of, policy)
    proof = case(*((refuses, reasons.get(name, cast(None, JSONB))) for name, refuses in asked), else_=None)
    rows = await session.execute(
        select(of.c.contact_id, rule.label("rule"), type_coerce(proof, JSONB).label("proof"))
    )
    found = {row.contact_id: row for row in rows}
    refused: dict[UUID, Refusal] = {}
    for contact in contacts:
        row = found.get(contact)
        if row is None:
            refused[contact] = Refusal("erased", None)
        elif row.rule is not None:
            refused[contact] = Refusal(row.rule, row.proof)
    return refused
