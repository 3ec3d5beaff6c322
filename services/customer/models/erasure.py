"""A person's rights: the copy they ask for, and being forgotten."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class SubjectExport(Base):
    """Everything held about one person, sealed under the person's key until it is fetched once or expires."""

    __tablename__ = "subject_export"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID | None]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), index=True)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str]
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    size_bytes: Mapped[int | None]
    fetched_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_subject_export_expires_at", "expires_at", postgresql_where=text("content IS NOT NULL")),
    )


class Erasure(Base):
    """A request to forget a person, confirmed by somebody else; afterwards the receipt."""

    __tablename__ = "erasure"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    org_path: Mapped[str]
    reason: Mapped[str]
    legal_basis: Mapped[str]
    do_not_collect_again: Mapped[bool]
    state: Mapped[str]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    confirmed_by: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]
    subjects: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """Ids of the person's file and of all merged into it."""
    destroyed: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Rows by table."""
    audit_seq: Mapped[int | None]
    audit_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    streams_until: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> requested_by", name="four_eyes"),
        CheckConstraint("state <> 'erased' OR confirmed_by IS NOT NULL", name="confirmed"),
        Index(
            "uq_erasure_requested", "customer_id", unique=True, postgresql_where=text("state = 'requested'")
        ),
    )


class ErasureConfirmation(Base):
    """Another service has deleted what it kept."""

    __tablename__ = "erasure_confirmation"
    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasure.id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[int]
    confirmed_at: Mapped[datetime]


class ErasureTombstone(Base):
    """The keyed hash of an identity that must not be collected again."""

    __tablename__ = "erasure_tombstone"
    identity_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasure.id"))


class RetentionRule(Base):
    """How long the law makes the bank keep something: until then it stands against an erasure."""

    __tablename__ = "retention_rule"
    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    applies_to: Mapped[str]
    """`closed_account`, or `event` of `event_type`."""
    event_type: Mapped[str | None]
    keep_days: Mapped[int]
    active: Mapped[bool]
    version: Mapped[int]
