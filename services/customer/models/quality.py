"""Rules of data quality, what they found in each file, and how it went day by day."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from services.customer.models.customer import Customer
from shared.db import Base

# Block ranges: small, and unlike a tree no burden on updates that leave the other indexes alone.
Index("ix_customer_updated_at", Customer.updated_at, postgresql_using="brin")


class QualityRule(Base):
    """One rule as the bank wrote it; `spec` is its contract."""

    __tablename__ = "quality_rule"
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    spec: Mapped[dict[str, Any]]


class QualityResult(Base):
    """What the rules found in one customer's file: of that `version` of it, by those `rules`.

    On `next_check` the same file may be judged otherwise: an assessment expires, a birthday comes.
    """

    __tablename__ = "quality_result"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    rules: Mapped[str]
    score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    completeness: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    validity: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    freshness: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    uniqueness: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    failing: Mapped[list[str]]
    next_check: Mapped[date | None]
    evaluated_at: Mapped[datetime]


class QualityDay(Base):
    """Sums of one day by branch and primary manager (empty: nobody); averages are sums over counts."""

    __tablename__ = "quality_day"
    day: Mapped[date] = mapped_column(primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    manager: Mapped[str] = mapped_column(primary_key=True)
    customers: Mapped[int] = mapped_column(BigInteger)
    sums: Mapped[dict[str, Any]]
    """By score: [sum, how many customers have one]."""
