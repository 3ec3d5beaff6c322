"""Creating and changing one customer."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import seal_reason
from services.customer.domain.matching import MATCH_VERSION, match_keys
from services.customer.domain.survivorship import RULES
from services.customer.domain.vault import FIELDS, Vault
from services.customer.models import Customer, CustomerKey, SourceIdentity
from services.customer.usecases.consents import change_consents
from services.customer.usecases.duplicates import compare_again
from services.customer.usecases.effects import touch
from services.customer.usecases.merge_files import note_touched
from services.customer.usecases.own_risk import correct_own_end
from services.customer.usecases.ownership import check_owners
from services.customer.usecases.publishing import publish_customers
from services.customer.usecases.recording import announce_arrivals, apply_parked
from services.customer.usecases.tombstones import refuse_buried
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer import (
    Attributes,
    CustomerCreate,
    CustomerPatch,
    PersonalData,
)
from shared.contracts.customer import SourceIdentity as Identity
from shared.db import fetch, give_reason
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_COMPARED = {"name", "id_number", "phone", "birth_date", "gender"}
"""What tells duplicates."""

_ERASED = "The customer was erased"
_TAKEN = "SELECT source, source_id FROM taken_identities(%(sources)b::text[], %(source_ids)b::text[])"


async def create_customer(
    session: AsyncSession, principal: Principal, vault: Vault, body: CustomerCreate
) -> UUID:
    """A new customer with its identities; events that waited for it are applied at once."""
    refuse_foreign_identities(principal, [identity.source for identity in body.identities])
    await announce_arrivals(session, [identity.source for identity in body.identities])
    await _refuse_taken(session, body.identities)
    await refuse_buried(session, vault, [(one.source, one.source_id) for one in body.identities])
    await check_owners(session, body.org, body.primary_manager, body.backup_manager)
    customer_id, now = new_id(), clock.now()
    personal = body.model_dump(include=set(PersonalData.model_fields))
    sealed = vault.seal(customer_id, personal)
    customer = Customer(
        id=customer_id,
        kind=body.kind,
        org_path=body.org,
        primary_manager=body.primary_manager,
        backup_manager=body.backup_manager,
        **body.model_dump(include=set(Attributes.model_fields)),
        risk_assessed_at=now if body.risk_level else None,
        consents=dict(body.consents),
        pii=sealed.pii,
        pii_digest=sealed.digest,
        **match_keys(vault, personal)._asdict(),
        match_version=MATCH_VERSION,
        created_at=now,
        updated_at=now,
    )
    session.add(customer)
    await session.flush()
    session.add(CustomerKey(customer_id=customer_id, wrapped_key=sealed.wrapped_key))
    session.add_all(
        SourceIdentity(
            source=identity.source,
            source_id=identity.source_id,
            customer_id=customer_id,
            ordinal=customer.ordinal,
        )
        for identity in body.identities
    )
    await session.flush()
    source = principal.source or "bank"
    await change_consents(
        session,
        [(customer_id, c, given, now, source) for c, given in body.consents.items()],
        announce=False,
    )
    await publish_customers(session, [customer_id])
    await apply_parked(session, vault, [customer_id])
    await compare_again(session, [customer_id])
    audit(session, principal, "create", f"customer/{customer_id}", org_path=body.org)
    return customer_id


async def change_customer(
    session: AsyncSession,
    principal: Principal,
    vault: Vault,
    customer_id: UUID,
    body: CustomerPatch,
    expected: int,
) -> None:
    """Change what the patch names; the audit entry names the fields, never their values."""
    customer = await _locked(session, customer_id)
    check_version(customer.version, expected)
    if customer.status == "erased":
        raise Conflict(_ERASED)
    if customer.merged_into is not None:
        raise Conflict(f"It was merged: change {customer.merged_into} instead", slug="merged")
    changes = body.model_dump(exclude_unset=True, exclude={"reason"})
    consents = changes.pop("consents", None) or {}
    if body.reason:
        await _explain(session, vault, customer_id, body.reason)
    personal = {name: changes.pop(name) for name in FIELDS if name in changes}
    now = clock.now()
    if personal:
        await _reseal(session, vault, customer, personal)
    for name, value in changes.items():
        setattr(customer, name, value)
    if "risk_level" in changes:
        customer.risk_assessed_at = now
    elif "risk_valid_until" in changes:
        await correct_own_end(session, customer_id, changes["risk_valid_until"])
    await session.flush()
    source = principal.source or "bank"
    await change_consents(session, [(customer_id, c, given, now, source) for c, given in consents.items()])
    await _new_version(session, customer)
    await note_touched(session, customer_id, body.model_fields_set & RULES.keys())
    if body.model_fields_set & _COMPARED:
        await compare_again(session, [customer_id])
    fields = sorted(body.model_fields_set - {"reason"})
    audit(
        session,
        principal,
        "change",
        f"customer/{customer_id}",
        {"fields": fields},
        org_path=customer.org_path,
    )


def refuse_foreign_identities(principal: Principal, sources: Sequence[str]) -> None:
    """A source system may only speak for its own ids."""
    foreign = [
        FieldError(f"/identities/{index}/source", "belongs to another system")
        for index, source in enumerate(sources)
        if principal.source is not None and source != principal.source
    ]
    if foreign:
        raise Forbidden(
            f"This key may only write source '{principal.source}'", errors=foreign, slug="foreign-source"
        )


async def _refuse_taken(session: AsyncSession, identities: Sequence[Identity]) -> None:
    pairs = [(identity.source, identity.source_id) for identity in identities]
    if len(set(pairs)) < len(pairs):
        raise Unprocessable("An identity appears twice", errors=[FieldError("/identities", "must be unique")])
    parameters = {"sources": [pair[0] for pair in pairs], "source_ids": [pair[1] for pair in pairs]}
    taken = {(row[0], row[1]) for row in await fetch(session, _TAKEN, parameters)}
    errors = [
        FieldError(f"/identities/{index}", "belongs to a customer already")
        for index, pair in enumerate(pairs)
        if pair in taken
    ]
    if errors:
        raise Conflict("The customer exists", errors=errors, slug="already-exists")


async def _locked(session: AsyncSession, customer_id: UUID) -> Customer:
    customer = await session.get(Customer, customer_id, with_for_update={"key_share": True})
    if customer is None:
        raise NotFound("There is no such customer in your organisation")
    return customer


async def _explain(session: AsyncSession, vault: Vault, customer_id: UUID, reason: str) -> None:
    key = await session.get(CustomerKey, customer_id)
    if key is None:
        raise Conflict(_ERASED)
    await give_reason(session, seal_reason(vault, customer_id, key.wrapped_key, reason))


async def _reseal(
    session: AsyncSession, vault: Vault, customer: Customer, changes: Mapping[str, str | None]
) -> None:
    key = await session.get(CustomerKey, customer.id)
    if key is None:
        raise Conflict(_ERASED)
    personal: dict[str, Any] = {**vault.open(customer.id, key.wrapped_key, customer.pii), **changes}
    sealed = vault.seal(customer.id, personal, key.wrapped_key)
    customer.pii, customer.pii_digest = sealed.pii, sealed.digest
    for name, value in match_keys(vault, personal)._asdict().items():
        setattr(customer, name, value)
    customer.match_version = MATCH_VERSION


async def _new_version(session: AsyncSession, customer: Customer) -> None:
    await touch(session, [customer.id])
    await publish_customers(session, [customer.id])
    await session.refresh(customer)
