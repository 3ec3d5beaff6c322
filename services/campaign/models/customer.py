"""What the campaign service knows of customers and segments, kept from events. No personal data."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Customer(Base):
    __tablename__ = "known_customer"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ordinal: Mapped[int]
    version: Mapped[int]
    kind: Mapped[str]
    status: Mapped[str]
    org_path: Mapped[str]
    primary_manager: Mapped[str | None]
    backup_manager: Mapped[str | None]
    risk_level: Mapped[int | None] = mapped_column(SmallInteger, doc="1–5 of C1–C5")
    risk_valid_until: Mapped[date | None]
    consents: Mapped[list[str]] = mapped_column(ARRAY(Text), doc="Channels that were agreed to")
    merged_into: Mapped[UUID | None] = mapped_column(doc="The survivor, whose family this customer is of")
    __table_args__ = (
        Index(None, "org_path", postgresql_ops={"org_path": "text_pattern_ops"}),
        Index(None, "primary_manager", "org_path"),
        Index(None, "backup_manager", "org_path", postgresql_where=text("backup_manager IS NOT NULL")),
        Index(None, "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
    )


class ErasedCustomer(Base):
    """Nothing is taken of these customers any more, whatever is told again."""

    __tablename__ = "erased_customer"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    receipt_id: Mapped[UUID]
    erased_at: Mapped[datetime]


class MergeTold(Base):
    """Merges heard of; one whose undoing was heard first is not carried out."""

    __tablename__ = "merge_told"
    merge_id: Mapped[UUID] = mapped_column(primary_key=True)
    undone: Mapped[bool]


class Segment(Base):
    __tablename__ = "known_segment"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    kind: Mapped[str | None]
    name: Mapped[dict[str, Any] | None]
    archived: Mapped[bool] = mapped_column(server_default=text("false"))
    size: Mapped[int | None]
    evaluated_at: Mapped[datetime | None]


class SegmentMember(Base):
    """Membership as of the newest evaluation that named the customer; who left stays as a tombstone, so
    that an older message that comes late cannot bring them back.
    """

    __tablename__ = "segment_member"
    segment_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    member: Mapped[bool]
    changed_at: Mapped[datetime]
    cause: Mapped[str | None] = mapped_column(doc="Of the change, as told; null: told before it was kept")


class Suppression(Base):
    """A customer is not to be contacted: on one channel or all, until a time or for good."""

    __tablename__ = "suppression"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    kind: Mapped[str]
    channel: Mapped[str | None]
    until: Mapped[datetime | None]
    reason: Mapped[str | None]
    source: Mapped[str]
    contact_id: Mapped[UUID | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    __table_args__ = (CheckConstraint("kind IN ('do_not_contact', 'complaint')", "kind"),)
