"""Who is whom: merges with what is needed to take them back, and pairs that may be the same person."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Merge(Base):
    """One merge. `sealed` has the survivor's attributes before and after, under the survivor's key."""

    __tablename__ = "merge"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    survivor_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), index=True)
    reason: Mapped[str]
    choices: Mapped[dict[str, Any]]
    """By attribute: the rule, the customer its value came from, how many values there were. No values."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    touched: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    """Attributes of the survivor set by hand since, even to the value they had: undoing leaves them."""
    merged_at: Mapped[datetime]
    merged_by: Mapped[str]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
    undo_reason: Mapped[str | None]


class MergeMember(Base):
    """What one customer was before the merge took it in; `previous_survivor` when it was merged already."""

    __tablename__ = "merge_member"
    merge_id: Mapped[UUID] = mapped_column(ForeignKey("merge.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True, index=True)
    previous_survivor: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[str]
    org_path: Mapped[str]
    primary_manager: Mapped[str | None]
    backup_manager: Mapped[str | None]


class OwnRisk(Base):
    """The survivor's own risk assessment, while those merged into it may have a later one."""

    __tablename__ = "own_risk"
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    level: Mapped[str | None]
    valid_until: Mapped[date | None]
    assessed_at: Mapped[datetime | None]


class Duplicate(Base):
    """Two customers that may be one. `evidence` says by key whether they agree or disagree."""

    __tablename__ = "duplicate"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    first_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    second_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), index=True)
    """The later one: ids of a pair are in order."""
    score: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    evidence: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="open")
    found_at: Mapped[datetime]
    reason: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("first_id", "second_id"),
        Index("ix_duplicate_open_score", "score", "id", postgresql_where=text("state = 'open'")),
    )
