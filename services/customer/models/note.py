"""What a customer needs, who talked with it, and what it complained of."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class NeedNote(Base):
    """客户需求说明书: needs in the customer's words and the bank's terms; free text is sealed."""

    __tablename__ = "need_note"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    staff: Mapped[str | None] = mapped_column(ForeignKey("staff.code"))
    needs: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    risk_attitude: Mapped[str | None]
    stated_by: Mapped[str]
    status: Mapped[str]
    next_on: Mapped[date | None]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """`text` and `next_step` as JSON under the customer's key."""
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        Index("ix_need_note_customer_id", "customer_id", "id"),
        Index("ix_need_note_staff", "staff", "id"),
        Index("ix_need_note_due", "next_on", "id", postgresql_where=text("status = 'open'")),
    )


class Interaction(Base):
    """One conversation with a customer, told here or pushed by a partner system as an event."""

    __tablename__ = "interaction"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    source: Mapped[str]
    event_id: Mapped[str]
    at: Mapped[datetime]
    kind: Mapped[str]
    direction: Mapped[str | None]
    minutes: Mapped[int | None]
    disposition: Mapped[str | None]
    staff: Mapped[str | None]
    participants: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(server_default="1")
    updated_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("source", "event_id", name="uq_interaction_event"),
        Index("ix_interaction_customer_id_at", "customer_id", "at"),
        Index("ix_interaction_staff_at", "staff", "at"),
        Index("ix_interaction_at", "at", "id"),
    )


class Complaint(Base):
    """A complaint or feedback. Filing and resolving may arrive in any order: each keeps its own time.

    A resolution that names no complaint stands in a row of its own, never filed, and settles what was filed
    up to it: under the empty reference everything, under a category behind a unit separator that category.
    """

    __tablename__ = "complaint"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    source: Mapped[str]
    reference: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="complaint")
    category: Mapped[str | None]
    severity: Mapped[str | None]
    filed_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    staff: Mapped[str | None]
    due_on: Mapped[date | None]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        UniqueConstraint("customer_id", "source", "reference", name="uq_complaint_reference"),
        Index("ix_complaint_filed_at", "filed_at", "id"),
    )
