"""Addresses for the programs that send messages."""

from typing import Annotated

from fastapi import Header

from services.customer.api.access import AddressRead
from services.customer.domain.vault import Vault
from services.customer.queries.addresses import addresses
from shared.audit import audit
from shared.contracts.customer.addresses import AddressRequest, AddressResult
from shared.errors import BadRequest
from shared.web import Router, Session, problem_responses, resource

router = Router(tags=["customers"])


@router.post("/customers:addresses", responses=problem_responses(400))
async def find_addresses(
    session: Session,
    principal: AddressRead,
    vault: Annotated[Vault, resource(Vault)],
    body: AddressRequest,
    idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> AddressResult:
    """Where messages go, asked when they are about to be sent: of active customers who agree to marketing by
    this channel at this moment, and of nobody else. Every such read is audited. Without an Idempotency-Key:
    answers with addresses are kept nowhere.
    """
    if idempotency_key is not None:
        raise BadRequest("Addresses are kept nowhere: ask without Idempotency-Key")
    items = await addresses(session, vault, body.channel, body.customers)
    shown = sum(item.address is not None for item in items)
    detail = {"channel": body.channel, "asked": len(items), "shown": shown}
    audit(session, principal, "reveal_addresses", "customers", detail)
    return AddressResult(items=items)
