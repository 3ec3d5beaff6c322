"""Opportunities, the stages they pass and every move they made."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.opportunities import LossCause, OpportunitySource, OpportunityStatus, Rad
from shared.contracts.events.stewardship import OwnershipCause
from shared.db import Base


class OpportunityStages(Base):
    """One version of the bank's stages; it never changes."""

    __tablename__ = "opportunity_stages"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class Opportunity(Base):
    """Open, it follows its customer to new owners; closed, it stays with whoever closed it."""

    __tablename__ = "opportunity"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    org_path: Mapped[str]
    manager: Mapped[str]
    status: Mapped[OpportunityStatus] = mapped_column(Text)
    stage: Mapped[str]
    stage_since: Mapped[datetime]
    name: Mapped[str]
    offer: Mapped[str | None] = mapped_column(ForeignKey("offer.key"))
    product: Mapped[str | None]
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    currency: Mapped[str]
    rad: Mapped[Rad] = mapped_column(Text)
    source: Mapped[OpportunitySource] = mapped_column(Text)
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"), unique=True)
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"), unique=True)
    expected_close: Mapped[date]
    next_action: Mapped[str | None]
    next_action_on: Mapped[date | None]
    won_amount: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    lost_reason: Mapped[LossCause | None] = mapped_column(Text)
    lost_note: Mapped[str | None]
    moves: Mapped[int] = mapped_column(doc="How many there are in its history")
    opened_at: Mapped[datetime]
    opened_by: Mapped[str]
    closed_at: Mapped[datetime | None]
    taken_from: Mapped[str | None] = mapped_column(doc="Whose it was before the customer's owners changed")
    taken_because: Mapped[OwnershipCause | None] = mapped_column(Text)
    version: Mapped[int]
    __table_args__ = (
        CheckConstraint("status IN ('open', 'won', 'lost')", "status"),
        CheckConstraint("rad IN ('retain', 'acquire', 'develop')", "rad"),
        CheckConstraint(
            "(status = 'open') = (closed_at IS NULL) AND (status = 'won') = (won_amount IS NOT NULL)"
            " AND (status = 'lost') = (lost_reason IS NOT NULL)",
            "outcome",
        ),
        CheckConstraint(
            "(source = 'task') = (contact_id IS NOT NULL)"
            " AND (source = 'referral') = (referral_id IS NOT NULL)",
            "source",
        ),
        CheckConstraint("amount > 0 AND (won_amount IS NULL OR won_amount > 0)", "amount"),
        Index(None, "manager", "expected_close", "id"),
        Index(None, "expected_close", "id"),
        Index(None, "opened_at"),
        Index("ix_opportunity_open_stage", "stage", postgresql_where=text("status = 'open'")),
    )


class OpportunityMove(Base):
    """Append-only: the times of the funnel are read from here."""

    __tablename__ = "opportunity_move"
    opportunity_id: Mapped[UUID] = mapped_column(ForeignKey("opportunity.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    from_stage: Mapped[str | None]
    to_stage: Mapped[str] = mapped_column(doc="A stage, 'won' or 'lost'")
    moved_at: Mapped[datetime]
    moved_by: Mapped[str]
