"""Need notes, interactions and complaints: written by managers, free text under the customer's key."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.models import Complaint, Customer, CustomerKey, Interaction, NeedNote, Staff
from services.customer.queries.notes import complaint_row
from services.customer.usecases.conversations import tell_outgoing
from services.customer.usecases.own_events import SOURCE, record_own
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.notes import (
    ComplaintPatch,
    ComplaintWrite,
    InteractionPatch,
    InteractionWrite,
    NeedNotePatch,
    NeedNoteWrite,
)
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_AHEAD = timedelta(minutes=5)


async def create_need_note(
    session: AsyncSession, principal: Principal, vault: Vault, body: NeedNoteWrite
) -> UUID:
    customer = await _customer(session, body.customer_id)
    staff = body.staff or principal.staff
    await _check_staff(session, {"/staff": staff})
    now = clock.now()
    note = NeedNote(
        id=new_id(),
        customer_id=body.customer_id,
        staff=staff,
        needs=[need.model_dump(mode="json") for need in body.needs],
        risk_attitude=body.risk_attitude,
        stated_by=body.stated_by,
        status="open",
        next_on=body.next_on,
        sealed=await _seal(session, vault, customer, {"text": body.text, "next_step": body.next_step}),
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    session.add(note)
    await session.flush()
    audit(session, principal, "create", f"need-note/{note.id}", org_path=customer.org_path)
    return note.id


async def change_need_note(
    session: AsyncSession,
    principal: Principal,
    vault: Vault,
    note_id: UUID,
    body: NeedNotePatch,
    expected: int,
) -> None:
    note = await session.get(NeedNote, note_id, with_for_update=True)
    if note is None:
        raise NotFound("There is no such need note in your organisation")
    check_version(note.version, expected)
    customer = await _customer(session, note.customer_id)
    changes = body.model_dump(exclude_unset=True, mode="json")
    if changes.get("staff"):
        await _check_staff(session, {"/staff": changes["staff"]})
    texts: dict[str, str | None] = {
        name: changes.pop(name) for name in ("text", "next_step") if name in changes
    }
    if texts:
        note.sealed = await _reseal(session, vault, customer, note.sealed, texts)
    for name in changes:
        setattr(note, name, changes[name] if name == "needs" else getattr(body, name))
    note.version += 1
    note.updated_at = clock.now()
    await session.flush()
    detail = {"fields": sorted(body.model_fields_set)}
    audit(session, principal, "change", f"need-note/{note_id}", detail, org_path=customer.org_path)


async def record_interaction(
    session: AsyncSession, principal: Principal, vault: Vault, body: InteractionWrite
) -> UUID:
    """Also an `interaction.recorded` event of the customer, so that segments and timeline see it."""
    customer = await _customer(session, body.customer_id)
    staff, now = body.staff or principal.staff, clock.now()
    at = body.at or now
    if at > now + _AHEAD:
        raise Unprocessable("It has not happened yet", errors=[FieldError("/at", "is in the future")])
    named = {f"/participants/{index}": code for index, code in enumerate(body.participants)}
    await _check_staff(session, {"/staff": staff, **named})
    interaction = Interaction(
        id=new_id(),
        customer_id=body.customer_id,
        source=SOURCE,
        event_id="",
        at=at,
        staff=staff,
        sealed=await _seal(session, vault, customer, {"note": body.note}),
        updated_at=now,
        **body.model_dump(include={"kind", "direction", "minutes", "disposition", "participants"}),
    )
    interaction.event_id = f"interaction-{interaction.id}"
    session.add(interaction)
    await session.flush()
    told = body.model_dump(include={"kind", "direction", "minutes", "disposition"})
    await record_own(
        session,
        body.customer_id,
        "interaction.recorded",
        interaction.event_id,
        at,
        {**told, "by": staff},
    )
    await tell_outgoing(session, [SOURCE], [interaction.event_id])
    audit(session, principal, "record", f"interaction/{interaction.id}", org_path=customer.org_path)
    return interaction.id


async def change_interaction(
    session: AsyncSession,
    principal: Principal,
    vault: Vault,
    interaction_id: UUID,
    body: InteractionPatch,
    expected: int,
) -> None:
    interaction = await session.get(Interaction, interaction_id, with_for_update=True)
    if interaction is None:
        raise NotFound("There is no such interaction in your organisation")
    check_version(interaction.version, expected)
    customer = await _customer(session, interaction.customer_id)
    if body.participants is not None:
        named = {f"/participants/{index}": code for index, code in enumerate(body.participants)}
        await _check_staff(session, named)
        interaction.participants = list(body.participants)
    if "note" in body.model_fields_set:
        interaction.sealed = await _seal(session, vault, customer, {"note": body.note})
    interaction.version += 1
    interaction.updated_at = clock.now()
    await session.flush()
    detail = {"fields": sorted(body.model_fields_set)}
    path = customer.org_path
    audit(session, principal, "change", f"interaction/{interaction_id}", detail, org_path=path)


async def file_complaint(
    session: AsyncSession, principal: Principal, vault: Vault, body: ComplaintWrite
) -> UUID:
    """A complaint is also a `complaint.filed` event; feedback stays here."""
    customer = await _customer(session, body.customer_id)
    await _check_staff(session, {"/staff": body.staff})
    complaint_id, now = new_id(), clock.now()
    complaint = Complaint(
        id=complaint_id,
        customer_id=body.customer_id,
        source=SOURCE,
        reference=str(complaint_id),
        filed_at=now,
        sealed=await _seal(session, vault, customer, {"text": body.text}),
        **body.model_dump(include={"kind", "category", "severity", "staff", "due_on"}),
    )
    session.add(complaint)
    await session.flush()
    if body.kind == "complaint":
        told = {"category": body.category, "severity": body.severity, "reference": str(complaint_id)}
        await record_own(session, body.customer_id, "complaint.filed", f"complaint-{complaint_id}", now, told)
    audit(session, principal, "file", f"complaint/{complaint_id}", org_path=customer.org_path)
    return complaint_id


async def change_complaint(
    session: AsyncSession,
    principal: Principal,
    vault: Vault,
    complaint_id: UUID,
    body: ComplaintPatch,
    expected: int,
) -> None:
    complaint = await _complaint(session, complaint_id)
    check_version(complaint.version, expected)
    customer = await _customer(session, complaint.customer_id)
    await _check_staff(session, {"/staff": body.staff})
    for name in body.model_fields_set - {"text"}:
        setattr(complaint, name, getattr(body, name))
    if "text" in body.model_fields_set:
        complaint.sealed = await _seal(session, vault, customer, {"text": body.text})
    complaint.version += 1
    await session.flush()
    detail = {"fields": sorted(body.model_fields_set)}
    path = customer.org_path
    audit(session, principal, "change", f"complaint/{complaint_id}", detail, org_path=path)


async def resolve_complaint(session: AsyncSession, principal: Principal, complaint_id: UUID) -> None:
    """409 when it is resolved already."""
    complaint = await _complaint(session, complaint_id)
    customer = await _customer(session, complaint.customer_id)
    found = await complaint_row(session, complaint_id)
    if not found.open or complaint.filed_at is None:
        raise Conflict("It is resolved already")
    now = max(clock.now(), complaint.filed_at)
    complaint.resolved_at = now
    complaint.version += 1
    await session.flush()
    if complaint.kind == "complaint":
        told = {
            "category": complaint.category,
            "reference": complaint.reference,
            "days": (now - complaint.filed_at).days,
        }
        event_id = f"complaint-{complaint_id}-resolved-{complaint.version}"
        await record_own(session, complaint.customer_id, "complaint.resolved", event_id, now, told)
    audit(session, principal, "resolve", f"complaint/{complaint_id}", org_path=customer.org_path)


async def _customer(session: AsyncSession, customer_id: UUID) -> Customer:
    customer = await session.get(Customer, customer_id)
    if customer is None:
        raise Unprocessable(
            "There is no such customer in your organisation",
            errors=[FieldError("/customer_id", "is no customer you can see")],
        )
    return customer


async def _complaint(session: AsyncSession, complaint_id: UUID) -> Complaint:
    complaint = await session.get(Complaint, complaint_id, with_for_update=True)
    if complaint is None or complaint.filed_at is None:
        raise NotFound("There is no such complaint in your organisation")
    return complaint


async def _check_staff(session: AsyncSession, wanted: Mapping[str, str | None]) -> None:
    codes: Iterable[str] = {code for code in wanted.values() if code}
    known = set(await session.scalars(select(Staff.code).where(Staff.code.in_(codes), Staff.active)))
    errors = [
        FieldError(pointer, "is not active staff you can see")
        for pointer, code in wanted.items()
        if code and code not in known
    ]
    if errors:
        raise Unprocessable("The staff is not valid", errors=errors)


async def _seal(
    session: AsyncSession, vault: Vault, customer: Customer, texts: Mapping[str, str | None]
) -> bytes | None:
    """409 when the customer was erased: there is no key to keep it under."""
    told = {name: text for name, text in texts.items() if text is not None}
    if not told:
        return None
    key = await session.get(CustomerKey, customer.id)
    if key is None:
        raise Conflict("The customer's personal data was erased")
    return vault.seal_bytes(customer.id, key.wrapped_key, orjson.dumps(told))


async def _reseal(
    session: AsyncSession,
    vault: Vault,
    customer: Customer,
    sealed: bytes | None,
    changes: Mapping[str, str | None],
) -> bytes | None:
    before: dict[str, Any] = {}
    key = await session.get(CustomerKey, customer.id)
    if sealed is not None and key is not None:
        before = orjson.loads(vault.open_bytes(customer.id, key.wrapped_key, sealed))
    return await _seal(session, vault, customer, {**before, **changes})
