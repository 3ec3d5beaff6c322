"""What customers hold: the present per account and every business date before it."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Holding(Base):
    """The latest known state of one account; what is latest does not depend on the order of arrival."""

    __tablename__ = "holding"
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(ForeignKey("product.code"))
    balance: Mapped[Decimal] = mapped_column(Numeric(18, 2))
    currency: Mapped[str]
    as_of: Mapped[date]
    measured_at: Mapped[datetime]
    opened_on: Mapped[date | None]
    matures_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    __table_args__ = (
        Index(
            "ix_holding_matures_on",
            "matures_on",
            "customer_id",
            "account",
            postgresql_where=text("matures_on IS NOT NULL"),
        ),
    )


class HoldingDay(Base):
    """The balance at the end of one business date."""

    __tablename__ = "holding_day"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[date] = mapped_column(primary_key=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(18, 2))
    measured_at: Mapped[datetime]
    recorded_at: Mapped[datetime | None]
    """Since when the file has this balance; null from before it kept track."""
