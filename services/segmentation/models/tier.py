"""Tiers: schemes, who stands where, lists of moves, overrides. Customers appear by ordinal."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class TierScheme(Base):
    __tablename__ = "tier_scheme"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[dict[str, Any]]
    description: Mapped[str]
    kind: Mapped[str]
    feature: Mapped[str]
    tiers: Mapped[dict[str, Any]]
    """`{"tiers": [Tier, …]}`, from low to high."""
    minimum_stay_days: Mapped[int]
    settled: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Merges up to this position of the customer stream have moved its tiers."""
    revision: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class TierStanding(Base):
    """Tiers of 65,536 customers by ordinal: a million customers are sixteen rows to read and write."""

    __tablename__ = "tier_standing"
    scheme_id: Mapped[UUID] = mapped_column(ForeignKey("tier_scheme.id"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    """ordinal >> 16."""
    standing: Mapped[bytes] = mapped_column(LargeBinary)


class TierList(Base):
    """Moves that belong together, from their proposal to their effect."""

    __tablename__ = "tier_list"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    scheme_id: Mapped[UUID] = mapped_column(ForeignKey("tier_scheme.id"))
    cause: Mapped[str]
    state: Mapped[str]
    rules: Mapped[dict[str, Any]]
    """The scheme as it was: feature, tiers, minimum stay."""
    evaluated_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]]
    note: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str]
    effective_at: Mapped[datetime | None]
    problem: Mapped[str | None]
    job_id: Mapped[UUID | None]
    __table_args__ = (
        Index("ix_tier_list_scheme_id_id", "scheme_id", "id"),
        Index(
            "uq_tier_list_open",
            "scheme_id",
            unique=True,
            postgresql_where=text("state IN ('proposed', 'approved')"),
        ),
    )


class TierMoves(Base):
    """The moves of one list among 65,536 customers, as columns (Arrow)."""

    __tablename__ = "tier_moves"
    list_id: Mapped[UUID] = mapped_column(ForeignKey("tier_list.id"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    moves: Mapped[bytes] = mapped_column(LargeBinary)


class TierOverride(Base):
    """A tier that people set, until it ends."""

    __tablename__ = "tier_override"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    scheme_id: Mapped[UUID] = mapped_column(ForeignKey("tier_scheme.id"))
    ordinal: Mapped[int]
    tier: Mapped[str]
    reason: Mapped[str]
    until: Mapped[datetime]
    state: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    """Tier, since and direction that come back when it ends."""
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        *(
            Index(
                f"uq_tier_override_{state}",
                "scheme_id",
                "ordinal",
                unique=True,
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in ("proposed", "active")
        ),
        Index("ix_tier_override_ordinal", "ordinal"),
    )
