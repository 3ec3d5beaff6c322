"""Results and what is kept of them by branch and by cell."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Result(Base):
    """One evaluation of one campaign. Never changes; the newest is served."""

    __tablename__ = "result"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"))
    evaluated_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    """The result without its rows by branch."""
    __table_args__ = (Index("ix_result_campaign_id_evaluated_at", "campaign_id", "evaluated_at"),)


class BranchEffect(Base):
    """One branch's row of a result's breakdown."""

    __tablename__ = "branch_effect"
    result_id: Mapped[UUID] = mapped_column(ForeignKey("result.id"), primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    row: Mapped[dict[str, Any]]


class ResultCell(Base):
    """What results kept before cells had tiers and managers. Read where a campaign has no block yet."""

    __tablename__ = "result_cell"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"), primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    segment: Mapped[str] = mapped_column(primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    mean_y: Mapped[float]
    m2_y: Mapped[float]
    mean_x: Mapped[float]
    m2_x: Mapped[float]
    c_xy: Mapped[float]


class CellBlock(Base):
    """One branch's finest cells of the primary metric, of a campaign's newest result, as an Arrow stream."""

    __tablename__ = "cell_block"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"), primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[bytes]
    """arm, segment, tier, manager, and the moments; see queries/cell_blocks.py."""
