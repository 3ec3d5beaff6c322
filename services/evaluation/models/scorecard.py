"""Scorecards: drafts until they are published, never changed afterwards."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class ScorecardRow(Base):
    """What a scorecard says of all subjects together. Triggers refuse every change once it is published."""

    __tablename__ = "scorecard"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    level: Mapped[str]
    depth: Mapped[int]
    """Of branches; 0 for staff."""
    period: Mapped[str]
    org_path: Mapped[str]
    """Whose subjects are compared."""
    state: Mapped[str]
    document: Mapped[dict[str, Any]]
    """A `ScorecardHead` as computed; what became of it since is in the columns."""
    subjects: Mapped[int]
    computed_at: Mapped[datetime]
    computed_by: Mapped[str]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("level", "depth", "period", "org_path", "state"),
        Index("ix_scorecard_computed_at_id", "computed_at", "id"),
    )


class ScorecardSubject(Base):
    """One subject's card; seen by its own organisation and those above."""

    __tablename__ = "scorecard_subject"
    scorecard_id: Mapped[UUID] = mapped_column(ForeignKey("scorecard.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    staff: Mapped[str | None]
    card: Mapped[dict[str, Any]]
    __table_args__ = (Index("ix_scorecard_subject_subject", "subject"),)
