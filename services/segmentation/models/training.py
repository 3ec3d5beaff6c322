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
    window: Mapped[dict[str, Any] | None]
    metrics: Mapped[dict[str, Any] | None]
    preparation: Mapped[dict[str, Any] | None]
    """Per feature how it was transformed, so that the run can be repeated and applied."""
    problem: Mapped[str | None]
    job_id: Mapped[UUID | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("model_id", "number"),)


class ModelCluster(Base):
    __tablename__ = "model_cluster"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("model_run.id"), primary_key=True)
    cluster: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    members: Mapped[bytes] = mapped_column(LargeBinary)
    profile: Mapped[dict[str, Any]]
    centre: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
