"""Churn warnings, and how life-cycle stages are told apart."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base

_ACTIVE = text("state IN ('open', 'acknowledged')")


class ChurnWarning(Base):
    """A customer whom a run of a churn model expects to lose; at most one a model that is not settled.

    It stays with the customer it was raised for. While that one is merged, `survivor_id` says whose it is.
    """

    __tablename__ = "churn_warning"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id"))
    run_id: Mapped[UUID] = mapped_column(ForeignKey("model_run.id"))
    """The newest run that raised it."""
    customer_id: Mapped[UUID]
    ordinal: Mapped[int]
    survivor_id: Mapped[UUID | None]
    regrouped_at: Mapped[datetime | None]
    """When the merge was made or taken back that `survivor_id` follows."""
    org_path: Mapped[str]
    primary_manager: Mapped[str | None]
    probability: Mapped[float]
    assets: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    at_stake: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """`Reason`s, strongest first."""
    state: Mapped[str]
    outcome: Mapped[str | None]
    runs: Mapped[int] = mapped_column(server_default="1")
    """How many runs have raised it."""
    first_raised_at: Mapped[datetime]
    raised_at: Mapped[datetime]
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_churn_warning_active", "model_id", "ordinal", unique=True, postgresql_where=_ACTIVE),
        Index("ix_churn_warning_at_stake", "at_stake", "id"),
        Index("ix_churn_warning_customer_id", "customer_id"),
        Index("ix_churn_warning_run_id", "run_id"),
    )


class LifeCycleScheme(Base):
    """Thresholds between life-cycle stages; the newest version counts."""

    __tablename__ = "life_cycle_scheme"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    thresholds: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
