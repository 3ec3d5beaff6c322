"""Forgetting a person: asked for by one, confirmed by another, then destroyed, told and receipted."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import FIELDS, Vault
from services.customer.models import Customer, CustomerKey, Erasure, SourceIdentity
from services.customer.queries.families import Family, family_of
from services.customer.queries.legal_holds import legal_holds
from services.customer.queries.subject_tables import HELD, Held
from services.customer.usecases.publishing import publish_customers
from services.customer.usecases.quarantine import forget_subjects
from services.customer.usecases.tombstones import bury
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer import SourceIdentity as Identity
from shared.contracts.customer.erasure import ErasurePlan, ErasureRequest, LegalHold
from shared.contracts.events import CustomerErased, CustomerRef
from shared.db import EVERYWHERE, fetch, give_reason
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.outbox import emit
from shared.service import Runtime
from shared.topology import RETENTION_SECONDS

_PARKED = """
DELETE FROM parked_event p USING unnest(%(sources)b::text[], %(source_ids)b::text[]) AS i(source, source_id)
WHERE p.source = i.source AND p.source_id = i.source_id RETURNING 1
"""
# Answers kept for repeated requests show the customer, masked but with its identities.
_ANSWERS = """
DELETE FROM stored_answer s WHERE EXISTS (
  SELECT 1 FROM unnest(%(needles)b::bytea[]) AS n WHERE position(n IN s.body) > 0) RETURNING 1
"""
_SWEEP_SECONDS = 60.0
_LATE = timedelta(hours=1)
_HEAD = "SELECT seq, hash FROM audit_head()"


async def plan_erasure(session: AsyncSession, customer_id: UUID) -> ErasurePlan:
    """What would go, what would stay, and what stands against it."""
    family = await family_of(session, customer_id)
    counts = [(held, await _count(session, held, family.ids)) for held in HELD]
    return ErasurePlan(
        customer_id=family.head,
        subjects=family.ids,
        holds=await legal_holds(session, family),
        destroyed={held.table: n for held, n in counts if n and held.fate != "keep"},
        kept={held.table: n for held, n in counts if n and held.fate == "keep"},
    )


async def request_erasure(
    session: AsyncSession, principal: Principal, vault: Vault, customer_id: UUID, body: ErasureRequest
) -> Erasure:
    """Ask for it; nothing is destroyed before somebody else confirms. 409 with what stands against it."""
    family = await family_of(session, customer_id, lock=True)
    if family.status == "erased":
        raise Conflict("The customer was erased already")
    await _refuse_personal(session, vault, family, body.reason)
    _refuse_held(await legal_holds(session, family))
    waiting = select(Erasure.id).where(Erasure.customer_id == family.head, Erasure.state == "requested")
    if await session.scalar(waiting) is not None:
        raise Conflict("An erasure of this customer waits for confirmation already")
    erasure = Erasure(
        id=new_id(),
        customer_id=family.head,
        org_path=family.org_path,
        reason=body.reason,
        legal_basis=body.legal_basis,
        do_not_collect_again=body.do_not_collect_again,
        state="requested",
        requested_by=principal.id,
        requested_at=clock.now(),
        confirmed_by=None,
        confirmed_at=None,
        subjects=[str(one) for one in family.ids],
        destroyed={},
    )
    session.add(erasure)
    await session.flush()
    detail = {"erasure": str(erasure.id), "legal_basis": body.legal_basis}
    target = f"customer/{family.head}"
    audit(session, principal, "request_erasure", target, detail, org_path=family.org_path)
    return erasure


async def withdraw_erasure(session: AsyncSession, principal: Principal, erasure_id: UUID) -> Erasure:
    """Take the request back, by whoever made it or may confirm it."""
    erasure = await _requested(session, erasure_id)
    erasure.state = "withdrawn"
    await session.flush()
    target, detail = f"customer/{erasure.customer_id}", {"erasure": str(erasure_id)}
    audit(session, principal, "withdraw_erasure", target, detail, org_path=erasure.org_path)
    return erasure


async def confirm_erasure(
    session: AsyncSession, principal: Principal, vault: Vault, erasure_id: UUID
) -> Erasure:
    """Destroy, tell the other services, write the receipt: one transaction, no way back."""
    erasure = await _requested(session, erasure_id)
    if erasure.requested_by == principal.id:
        raise Forbidden("Somebody else must confirm what you asked for", slug="four-eyes")
    family = await family_of(session, erasure.customer_id, lock=True)
    _refuse_held(await legal_holds(session, family))
    # Relations and duplicates may be shared with customers of other branches: they go all the same.
    await _see(session, EVERYWHERE)
    await give_reason(session, f"erasure/{erasure_id}")
    erasure.destroyed = await _destroy(session, vault, erasure, family)
    now = clock.now()
    erasure.state, erasure.confirmed_by, erasure.confirmed_at = "erased", principal.id, now
    erasure.subjects = [str(one) for one in family.ids]
    erasure.streams_until = now + timedelta(seconds=RETENTION_SECONDS)
    await session.flush()
    await publish_customers(session, family.ids)
    refs = [
        CustomerRef(customer_id=one, ordinal=n) for one, n in zip(family.ids, family.ordinals, strict=True)
    ]
    await emit(session, CustomerErased(receipt_id=erasure_id, customers=refs, erased_at=now))
    detail = {"erasure": str(erasure_id), "destroyed": erasure.destroyed}
    target = f"customer/{family.head}"
    audit(session, principal, "erase", target, detail, org_path=family.org_path)
    erasure.audit_seq, erasure.audit_hash = (await fetch(session, _HEAD))[0]
    await session.flush()
    await _see(session, principal.scope)
    return erasure


async def sweep_late_facts(runtime: Runtime) -> None:
    """Endless: what was being recorded of a person in the moment of the erasure goes within a minute."""
    while True:
        async with runtime.db.transaction() as session:
            await forget_late_facts(session)
        await asyncio.sleep(_SWEEP_SECONDS)


async def forget_late_facts(session: AsyncSession) -> int:
    """Delete again what is deleted with a person, for those erased lately; how many rows were late."""
    recent = clock.now() - _LATE
    statement = select(Erasure.subjects).where(Erasure.state == "erased", Erasure.confirmed_at > recent)
    ids = [UUID(one) for subjects in await session.scalars(statement) for one in subjects]
    if not ids:
        return 0
    return sum([await _end(session, held, ids) for held in HELD if held.fate == "delete"])


async def _requested(session: AsyncSession, erasure_id: UUID) -> Erasure:
    erasure = await session.get(Erasure, erasure_id, with_for_update=True)
    if erasure is None:
        raise NotFound("There is no such erasure in your organisation")
    if erasure.state != "requested":
        raise Conflict(f"The erasure is {erasure.state}: only a requested one can be confirmed or withdrawn")
    return erasure


def _refuse_held(holds: Sequence[LegalHold]) -> None:
    if holds:
        errors = [FieldError("", f"{hold.code}: {hold.detail}") for hold in holds]
        raise Conflict("Something stands against the erasure", errors=errors, slug="legal-hold")


async def _refuse_personal(session: AsyncSession, vault: Vault, family: Family, reason: str) -> None:
    """The receipt outlives the person's key, so its reason must not name the person."""
    identities = await session.scalars(
        select(SourceIdentity.source_id).where(SourceIdentity.customer_id.in_(family.ids))
    )
    values = set(identities)
    rows = await session.execute(
        select(Customer.id, Customer.pii, CustomerKey.wrapped_key)
        .join(CustomerKey, CustomerKey.customer_id == Customer.id)
        .where(Customer.id.in_(family.ids))
    )
    for row in rows:
        personal = vault.open(row.id, row.wrapped_key, row.pii)
        values |= {value for name in FIELDS if (value := personal[name])}
    if any(len(value) > 1 and value in reason for value in values):
        raise Unprocessable(
            "The reason stays with the receipt", errors=[FieldError("/reason", "names the person")]
        )


