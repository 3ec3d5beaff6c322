"""Recommendations and what became of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class RecommendationRow(Base):
    """One recommendation; at most one of a campaign is open."""

    __tablename__ = "recommendation"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"))
    result_id: Mapped[UUID] = mapped_column(ForeignKey("result.id"), index=True)
    state: Mapped[str]
    document: Mapped[dict[str, Any]]
    issued_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    note: Mapped[str | None]
    created: Mapped[dict[str, Any] | None]
    """The campaign that accepting drafted: a `CreatedDraft`."""
    segment: Mapped[dict[str, Any] | None]
    """The segment that it aims at: a `CreatedSegment`, kept before the campaign is drafted."""
    stopped: Mapped[str | None]
    __table_args__ = (
        Index(
            "uq_recommendation_open",
            "campaign_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_recommendation_issued_at_id", "issued_at", "id"),
    )
