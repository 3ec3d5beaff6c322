"""Models of service quality, what was observed, and what runs found."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class QualityModelRow(Base):
    """One version of a model. Never changes."""

    __tablename__ = "service_quality_model"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class QualityObservation(Base):
    """All observations of one business in one branch and month, packed: there may be millions."""

    __tablename__ = "service_quality_observation"
    model_key: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    business: Mapped[str] = mapped_column(primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    indicators: Mapped[list[str]]
    """Columns of `values`, the model's overall indicators last."""
    rows: Mapped[int]
    values: Mapped[bytes]
    """Row by row, eight-byte floats, the least significant byte first; as observed."""
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_key", "version"], ["service_quality_model.key", "service_quality_model.version"]
        ),
    )


class QualityRunRow(Base):
    """One run. Never changes; the newest is served."""

    __tablename__ = "service_quality_run"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    model_key: Mapped[str]
    version: Mapped[int]
    ran_at: Mapped[datetime]
    created_by: Mapped[str]
    document: Mapped[dict[str, Any]]
    """The run as the API tells it: nothing of single branches."""
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_key", "version"], ["service_quality_model.key", "service_quality_model.version"]
        ),
        Index("ix_service_quality_run_model_key_ran_at", "model_key", "ran_at"),
    )


class QualityIndexRow(Base):
    """A branch in one month of a run: its index, or why it has none."""

    __tablename__ = "service_quality_index"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("service_quality_run.id"), primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    row: Mapped[dict[str, Any]]
