"""Events of other services → what this one does with them."""

from collections.abc import Mapping

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Customer, CustomerContact
from shared.contracts.events import ContactRecorded, EventData
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
    known = select(Customer.id, *(literal(value, columns[name].type) for name, value in step.items()))
    await session.execute(
        insert(CustomerContact)
        .from_select(["customer_id", *step], known.where(Customer.id == event.customer_id))
        .on_conflict_do_nothing()
    )


HANDLERS: Mapping[str, Mapping[type[EventData], Handler]] = {
    "customer__contacts": {ContactRecorded: contact_recorded}
}
