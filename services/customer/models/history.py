"""What was believed before: superseded versions of customers and balances that were corrected later."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class CustomerHistory(Base):
    """One superseded version of a customer; a trigger writes it when the row is first updated.

    `recorded_from` is when it became true in the file; it ended when the next version began. The personal
    data is sealed under the customer's key of life: erasing the key makes every version unreadable.
    """

    __tablename__ = "customer_history"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    merged_into: Mapped[UUID | None]
    org_path: Mapped[str]
    primary_manager: Mapped[str | None]
    backup_manager: Mapped[str | None]
    gender: Mapped[str | None]
    birth_date: Mapped[date | None]
    occupation: Mapped[str | None]
    industry: Mapped[str | None]
    risk_level: Mapped[str | None]
    risk_valid_until: Mapped[date | None]
    customer_since: Mapped[date | None]
    consents: Mapped[dict[str, Any]]
    pii: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_from: Mapped[datetime]
    changed_by: Mapped[str | None]
    change_reason: Mapped[str | None]


class HoldingDaySuperseded(Base):
    """A balance of one business date as it was believed from `recorded_from` until `superseded_at`."""

    __tablename__ = "holding_day_superseded"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[date] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(primary_key=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(18, 2), primary_key=True)
    recorded_from: Mapped[datetime | None]
    """Null: known before the file kept track."""
    superseded_at: Mapped[datetime]
