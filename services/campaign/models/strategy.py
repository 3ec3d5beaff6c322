"""Strategies as they are written, and the versions that campaigns were approved with."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.strategies import StrategyState
from shared.db import Base


class Strategy(Base):
    """`content` is the newest version's; while it is a draft there is no other."""

    __tablename__ = "strategy"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    state: Mapped[StrategyState] = mapped_column(Text)
    version: Mapped[int]
    revision: Mapped[int] = mapped_column(doc="Grows with every change, of state too: what the ETag says")
    content: Mapped[dict[str, Any]]
    org: Mapped[str] = mapped_column(index=True, doc="Seen above and below it, unlike rows of one branch")
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    activated_at: Mapped[datetime | None]
    activated_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_because: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'active', 'closed')", "state"),
        CheckConstraint(
            "(state <> 'active' OR activated_at IS NOT NULL)"
            " AND (state = 'closed') = (closed_at IS NOT NULL)",
            "dates",
        ),
    )


class StrategyVersion(Base):
    """Written when a strategy is activated and with every edit from then on; append-only."""

    __tablename__ = "strategy_version"
    key: Mapped[str] = mapped_column(ForeignKey("strategy.key"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]]
    written_at: Mapped[datetime]
    written_by: Mapped[str]
