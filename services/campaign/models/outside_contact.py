"""Contacts that no campaign made."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class OutsideContact(Base):
    """A manager's own call, visit or message, by the file it was recorded for: it counts against the cap."""

    __tablename__ = "outside_contact"
    id: Mapped[UUID] = mapped_column(primary_key=True, doc="Of the interaction")
    customer_id: Mapped[UUID]
    at: Mapped[datetime]
    __table_args__ = (Index(None, "customer_id", "at"), Index(None, "at"))
