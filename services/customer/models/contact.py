"""Contacts made by campaigns, as the customer's timeline shows them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class CustomerContact(Base):
    """One step of one contact; the highest version is its present state."""

    __tablename__ = "customer_contact"
    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    campaign_id: Mapped[UUID]
    state: Mapped[str]
    disposition: Mapped[str | None]
    offer: Mapped[str | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    __table_args__ = (
        Index("ix_customer_contact_recorded_at", "recorded_at"),
        Index("ix_customer_contact_timeline", "customer_id", "recorded_at", "contact_id", "version"),
    )
