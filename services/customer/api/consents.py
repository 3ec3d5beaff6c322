"""What a customer allows: told, refused, read."""

from typing import Annotated

from fastapi import Path

from services.customer.api.access import CustomerRead, CustomerWrite
from services.customer.api.customers import CustomerId, Reveal, VaultOfProcess, require_personal_read
from services.customer.queries import consents as queries
from services.customer.usecases.consent_words import every_channel, say
from shared.audit import audit
from shared.contracts.customer.consents import ConsentsView, ConsentView, ConsentWrite, ContactRefusal
from shared.contracts.events import Channel
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["consents"])

ChannelPath = Annotated[Channel, Path(description="Channel the customer speaks of")]


@router.put("/customers/{customer_id}/consents/{channel}", responses=problem_responses(404, 409))
async def put_consent(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    channel: ChannelPath,
    body: ConsentWrite,
) -> list[ConsentView]:
    """Enter the customer's word into the ledger; answers what holds now, on every channel and purpose.

    `changed_at` orders the words, so no If-Match is needed: an older word than the present one changes
    nothing but the ledger, and the same word again changes nothing at all.
    """
    await say(session, principal, vault, customer_id, [channel], body)
    return await queries.present_consents(session, customer_id)


@router.post("/customers/{customer_id}:refuse-contact", responses=problem_responses(404, 409))
async def refuse_contact(
    session: Session,
    principal: CustomerWrite,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    body: ContactRefusal,
) -> list[ConsentView]:
    """Do not contact: a refusal of every channel in one step; answers what holds now."""
    await say(session, principal, vault, customer_id, every_channel(), body)
    return await queries.present_consents(session, customer_id)


@router.get("/customers/{customer_id}/consents", responses=problem_responses(400, 404))
async def get_consents(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    page: PageParams,
    reveal: Reveal = None,
) -> ConsentsView:
    """What holds now by channel and purpose, and the ledger behind it, newest first.

    Of a merged person the words given in all its files; the latest of them counts.
    """
    if reveal:
        require_personal_read(principal)
    found = await queries.consents(session, vault, customer_id, page, reveal=reveal is not None)
    if reveal:
        audit(session, principal, "reveal_consents", f"customer/{customer_id}")
    return found
