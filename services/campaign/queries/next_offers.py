"""Secondary marketing: what else suits a customer who has just taken something."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, exists, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.suitability import suitable_risks
from services.campaign.models import Campaign, CampaignArm, Contact, Customer, Offer, OfferQuota, Referral
from services.campaign.queries.arms import arm_of_contact
from services.campaign.queries.catalogue import offer_view
from services.campaign.queries.families import of_person, person
from shared import clock
from shared.contracts.campaign import OfferView
from shared.contracts.campaign.referrals import NextOffers, Success
from shared.errors import NotFound

_SHOWN = 20


async def next_offers(session: AsyncSession, customer_id: UUID) -> NextOffers:
    """Of the person: the survivor with all files."""
    root = select(person()).where(Customer.id == customer_id).scalar_subquery()
    customer = await session.scalar(select(Customer).where(Customer.id == root))
    if customer is None:
        raise NotFound(f"no customer {customer_id}")
    after = await _successes(session, customer.id)
    offers = await _on_sale(session, customer) if after and customer.status == "active" else []
    return NextOffers(customer_id=customer.id, after=after, offers=offers)


async def _successes(session: AsyncSession, person: UUID) -> list[Success]:
    contacts: Any = (
        select(CampaignArm.offer, null().label("category"), Contact.closed_at.label("at"))
        .select_from(Contact)
        .join(CampaignArm, arm_of_contact())
        .where(
            of_person(Contact.customer_id.expression, person),
            Contact.arm.is_not(None),
            Contact.disposition == "accepted",
        )
    )
    referrals: Any = select(Referral.offer, Referral.category, Referral.closed_at.label("at")).where(
        of_person(Referral.customer_id.expression, person), Referral.state == "won"
    )
    found: list[tuple[str, Row[Any]]] = [("contact", row) for row in await session.execute(contacts)]
    found += [("referral", row) for row in await session.execute(referrals)]
    found.sort(key=lambda pair: pair[1].at, reverse=True)
    return [
        Success.model_validate({"kind": kind, "offer": row.offer, "category": row.category, "at": row.at})
        for kind, row in found[:_SHOWN]
    ]


async def _on_sale(session: AsyncSession, customer: Customer) -> list[OfferView]:
    """What can be sold to them today, was not put to the person, and is not kept from them for comparison."""
    valid = customer.risk_valid_until
    if customer.risk_level is None or valid is None or valid < clock.today():
        return []
    sold_out = exists().where(OfferQuota.offer == Offer.key, OfferQuota.exhausted_at.is_not(None))
    known = union_all(*_put_to(customer.id)).subquery("known")
    offers = await session.scalars(
        select(Offer)
        .where(
            or_(Offer.valid_until.is_(None), Offer.valid_until >= clock.today()),
            Offer.risk.in_(suitable_risks(customer.risk_level)),
            ~sold_out,
            ~exists().where(known.c.offer == Offer.key),
        )
        .order_by(Offer.value.desc(), Offer.key)
        .limit(_SHOWN)
    )
    return [offer_view(offer) for offer in offers]


def _put_to(person: UUID) -> tuple[Select[Any], ...]:
    """Offers of contacts that were made or are to be, of hold-outs that still count, and of referrals."""
    contacts = (
        select(CampaignArm.offer)
        .select_from(Contact)
        .join(CampaignArm, arm_of_contact())
        .where(
            of_person(Contact.customer_id.expression, person),
            Contact.arm.is_not(None),
            or_(Contact.state != "expired", Contact.attempts > 0),
        )
    )
    held_out = (
        select(CampaignArm.offer)
        .select_from(Contact)
        .join(CampaignArm, CampaignArm.campaign_id == Contact.campaign_id)
        .join(Campaign, Campaign.id == Contact.campaign_id)
        .where(
            of_person(Contact.customer_id.expression, person),
            Contact.state == "held_out",
            Campaign.status.in_(("launching", "running", "paused", "draining")),
        )
    )
    referrals = select(Referral.offer).where(
        of_person(Referral.customer_id.expression, person),
        Referral.state.in_(("made", "accepted", "won", "lost")),
    )
    return contacts, held_out, referrals