async def _destroy(session: AsyncSession, vault: Vault, erasure: Erasure, family: Family) -> dict[str, int]:
    """Rows that went or lost what was personal, by table."""
    rows = await session.execute(
        select(SourceIdentity.source, SourceIdentity.source_id).where(
            SourceIdentity.customer_id.in_(family.ids)
        )
    )
    pairs = [(row.source, row.source_id) for row in rows]
    if erasure.do_not_collect_again:
        await bury(session, vault, erasure.id, pairs)
    counts = {held.table: await _end(session, held, family.ids) for held in HELD if held.fate != "keep"}
    sources = {"sources": [pair[0] for pair in pairs], "source_ids": [pair[1] for pair in pairs]}
    counts["parked_event"] = len(await fetch(session, _PARKED, sources))
    identities = [Identity(source=source, source_id=source_id) for source, source_id in pairs]
    counts["quarantined_event"] = await forget_subjects(session, vault, identities)
    needles = [str(one).encode() for one in family.ids]
    counts["stored_answer"] = len(await fetch(session, _ANSWERS, {"needles": needles}))
    return {table: n for table, n in counts.items() if n}


async def _end(session: AsyncSession, held: Held, ids: Sequence[UUID]) -> int:
    parameters = {"ids": list(ids), "now": clock.now()}
    if held.fate == "delete":
        statement = f"DELETE FROM {held.table} WHERE {held.condition} RETURNING 1"  # noqa: S608 - ours
    else:
        changes = ", ".join(f"{column} = {value}" for column, value in held.blank.items())
        statement = f"UPDATE {held.table} SET {changes} WHERE {held.condition} RETURNING 1"  # noqa: S608 - ours
    return len(await fetch(session, statement, parameters))


async def _count(session: AsyncSession, held: Held, ids: Sequence[UUID]) -> int:
    statement = f"SELECT count(*) FROM {held.table} WHERE {held.condition}"  # noqa: S608 - names are ours
    rows = await fetch(session, statement, {"ids": list(ids)})
    return int(rows[0][0])


async def _see(session: AsyncSession, scope: str) -> None:
    await session.execute(text("SELECT set_config('huanying.org_scope', :scope, true)"), {"scope": scope})
