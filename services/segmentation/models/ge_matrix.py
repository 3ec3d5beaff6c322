"""GE matrices, and where customers stand in them: customers appear by ordinal."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class GeMatrix(Base):
    __tablename__ = "ge_matrix"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[dict[str, Any]]
    description: Mapped[str]
    factors: Mapped[dict[str, Any]]
    """Group → list of `Factor`s in order."""
    weighing: Mapped[dict[str, Any]]
    """Group → `Weighing`."""
    low: Mapped[float]
    high: Mapped[float]
    strategies: Mapped[dict[str, Any]]
    """`<attractiveness>/<competitiveness>` → {play, text}, of all nine cells."""
    value_feature: Mapped[str]
    revision: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class GeScore(Base):
    """One position of one customer; positions before the current one are its history."""

    __tablename__ = "ge_score"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    matrix_id: Mapped[UUID] = mapped_column(ForeignKey("ge_matrix.id"))
    ordinal: Mapped[int]
    scores: Mapped[dict[str, Any]]
    """Factor → 1..5."""
    attractiveness: Mapped[float]
    competitiveness: Mapped[float]
    attractiveness_band: Mapped[str]
    competitiveness_band: Mapped[str]
    customer_class: Mapped[str]
    cause: Mapped[str]
    note: Mapped[str]
    scored_by: Mapped[str]
    scored_at: Mapped[datetime]
    current: Mapped[bool]
    __table_args__ = (
        Index("ix_ge_score_ordinal", "ordinal", "id"),
        Index("uq_ge_score_current", "matrix_id", "ordinal", unique=True, postgresql_where=text("current")),
    )
