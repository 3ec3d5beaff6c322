"""Models of value with all their versions, their monthly runs, and the figures of each customer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base

FIGURES = (
    "average_balance",
    "ftp_margin",
    "fees",
    "expected_loss",
    "operating_cost",
    "capital",
    "capital_charge",
    "contribution",
)
"""Columns of `Figures`, in the order of the tables and of every statement on them."""


class Figures:
    """Amounts in the model's currency, each row rounded to the cent: sums of rows are exact."""

    average_balance: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    ftp_margin: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    fees: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    expected_loss: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    operating_cost: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    capital: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    capital_charge: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    contribution: Mapped[Decimal] = mapped_column(Numeric(20, 2))


class ValueModel(Base):
    """The present version of one model; `schedule` repeats what its text says, for the scheduler."""

    __tablename__ = "value_model"
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    schedule: Mapped[bool]
    currency: Mapped[str]


class ValueModelVersion(Base):
    """What a model said in one version; runs name the version they used."""

    __tablename__ = "value_model_version"
    code: Mapped[str] = mapped_column(ForeignKey("value_model.code"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    spec: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class ValueRun(Base):
    """One calculation of one month. Of each model and month one is current; older ones keep their totals."""

    __tablename__ = "value_run"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    model: Mapped[str] = mapped_column(ForeignKey("value_model.code"))
    model_version: Mapped[int]
    month: Mapped[date]
    through: Mapped[date]
    days: Mapped[int]
    """From the first of the month through `through`; of `day_count` a year."""
    day_count: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    requested_by: Mapped[str]
    job_id: Mapped[UUID | None]
    watermark: Mapped[dict[str, Any]]
    counts: Mapped[dict[str, Any]]
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("value_run.id"))
    edition: Mapped[int | None] = mapped_column(BigInteger)
    """Which current calculation of its month this is or was, from 1; null before it was."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("number"),
        Index("ix_value_run_model_month", "model", "month", "number"),
        Index(
            "ix_value_run_current", "model", "month", unique=True, postgresql_where=text("state = 'current'")
        ),
    )


class CustomerValue(Figures, Base):
    """One customer's product in one run. `customer_id` is the home: merges are summed by whoever reads.

    Rows of a run that is not current yet, or was never finished, are not part of any answer.
    """

    __tablename__ = "customer_value"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    accounts: Mapped[int]
    __table_args__ = (Index("ix_customer_value_run_id", "run_id"),)


class SupersededValue(Figures, Base):
    """A row of an older run that the run after it changed or no longer has."""

    __tablename__ = "superseded_value"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    accounts: Mapped[int]
    __table_args__ = (Index("ix_superseded_value_run_id", "run_id"),)


class ValueRunTotal(Figures, Base):
    """What a run found for one branch and product, by the shares of that day; kept for ever."""

    __tablename__ = "value_run_total"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("value_run.id"), primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    customers: Mapped[int] = mapped_column(BigInteger)


class ValueBenchmark(Base):
    """The 75th percentile of a peer group's income from one category."""

    __tablename__ = "value_benchmark"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("value_run.id"), primary_key=True)
    peer_group: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    peers: Mapped[int] = mapped_column(BigInteger)
    income: Mapped[Decimal] = mapped_column(Numeric(20, 2))


class CustomerPotential(Base):
    """What the family of a customer lacked of its peers' income when a run ended, in all categories."""

    __tablename__ = "customer_potential"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    __table_args__ = (Index("ix_customer_potential_run_id", "run_id"),)
