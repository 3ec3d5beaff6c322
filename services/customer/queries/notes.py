"""Need notes, interactions and complaints as contracts; free text only when revealed."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, and_, exists, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from services.customer.domain.vault import SealBrokenError, Vault
from services.customer.models import Complaint, Customer, CustomerKey, Interaction, NeedNote
from shared.contracts.customer.notes import ComplaintView, InteractionView, NeedNoteView
from shared.db import fetch
from shared.errors import NotFound

_blanket = aliased(Complaint)

# Resolved by itself, or by a resolution of all its customer's complaints (of its category) up to then.
_OPEN: ColumnElement[bool] = and_(
    func.coalesce(Complaint.resolved_at < Complaint.filed_at, True),
    ~exists().where(
        _blanket.customer_id == Complaint.customer_id,
        _blanket.filed_at.is_(None),
        _blanket.reference.in_(["", literal_column("chr(31)") + func.coalesce(Complaint.category, "")]),
        _blanket.resolved_at >= Complaint.filed_at,
    ),
)

_OPEN_COMPLAINTS = """
SELECT count(*) FROM complaint c
WHERE c.customer_id IN (SELECT %(customer)s::uuid UNION ALL
                        SELECT id FROM customer WHERE merged_into = %(customer)s)
  AND c.kind = 'complaint' AND c.filed_at IS NOT NULL
  AND coalesce(c.resolved_at < c.filed_at, true)
  AND NOT EXISTS (SELECT 1 FROM complaint b WHERE b.customer_id = c.customer_id AND b.filed_at IS NULL
    AND b.reference IN ('', chr(31) || coalesce(c.category, '')) AND b.resolved_at >= c.filed_at)
