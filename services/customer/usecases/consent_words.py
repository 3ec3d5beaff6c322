"""A word of the customer told by staff or a system, and consents that reach their end."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import get_args
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.models import CustomerKey
from services.customer.usecases.consents import (
    Word,
    announce_consents,
    change_consents,
    end_consents,
    with_ended_consents,
)
from services.customer.usecases.effects import touch
from services.customer.usecases.families import lock_families
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.consents import ConsentWrite, ContactRefusal
from shared.contracts.events import Channel
from shared.db import fetch, give_reason
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.service import Runtime

EXPIRED = "consent expired"
_BATCH = 1_000
_LOOK_SECONDS = 30.0
_CLOCKS_DIFFER = timedelta(minutes=5)

_FILE = "SELECT status, org_path FROM customer WHERE id = %(id)s"


async def say(
    session: AsyncSession,
    principal: Principal,
    vault: Vault,
    customer_id: UUID,
    channels: Sequence[Channel],
    body: ConsentWrite | ContactRefusal,
) -> None:
    """Enter one word for each of `channels`; a word older than the present one only joins the ledger."""
    families = await lock_families(session, [customer_id])
    if customer_id not in families.locked:
        raise NotFound("There is no such customer in your organisation")
    ((status, org_path),) = await fetch(session, _FILE, {"id": customer_id})
    if status == "erased":
        raise Conflict("The customer was erased")
    granted = isinstance(body, ConsentWrite) and body.granted
    valid_until = body.valid_until if isinstance(body, ConsentWrite) else None
    at = body.changed_at or clock.now()
    _refuse_impossible(body)
    words = [
        Word(
            customer_id,
            channel,
            granted,
            at,
            principal.source or "bank",
            body.purpose,
            valid_until,
            body.proof.kind if body.proof else None,
            body.proof.hash if body.proof else None,
            await _sealed_reference(session, vault, customer_id, body),
        )
        for channel in channels
    ]
    if await change_consents(session, words):
        changed = [customer_id, *families.survivors.values()]
        await touch(session, changed)
        await publish_customers(session, changed)
    detail = {"channels": list(channels), "purpose": body.purpose, "granted": granted}
    audit(session, principal, "consent", f"customer/{customer_id}", detail, org_path=org_path)


def every_channel() -> tuple[Channel, ...]:
    return get_args(Channel)


def _refuse_impossible(body: ConsentWrite | ContactRefusal) -> None:
    errors = []
    at = body.changed_at or clock.now()
    if at > clock.now() + _CLOCKS_DIFFER:
        errors.append(FieldError("/changed_at", "lies in the future"))
    end = body.valid_until if isinstance(body, ConsentWrite) else None
    if end is not None and isinstance(body, ConsentWrite) and not body.granted:
        errors.append(FieldError("/valid_until", "is for a consent: a refusal holds until another word"))
    elif end is not None and end < at.astimezone(clock.ZONE).date():
        errors.append(FieldError("/valid_until", "is before the consent was given"))
    if errors:
        raise Unprocessable("The consent is not valid", errors=errors)


async def _sealed_reference(
    session: AsyncSession, vault: Vault, customer_id: UUID, body: ConsentWrite | ContactRefusal
) -> bytes | None:
    if body.proof is None or body.proof.reference is None:
        return None
    key = await session.get(CustomerKey, customer_id)
    if key is None:
        raise Conflict("The customer was erased")
    return vault.seal_bytes(customer_id, key.wrapped_key, body.proof.reference.encode())


async def follow_ends(runtime: Runtime) -> None:
    """Endless: a consent whose last day is over is withdrawn everywhere within half a minute."""
    while True:
        async with runtime.db.transaction() as session:
            ended = await expire_consents(session)
        if not ended:
            await asyncio.sleep(_LOOK_SECONDS)


async def expire_consents(session: AsyncSession) -> int:
    """Announce consents that ended, of a batch of customers; how many. Reads never waited for this."""
    ids = await with_ended_consents(session, _BATCH)
    families = await lock_families(session, ids)
    # Under the locks, as every other word: one may have been said meanwhile.
    told = await end_consents(session, ids)
    if told:
        homes = {one.customer_id for one in told}
        changed = sorted(homes | {families.survivors[home] for home in homes & families.survivors.keys()})
        await give_reason(session, EXPIRED)
        await announce_consents(session, told)
        await touch(session, changed)
        await publish_customers(session, changed)
    return len(told)
