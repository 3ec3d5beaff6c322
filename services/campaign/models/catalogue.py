"""What is offered. It never changes once written."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Offer(Base):
    __tablename__ = "offer"
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[dict[str, Any]]
    product: Mapped[str]
    risk: Mapped[str]
    terms: Mapped[dict[str, Any]]
    value: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    currency: Mapped[str]
    valid_until: Mapped[date | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    __table_args__ = (CheckConstraint("risk ~ '^R[1-5]$'", "risk"),)
