"""What an opportunity comes from: a customer, a contact that met interest, a referral; and whose it is."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import CampaignArm, Contact, Customer, Offer, Opportunity, Referral, Task
from services.campaign.queries.absences import holds_customers
from services.campaign.queries.arms import arm_of_contact
from shared.auth import Principal, Role
from shared.contracts.campaign.opportunities import OpportunitySource, OpportunityWrite
from shared.errors import Conflict, FieldError, Forbidden, Unprocessable

_INTEREST = ("accepted", "interested")


@dataclass(frozen=True)
class Origin:
    """What an opportunity comes from."""

    customer_id: UUID
    org: str
    offer: str | None = None
    amount: Decimal | None = None
    contact_id: UUID | None = None
    referral_id: UUID | None = None

    @property
    def source(self) -> OpportunitySource:
        if self.contact_id is not None:
            return "task"
        return "hand" if self.referral_id is None else "referral"


async def find_origin(session: AsyncSession, principal: Principal, request: OpportunityWrite) -> Origin:
    if request.contact_id is not None:
        return await _of_contact(session, principal, request.contact_id)
    if request.referral_id is not None:
        return await _of_referral(session, principal, request.referral_id)
    if request.customer_id is None:
        raise TypeError("the contract asks for a customer, a contact or a referral")
    org = await org_of_customer(session, request.customer_id)
    return Origin(request.customer_id, org)


async def _of_contact(session: AsyncSession, principal: Principal, contact_id: UUID) -> Origin:
    """Of a contact that met interest; the opportunity is of whoever the customer is now."""
    found = (
        await session.execute(
            select(Contact, Task.manager, CampaignArm.offer, Customer.merged_into)
            .join(Task, Task.id == Contact.id)
            .join(CampaignArm, arm_of_contact())
            .outerjoin(Customer, Customer.id == Contact.customer_id)
            .where(Contact.id == contact_id)
        )
    ).one_or_none()
    if found is None:
        raise wrong("/contact_id", "is no contact with a task")
    if found.manager != principal.staff and not principal.has(Role.branch_head):
        raise Forbidden("the task belongs to another manager")
    contact: Contact = found[0]
    if contact.disposition not in _INTEREST:
        raise wrong("/contact_id", "met neither interest nor acceptance")
    taken = await session.scalar(select(Opportunity.id).where(Opportunity.contact_id == contact_id))
    if taken is not None:
        raise Conflict(f"opportunity {taken} was opened from this contact", slug="opportunity-exists")
    customer_id = found.merged_into or contact.customer_id
    org = await org_of_customer(session, customer_id)
    return Origin(customer_id, org, found.offer, contact.outcome_amount, contact_id)


async def _of_referral(session: AsyncSession, principal: Principal, referral_id: UUID) -> Origin:
    """Of one that was accepted, by who accepted it; the customer is of their organisation."""
    found = (
        await session.execute(
            select(Referral, Customer.merged_into)
            .outerjoin(Customer, Customer.id == Referral.customer_id)
            .where(Referral.id == referral_id)
        )
    ).one_or_none()
    if found is None:
        raise wrong("/referral_id", "is no referral")
    referral: Referral = found[0]
    if referral.state != "accepted":
        raise wrong("/referral_id", f"is {referral.state}, not accepted")
    if referral.receiver != principal.staff and not principal.has(Role.branch_head):
        raise Forbidden("the referral belongs to another manager")
    taken = await session.scalar(select(Opportunity.id).where(Opportunity.referral_id == referral_id))
    if taken is not None:
        raise Conflict(f"opportunity {taken} was opened from this referral", slug="opportunity-exists")
    customer_id = found.merged_into or referral.customer_id
    org = await org_of_customer(session, customer_id)
    return Origin(customer_id, org, referral.offer, referral_id=referral_id)


async def org_of_customer(session: AsyncSession, customer_id: UUID) -> str:
    """The branch of a customer the bank deals with, within the caller's organisation."""
    row = (
        await session.execute(
            select(Customer.org_path, Customer.status, Customer.merged_into).where(Customer.id == customer_id)
        )
    ).one_or_none()
    if row is None:
        raise wrong("/customer_id", "is not a known customer")
    if row.merged_into is not None or row.status == "merged":
        raise wrong("/customer_id", "is merged: name the survivor")
    if row.status != "active":
        raise wrong("/customer_id", f"is {row.status}")
    return str(row.org_path)


async def manager_for(
    session: AsyncSession, principal: Principal, org: str, asked: str | None, pointer: str = "/manager"
) -> str:
    """Managers work for themselves; a branch head may name one of the branch's managers."""
    if asked is None or asked == principal.staff:
        if principal.staff is None:
            raise Unprocessable("who is to do it?", errors=[FieldError(pointer, "is required")])
        return principal.staff
    if not principal.has(Role.branch_head):
        raise Forbidden("only a branch head gives work to somebody else")
    await require_manager_of(session, org, asked, pointer)
    return asked


async def require_manager_of(session: AsyncSession, org: str, staff: str, pointer: str) -> None:
    if not await holds_customers(session, org, staff):
        raise wrong(pointer, f"holds no customers of {org}")


async def subject_of(
    session: AsyncSession, offer: str | None, product: str | None
) -> tuple[str | None, str | None]:
    """Offer and product, which is the offer's own unless another was named."""
    if offer is None:
        return None, product
    known = await session.get(Offer, offer)
    if known is None:
        raise wrong("/offer", f"there is no offer {offer}")
    return offer, product or known.product


def wrong(pointer: str, why: str) -> Unprocessable:
    return Unprocessable("this cannot be so", errors=[FieldError(pointer, why)])
