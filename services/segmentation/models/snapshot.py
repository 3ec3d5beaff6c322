"""Members frozen for a campaign."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class SegmentSnapshot(Base):
    """`members`: ordinals as a roaring bitmap. Nothing changes it but erasing a customer."""

    __tablename__ = "segment_snapshot"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"))
    version: Mapped[int]
    evaluated_at: Mapped[datetime]
    org_path: Mapped[str]
    purpose: Mapped[str]
    size: Mapped[int]
    erased: Mapped[int] = mapped_column(server_default="0")
    digest: Mapped[str]
    members: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    __table_args__ = (Index("ix_segment_snapshot_segment_id", "segment_id", "id"),)