"""


class ComplaintRow(NamedTuple):
    """A complaint with what is not its own: is it open, whose is it now."""

    complaint: Complaint
    open: bool
    org: str
    survivor: UUID


async def open_complaints(session: AsyncSession, customer_id: UUID) -> int:
    """How many complaints of a customer and all merged into it wait for a resolution."""
    rows = await fetch(session, _OPEN_COMPLAINTS, {"customer": customer_id})
    return int(rows[0][0])


def need_notes(
    *,
    customer_id: UUID | None,
    org: str | None,
    staff: str | None,
    status: str | None,
    due_until: date | None,
) -> Any:
    """All given conditions together; rows of note and survivor."""
    statement = _of_customers(NeedNote, NeedNote.customer_id, customer_id, org)
    if staff is not None:
        statement = statement.where(NeedNote.staff == staff)
    if status is not None:
        statement = statement.where(NeedNote.status == status)
    if due_until is not None:
        statement = statement.where(NeedNote.next_on <= due_until)
    return statement


def interactions(
    *,
    customer_id: UUID | None,
    org: str | None,
    staff: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Any:
    """All given conditions together; rows of interaction and survivor."""
    statement = _of_customers(Interaction, Interaction.customer_id, customer_id, org)
    if staff is not None:
        took_part = Interaction.participants.contains([staff])
        statement = statement.where(or_(Interaction.staff == staff, took_part))
    if kind is not None:
        statement = statement.where(Interaction.kind == kind)
    if since is not None:
        statement = statement.where(Interaction.at >= since)
    if until is not None:
        statement = statement.where(Interaction.at < until)
    return statement


def complaints(
    *,
    customer_id: UUID | None,
    org: str | None,
    staff: str | None,
    kind: str | None,
    is_open: bool | None,
    due_until: date | None,
) -> Any:
    """All given conditions together; rows of ComplaintRow."""
    statement = _of_customers(Complaint, Complaint.customer_id, customer_id, org)
    statement = statement.add_columns(_OPEN.label("open"), Customer.org_path)
    statement = statement.where(Complaint.filed_at.is_not(None))
    if staff is not None:
        statement = statement.where(Complaint.staff == staff)
    if kind is not None:
        statement = statement.where(Complaint.kind == kind)
    if is_open is not None:
        statement = statement.where(_OPEN if is_open else ~_OPEN)
    if due_until is not None:
        statement = statement.where(Complaint.due_on <= due_until)
    return statement


def _of_customers(
    model: type[NeedNote] | type[Interaction] | type[Complaint],
    home: InstrumentedAttribute[UUID],
    customer_id: UUID | None,
    org: str | None,
) -> Select[Any]:
    survivor = func.coalesce(Customer.merged_into, Customer.id)
    statement: Any = select(model, survivor).join(Customer, Customer.id == home)
    if customer_id is not None:
        family = select(Customer.id).where(
            or_(Customer.id == customer_id, Customer.merged_into == customer_id)
        )
        statement = statement.where(home.in_(family))
    if org is not None:
        below = Customer.org_path.startswith(org + ".", autoescape=True)
        statement = statement.where(or_(Customer.org_path == org, below))
    found: Select[Any] = statement
    return found


async def need_note(session: AsyncSession, vault: Vault, note_id: UUID, *, reveal: bool) -> NeedNoteView:
    row = await _one(session, _of_customers(NeedNote, NeedNote.customer_id, None, None), NeedNote.id, note_id)
    return need_note_view(row, await _texts(session, vault, row[0], reveal=reveal))


async def interaction(
    session: AsyncSession, vault: Vault, interaction_id: UUID, *, reveal: bool
) -> InteractionView:
    statement = _of_customers(Interaction, Interaction.customer_id, None, None)
    row = await _one(session, statement, Interaction.id, interaction_id)
    return interaction_view(row, await _texts(session, vault, row[0], reveal=reveal))


async def complaint(
    session: AsyncSession, vault: Vault, complaint_id: UUID, *, reveal: bool
) -> ComplaintView:
    row = await complaint_row(session, complaint_id)
    return complaint_view(row, await _texts(session, vault, row.complaint, reveal=reveal))


async def complaint_row(session: AsyncSession, complaint_id: UUID) -> ComplaintRow:
    statement = complaints(customer_id=None, org=None, staff=None, kind=None, is_open=None, due_until=None)
    return as_complaint(await _one(session, statement, Complaint.id, complaint_id))


def as_complaint(row: Any) -> ComplaintRow:
    return ComplaintRow(complaint=row[0], open=row[2], org=row[3], survivor=row[1])


async def _one(
    session: AsyncSession, statement: Select[Any], key: InstrumentedAttribute[UUID], value: UUID
) -> Any:
    row = (await session.execute(statement.where(key == value))).one_or_none()
    if row is None:
        raise NotFound("There is none like that in your organisation")
    return row


async def _texts(
    session: AsyncSession, vault: Vault, row: NeedNote | Interaction | Complaint, *, reveal: bool
) -> Mapping[str, str]:
    """The free texts of a row; none unless revealed, and none once the key is destroyed."""
    key = await session.get(CustomerKey, row.customer_id) if reveal and row.sealed else None
    if key is None or row.sealed is None:
        return {}
    try:
        texts: Mapping[str, str] = orjson.loads(
            vault.open_bytes(row.customer_id, key.wrapped_key, row.sealed)
        )
    except SealBrokenError:
        return {}
    return texts


def need_note_view(row: Any, texts: Mapping[str, str]) -> NeedNoteView:
    note: NeedNote = row[0]
    return NeedNoteView.model_validate(
        {
            **{name: getattr(note, name) for name in _NOTE},
            "customer_id": row[1],
            "has_text": note.sealed is not None,
            "text": texts.get("text"),
            "next_step": texts.get("next_step"),
        }
    )


def interaction_view(row: Any, texts: Mapping[str, str]) -> InteractionView:
    one: Interaction = row[0]
    return InteractionView.model_validate(
        {
            **{name: getattr(one, name) for name in _INTERACTION},
            "customer_id": row[1],
            "has_note": one.sealed is not None,
            "note": texts.get("note"),
        }
    )


def complaint_view(row: ComplaintRow, texts: Mapping[str, str]) -> ComplaintView:
    return ComplaintView.model_validate(
        {
            **{name: getattr(row.complaint, name) for name in _COMPLAINT},
            "customer_id": row.survivor,
            "org": row.org,
            "open": row.open,
            "has_text": row.complaint.sealed is not None,
            "text": texts.get("text"),
        }
    )


_NOTE = (
    "id",
    "needs",
    "risk_attitude",
    "stated_by",
    "status",
    "staff",
    "next_on",
    "version",
    "created_by",
    "created_at",
    "updated_at",
)
_INTERACTION = (
    "id",
    "source",
    "kind",
    "direction",
    "at",
    "minutes",
    "disposition",
    "staff",
    "participants",
    "version",
    "updated_at",
)
_COMPLAINT = (
    "id",
    "source",
    "kind",
    "category",
    "severity",
    "filed_at",
    "resolved_at",
    "staff",
    "due_on",
    "version",
)
