"""Insight notes: what the team thinks about customers, said, discussed, tested."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Insight(Base):
    """A hypothesis. Units below read and discuss it; only the unit and those above change it."""

    __tablename__ = "insight"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    tags: Mapped[list[str]]
    segment: Mapped[str | None]
    """Key of the segment it is about."""
    feature: Mapped[str | None]
    group_sql: Mapped[str | None]
    """The customers it is about, as a rule."""
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(server_default="1")
    promoted_segment: Mapped[UUID | None] = mapped_column(ForeignKey("segment.id"))
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (Index("ix_insight_state_id", "state", "id"),)


class InsightComment(Base):
    __tablename__ = "insight_comment"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    insight_id: Mapped[UUID] = mapped_column(ForeignKey("insight.id"))
    kind: Mapped[str]
    """comment or evidence"""
    text: Mapped[str]
    reference: Mapped[str | None]
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (Index("ix_insight_comment_insight_id_id", "insight_id", "id"),)


class InsightVote(Base):
    __tablename__ = "insight_vote"
    insight_id: Mapped[UUID] = mapped_column(ForeignKey("insight.id"), primary_key=True)
    voter: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]
    """1 for, -1 against."""
    voted_at: Mapped[datetime]


class InsightTest(Base):
    """A claim computed on the data of one moment; never changed."""

    __tablename__ = "insight_test"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    insight_id: Mapped[UUID] = mapped_column(ForeignKey("insight.id"))
    number: Mapped[int]
    scope: Mapped[str]
    """Org path: the customers it looked at are those of this unit and below."""
    group_sql: Mapped[str]
    against_sql: Mapped[str | None]
    metric: Mapped[str]
    direction: Mapped[str]
    minimal_difference: Mapped[float]
    result: Mapped[dict[str, Any]]
    evaluated_at: Mapped[datetime]
    stream_position: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str]
    __table_args__ = (UniqueConstraint("insight_id", "number"),)
