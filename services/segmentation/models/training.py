"""Models and the record of their runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Model(Base):
    __tablename__ = "model"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[dict[str, Any]]
    kind: Mapped[str]
    goal: Mapped[str]
    success: Mapped[str] = mapped_column(server_default="")
    needs_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    parameters: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ModelRun(Base):
    """The record of one training: what was asked, which facts it saw, what came out."""

    __tablename__ = "model_run"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id"))
    number: Mapped[int]
    state: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    previous_run_id: Mapped[UUID | None]
    """The run it was compared with; its labels were kept where groups are the same."""
    window: Mapped[dict[str, Any] | None]
    understanding: Mapped[dict[str, Any] | None]
    """Per column that was read: how often unknown, and its distribution."""
    metrics: Mapped[dict[str, Any] | None]
    report: Mapped[dict[str, Any] | None]
    """Tables and pictures: choice of K, drift, projection, calibration."""
    preparation: Mapped[dict[str, Any] | None]
    """Per feature how it was transformed, so that the run can be repeated and applied."""
    versions: Mapped[dict[str, Any] | None]
    input_digest: Mapped[str | None]
    result_digest: Mapped[str | None]
    reproduction: Mapped[dict[str, Any] | None]
    """When it was last trained again from the kept input, and whether the result was the same."""
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    approval_note: Mapped[str | None]
    problem: Mapped[str | None]
    job_id: Mapped[UUID | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("model_id", "number"),)


class ModelCluster(Base):
    """A group of customers that a run found. One customer may be in several where the kind says so."""

    __tablename__ = "model_cluster"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("model_run.id"), primary_key=True)
    cluster: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    members: Mapped[bytes] = mapped_column(LargeBinary)
    profile: Mapped[dict[str, Any]]
    centre: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    name: Mapped[dict[str, Any] | None]
    rule: Mapped[str | None]
    """SQL that says who belongs to it, exactly or nearly: `rule_quality`."""
    rule_quality: Mapped[dict[str, Any] | None]


class ModelScore(Base):
    """What a run says about each customer, 65,536 ordinals to a row, as an Arrow IPC stream (zstd)."""

    __tablename__ = "model_score"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("model_run.id"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """ordinal >> 16"""
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class ModelInput(Base):
    """What a run read, kept so that it can be trained again from the same facts."""

    __tablename__ = "model_input"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("model_run.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
