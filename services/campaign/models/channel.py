"""Channels that carry messages, tests of them, and what the sandbox was given."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.channels import ChannelKind, ChannelState, ReceiptState, SubmissionOutcome
from shared.contracts.events import Channel as ConsentChannel
from shared.db import Base


class Channel(Base):
    __tablename__ = "channel"
    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[ChannelKind] = mapped_column(Text)
    name: Mapped[dict[str, Any]]
    consent: Mapped[ConsentChannel] = mapped_column(Text)
    connector: Mapped[dict[str, Any]]
    """As the contract's union says, without what is secret."""
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_until: Mapped[datetime | None]
    password: Mapped[bytes | None] = mapped_column(LargeBinary)
    per_minute: Mapped[int]
    daily_capacity: Mapped[int]
    cost: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    currency: Mapped[str]
    state: Mapped[ChannelState] = mapped_column(Text, server_default="disabled")
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        CheckConstraint("kind IN ('sms', 'email', 'push', 'im')", "kind"),
        CheckConstraint("state IN ('enabled', 'disabled')", "state"),
        CheckConstraint("per_minute > 0 AND daily_capacity > 0 AND cost >= 0", "positive"),
    )


class ChannelTest(Base):
    """Neither recipient nor text is kept."""

    __tablename__ = "channel_test"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(ForeignKey("channel.key"))
    at: Mapped[datetime]
    by: Mapped[str]
    outcome: Mapped[SubmissionOutcome] = mapped_column(Text)
    reference: Mapped[str | None]
    detail: Mapped[str | None]
    __table_args__ = (Index(None, "channel", "id"),)


class SandboxMessage(Base):
    """What the sandbox remembers of a message: nothing of the person or the text, of which even a digest
    could be guessed. The primary key is its promise to take a message once.
    """

    __tablename__ = "sandbox_message"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(ForeignKey("channel.key"))
    language: Mapped[str]
    length: Mapped[int]
    submissions: Mapped[int] = mapped_column(server_default="1")
    taken_at: Mapped[datetime]
    receipt: Mapped[ReceiptState | None] = mapped_column(Text)
    receipt_at: Mapped[datetime | None]
    """When it is told; null when it has been, or never will be."""
    __table_args__ = (
        Index("ix_sandbox_message_due", "receipt_at", postgresql_where=text("receipt_at IS NOT NULL")),
        Index(None, "channel"),
    )
