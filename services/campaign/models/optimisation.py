"""Runs of the contact optimiser: what was asked, what came out, and why for each customer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.optimisations import OptimisationState
from shared.db import Base


class Optimisation(Base):
    __tablename__ = "optimisation"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    org_path: Mapped[str] = mapped_column(doc="Whose customers it looked at: who asked, and all below")
    state: Mapped[OptimisationState] = mapped_column(Text)
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    job_id: Mapped[UUID]
    problem: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", "state"),
        CheckConstraint("(state = 'succeeded') = (result IS NOT NULL)", "result"),
        Index(None, "org_path"),
    )


class OptimisedContact(Base):
    """A contact the run chose."""

    __tablename__ = "optimised_contact"
    optimisation_id: Mapped[UUID] = mapped_column(ForeignKey("optimisation.id"), primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    manager: Mapped[str]
    org_path: Mapped[str]
    value: Mapped[float]
    __table_args__ = (
        Index(None, "optimisation_id", "manager", "campaign_id", "customer_id"),
        Index(None, "customer_id"),
    )


class OptimisedManager(Base):
    """What the run gives a manager to do, and what a minute more would be worth."""

    __tablename__ = "optimised_manager"
    optimisation_id: Mapped[UUID] = mapped_column(ForeignKey("optimisation.id"), primary_key=True)
    manager: Mapped[str] = mapped_column(primary_key=True)
    contacts: Mapped[int]
    minutes: Mapped[float]
    value: Mapped[float]
    price: Mapped[float]


class OptimisedPart(Base):
    """Why each campaign contacts these customers or not: 65,536 ordinals to a row, as numpy arrays (npz)."""

    __tablename__ = "optimised_part"
    optimisation_id: Mapped[UUID] = mapped_column(ForeignKey("optimisation.id"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="ordinal >> 16")
    payload: Mapped[bytes] = mapped_column(LargeBinary)
