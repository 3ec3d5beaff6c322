"""Scorecards: drafts until they are published; afterwards never changed, at most superseded."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base

_KIND = ("level", "depth", "period", "org_path")
_ONE_EACH = "state <> 'superseded'"


class ScorecardRow(Base):
    """What a scorecard says of all subjects together. Once it is published, triggers refuse every change but
    one: another one takes its place.
    """

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
    number: Mapped[int | None]
    """Counts what was published of the same kind from 1 on; none of a draft."""
    supersedes: Mapped[UUID | None] = mapped_column(ForeignKey("scorecard.id"))
    reason: Mapped[str | None]
    superseded_by: Mapped[UUID | None] = mapped_column(ForeignKey("scorecard.id"))
    superseded_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_scorecard_standing", *_KIND, "state", unique=True, postgresql_where=text(_ONE_EACH)),
        Index("uq_scorecard_number", *_KIND, "number", unique=True),
        Index("uq_scorecard_supersedes", "supersedes", unique=True),
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
