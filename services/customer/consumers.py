"""Events of other services → what this one does with them."""

from collections.abc import Mapping

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Customer, CustomerContact, Erasure, ErasureConfirmation
from shared.contracts.events import (
    CampaignErasureConfirmed,
    ContactRecorded,
    EvaluationErasureConfirmed,
    EventData,
    SegmentationErasureConfirmed,
)
from shared.contracts.events.identity import ErasureConfirmed
from shared.service import Handler, Runtime

# A manager who could see who is held out would call them: the comparison would be lost.
_HIDDEN = frozenset({"planned", "held_out", "suppressed"})


async def contact_recorded(session: AsyncSession, event: ContactRecorded, _runtime: Runtime) -> None:
    """One step of a contact joins the customer's timeline."""
    if event.state in _HIDDEN:
        return
    step = {
        "contact_id": event.contact_id,
        "version": event.version,
        "campaign_id": event.campaign_id,
        "state": event.state,
        "disposition": event.disposition,
        "offer": event.offer,
        "recorded_at": event.recorded_at,
        "recorded_by": event.recorded_by,
    }
    columns = CustomerContact.__table__.columns
    # Of an erased person nothing is collected any more.
    known = select(Customer.id, *(literal(value, columns[name].type) for name, value in step.items())).where(
        Customer.id == event.customer_id, Customer.status != "erased"
    )
    await session.execute(
        insert(CustomerContact).from_select(["customer_id", *step], known).on_conflict_do_nothing()
    )


async def erasure_confirmed(session: AsyncSession, event: ErasureConfirmed, _runtime: Runtime) -> None:
    """Another service has deleted what it kept: the receipt says so. A receipt nobody has is not ours."""
    known = select(
        Erasure.id, literal(event.service()), literal(event.rows), literal(event.confirmed_at)
    ).where(Erasure.id == event.receipt_id)
    await session.execute(
        insert(ErasureConfirmation)
        .from_select(["erasure_id", "service", "rows", "confirmed_at"], known)
        .on_conflict_do_nothing()
    )


HANDLERS: Mapping[str, Mapping[type[EventData], Handler]] = {
    "customer__contacts": {ContactRecorded: contact_recorded},
    "customer__erased_in_segmentation": {SegmentationErasureConfirmed: erasure_confirmed},
    "customer__erased_in_campaign": {CampaignErasureConfirmed: erasure_confirmed},
    "customer__erased_in_evaluation": {EvaluationErasureConfirmed: erasure_confirmed},
}
