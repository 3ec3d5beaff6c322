"""Segments, their definitions and their members."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Segment(Base):
    __tablename__ = "segment"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[dict[str, Any]]
    kind: Mapped[str]
    refresh: Mapped[str]
    description: Mapped[str]
    state: Mapped[str]
    version: Mapped[int]
    live_version: Mapped[int | None]
    revision: Mapped[int] = mapped_column(server_default="1")
    """Grows with every edit by people, not with evaluations: the ETag."""
    evaluated_version: Mapped[int | None]
    evaluated_at: Mapped[datetime | None]
    size: Mapped[int | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SegmentVersion(Base):
    """A definition as it was; never changed."""

    __tablename__ = "segment_version"
    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sql: Mapped[str | None]
    """Canonical text of the rule; null for clusters."""
    digest: Mapped[str | None]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_run.id"))
    cluster: Mapped[int | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Membership(Base):
    """Members as a roaring bitmap of customer ordinals, as of the delta `upto`.

    The present ones follow with the later deltas: rewriting large bitmaps for a few customers at every
    pass would cost more than the pass. Read them with `queries.memberships`.
    """

    __tablename__ = "membership"
    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"), primary_key=True)
    version: Mapped[int]
    run_id: Mapped[UUID]
    members: Mapped[bytes] = mapped_column(LargeBinary)
    evaluated: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Members as evaluated, with those merged since, who come back when their merge is taken back."""
    evaluated_at: Mapped[datetime]
    upto: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The last delta of the segment that `members` contains."""


class MembershipDelta(Base):
    """Who joined and who left in one evaluation: the history of a segment."""

    __tablename__ = "membership_delta"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"))
    version: Mapped[int]
    run_id: Mapped[UUID]
    cause: Mapped[str]
    evaluated_at: Mapped[datetime]
    size: Mapped[int]
    joined: Mapped[bytes] = mapped_column(LargeBinary)
    left: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (Index("ix_membership_delta_segment_id_id", "segment_id", "id"),)


class UnseenChange(Base):
    """Who joined or left a segment that passes do not evaluate, until a pass has looked at them: rules that
    refer to the segment may hold for them now, or no longer.
    """

    __tablename__ = "membership_unseen"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"))
    moved: Mapped[bytes] = mapped_column(LargeBinary)


class EvaluationState(Base):
    """The last pass over the live segments: one row.

    Segments with the same `evaluated_at` and their live version evaluated are in step with it: the next
    pass goes on from here. Others are evaluated for everybody first.
    """

    __tablename__ = "evaluation_state"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    applied: Mapped[int] = mapped_column(BigInteger)
    evaluated_at: Mapped[datetime]
    run_id: Mapped[UUID | None]
    language: Mapped[str | None]
    """Digest of what rules mean: the features and the product's version. Another makes all be evaluated."""
