"""Why a customer was contacted or not, and whether a contact would pass the rules now."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.fixes import TASK_CHANNEL, TASK_CONSENT
from services.campaign.models import AudienceMember, Campaign, Contact, Customer, Suppression
from services.campaign.queries.contact_policies import DEFAULT, rules_of
from services.campaign.queries.families import of_family
from services.campaign.queries.policy import evidence, facts, policy_of, refusals
from services.campaign.queries.suppressions import suppression_view
from services.campaign.settings import CampaignSettings
from shared import clock
from shared.contracts.campaign import ContactDecision, ContactDecisions, RuleCheck
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.errors import NotFound

_NO_CAMPAIGN = UUID(int=0)


async def contact_decisions(
    session: AsyncSession, settings: CampaignSettings, customer_id: UUID
) -> ContactDecisions:
    """Of a survivor with what was decided and said for those merged into it; of a merged one its own."""
    if await session.scalar(select(Customer.id).where(Customer.id == customer_id)) is None:
        raise NotFound(f"no customer {customer_id}")
    checks = await _checks(session, settings, customer_id)
    suppressions = await session.scalars(
        select(Suppression)
        .where(of_family(Suppression.customer_id.expression, customer_id))
        .order_by(Suppression.id)
    )
    return ContactDecisions(
        customer_id=customer_id,
        contactable=all(check.holds for check in checks),
        checks=checks,
        decisions=await _decisions(session, customer_id),
        suppressions=[suppression_view(entry) for entry in suppressions],
    )


async def _checks(session: AsyncSession, settings: CampaignSettings, customer_id: UUID) -> list[RuleCheck]:
    """The rules that hold without an offer: suitability depends on the product and is left out."""
    now = clock.now()
    policy = policy_of(
        settings,
        await rules_of(session, settings, DEFAULT, now),
        as_of=now,
        today=clock.today(),
        required_rating=None,
        use_backup=True,
        consents=[TASK_CONSENT],
        task_arms=[TASK_CHANNEL],
    )
    member = select(
        literal(customer_id, Uuid).label("customer_id"),
        literal(1).label("wave"),
        literal("").label("segment"),
    ).subquery("member")
    known = facts(member, _NO_CAMPAIGN, policy)
    rules, reasons = refusals(known, policy), evidence(known, policy)
    columns: list[Any] = []
    for name, refuses in rules:
        columns.append(func.coalesce(refuses, False).label(name))
        if name in reasons:
            columns.append(reasons[name].label(f"{name}_evidence"))
    row = (await session.execute(select(*columns).select_from(known))).one()
    return [
        RuleCheck(
            rule=name, holds=not getattr(row, name), detail=getattr(row, f"{name}_evidence", None) or {}
        )
        for name, _ in rules
    ]


async def _decisions(session: AsyncSession, customer_id: UUID) -> list[ContactDecision]:
    rows = await session.execute(
        select(AudienceMember, Campaign.key.label("campaign_key"), Contact)
        .join(Campaign, Campaign.id == AudienceMember.campaign_id)
        .outerjoin(
            Contact,
            (Contact.campaign_id == AudienceMember.campaign_id)
            & (Contact.customer_id == AudienceMember.customer_id),
        )
        .where(of_family(AudienceMember.customer_id.expression, customer_id))
        .order_by(AudienceMember.campaign_id.desc(), Contact.decided_at.desc())
        .limit(200)
    )
    return [_decision(row) for row in rows]


def _decision(row: Row[*tuple[Any, ...]]) -> ContactDecision:
    member: AudienceMember = row[0]
    contact: Contact | None = row[2]
    return ContactDecision(
        campaign_id=member.campaign_id,
        campaign_key=row.campaign_key,
        wave=member.wave,
        contact_id=contact.id if contact else None,
        step=contact.step if contact else FIRST_STEP,
        state=contact.state if contact else "planned",
        reason=contact.reason if contact else None,
        evidence=contact.evidence if contact else None,
        arm=contact.arm if contact else None,
        disposition=contact.disposition if contact else None,
        decided_at=contact.decided_at if contact else None,
    )
