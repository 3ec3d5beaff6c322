"""Endpoints, the events kept for them, and one row per event and endpoint."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class WebhookEndpoint(Base):
    __tablename__ = "webhook_endpoint"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    url: Mapped[str]
    event_types: Mapped[list[str]]
    description: Mapped[str]
    max_in_flight: Mapped[int]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed, as is the one before it; see shared.webhooks.secrets."""
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_valid_until: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(server_default="enabled")
    disabled_reason: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    version: Mapped[int] = mapped_column(server_default="1")


class WebhookMessage(Base):
    """An event that some endpoint subscribes to, as it was published: kept for attempts and replays."""

    __tablename__ = "webhook_message"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_type: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(index=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class WebhookDelivery(Base):
    """The primary key is the inbox: an event that comes twice from the stream is one delivery."""

    __tablename__ = "webhook_delivery"
    endpoint_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), primary_key=True
    )
    event_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_message.event_id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None] = mapped_column(server_default=func.clock_timestamp())
    leased_until: Mapped[datetime | None]
    """A worker is sending it now; when the worker dies, the lease ends and another one sends it."""
    response_status: Mapped[int | None]
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    replays: Mapped[int] = mapped_column(BigInteger, server_default="0")
    __table_args__ = (
        Index("ix_webhook_delivery_event_id", "event_id"),
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "next_attempt_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_webhook_delivery_leased",
            "endpoint_id",
            postgresql_where=text("leased_until IS NOT NULL"),
        ),
    )
