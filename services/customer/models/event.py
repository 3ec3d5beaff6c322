"""The log of business events, their types, and events whose customer has not arrived yet."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class EventType(Base):
    """A type of business event and the JSON Schema of its data."""

    __tablename__ = "event_type"
    type: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    data_schema: Mapped[dict[str, Any]]
    built_in: Mapped[bool]
    version: Mapped[int]
    compatibility: Mapped[str] = mapped_column(server_default="backward")


class EventTypeVersion(Base):
    """Every schema a type has ever had; an event may ask to be read by any of them."""

    __tablename__ = "event_type_version"
    type: Mapped[str] = mapped_column(ForeignKey("event_type.type"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    data_schema: Mapped[dict[str, Any]]
    registered_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    registered_by: Mapped[str]


class CustomerEvent(Base):
    """Append only. `content_hash` tells a repeated event from a changed one.

    `data` has the declared, non-personal properties; the others are `sealed` under the customer's key and
    never leave the service. Rows of the first release have them in `private` until background work seals
    them.
    """

    __tablename__ = "customer_event"
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    customer_id: Mapped[UUID]
    """No foreign key: the insert joins the identity, customers stay, and each check would cost a lock."""
    time: Mapped[datetime]
    data: Mapped[dict[str, Any]]
    private: Mapped[dict[str, Any] | None]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    schema_version: Mapped[int | None]
    """The version of its type that read it; null in rows of the first release."""
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_customer_event_timeline", "customer_id", "time", "seq"),
        Index("ix_customer_event_unsealed", "seq", postgresql_where=text("private IS NOT NULL")),
    )


class ParkedEvent(Base):
    """Accepted, durable, and applied as soon as a customer with this identity exists.

    `sealed` is under a key of its identity: there is no customer, and so no customer's key, yet.
    """

    __tablename__ = "parked_event"
    source: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    type: Mapped[str]
    time: Mapped[datetime]
    data: Mapped[dict[str, Any]]
    private: Mapped[dict[str, Any] | None]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    schema_version: Mapped[int | None]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    parked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (
        Index("ix_parked_event_source_source_id", "source", "source_id"),
        Index("ix_parked_event_unsealed", "source", "event_id", postgresql_where=text("private IS NOT NULL")),
    )


class QuarantinedEvent(Base):
    """An event that was refused, kept with what is wrong with it until it is repaired, discarded or expires.

    `sealed` has the event as it came; null when it was too large to keep. What it claims to be (`source`,
    `event_id`, `type`) is null where it is not of the right form. `subject_hash` finds what must go when a
    customer is erased.
    """

    __tablename__ = "quarantined_event"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    """Of the key that sent it."""
    source: Mapped[str | None]
    event_id: Mapped[str | None]
    type: Mapped[str | None]
    subject_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """Keyed: the same refused event again counts, it does not pile up."""
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    reason: Mapped[str]
    errors: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    seen: Mapped[int] = mapped_column(server_default="1")
    received_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="open")
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_because: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("content_hash", "org_path"),
        Index("ix_quarantined_event_open_key", "source", "event_id", postgresql_where=text("state = 'open'")),
        Index("ix_quarantined_event_expires_at", "expires_at"),
        Index("ix_quarantined_event_subject_hash", "subject_hash"),
    )
