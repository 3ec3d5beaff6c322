"""The log of business events, their types, and events whose customer has not arrived yet."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, UniqueConstraint, func
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


class CustomerEvent(Base):
    """Append only. `content_hash` tells a repeated event from a changed one.

    `data` has the declared, non-personal properties; the others are in `private` and never leave the service.
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
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_customer_event_timeline", "customer_id", "time", "seq"),
    )


class ParkedEvent(Base):
    """Accepted, durable, and applied as soon as a customer with this identity exists."""

    __tablename__ = "parked_event"
    source: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    type: Mapped[str]
    time: Mapped[datetime]
    data: Mapped[dict[str, Any]]
    private: Mapped[dict[str, Any] | None]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    parked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (Index("ix_parked_event_source_source_id", "source", "source_id"),)
