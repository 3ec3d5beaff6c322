"""What customers allow: the present word by channel and purpose, and the ledger of every word given."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base

NO_END = date(9999, 12, 31)
"""`valid_until` of a ledger entry without an end: it is part of the key, so it cannot be null."""


class Consent(Base):
    """Latest word of the customer for one channel and purpose; `changed_at` orders late arrivals."""

    __tablename__ = "consent"
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True, server_default="marketing")
    granted: Mapped[bool]
    changed_at: Mapped[datetime]
    source: Mapped[str]
    valid_until: Mapped[date | None]
    """The last day the consent holds."""
    expired: Mapped[bool] = mapped_column(server_default=text("false"))
    """Its end was announced to the other services; readers compare the date themselves."""
    __table_args__ = (
        Index(
            "ix_consent_valid_until",
            "valid_until",
            postgresql_where=text("granted AND NOT expired AND valid_until IS NOT NULL"),
        ),
    )


class ConsentEntry(Base):
    """One word of a customer, append only. The same word from two paths is one entry."""

    __tablename__ = "consent_entry"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    changed_at: Mapped[datetime] = mapped_column(primary_key=True)
    granted: Mapped[bool] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    valid_until: Mapped[date] = mapped_column(primary_key=True, server_default=text("'9999-12-31'"))
    proof_kind: Mapped[str | None]
    proof_hash: Mapped[str | None]
    """SHA-256 of the form or recording."""
    proof_reference: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Where the form or recording is kept, sealed under the customer's key: it may name the person."""
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str | None] = mapped_column(
        server_default=text("nullif(current_setting('huanying.actor', true), '')")
    )
