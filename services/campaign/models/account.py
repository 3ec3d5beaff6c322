"""Plans for key accounts with their actions, and visits to customers."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.account_plans import PlanStatus, VisitState
from shared.contracts.campaign.opportunities import Rad
from shared.contracts.events.stewardship import OwnershipCause
from shared.db import Base


class AccountPlan(Base):
    """One a customer and year."""

    __tablename__ = "account_plan"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    year: Mapped[int]
    org_path: Mapped[str]
    status: Mapped[PlanStatus] = mapped_column(Text)
    rad: Mapped[Rad] = mapped_column(Text)
    owner: Mapped[str]
    team: Mapped[list[str]]
    currency: Mapped[str]
    value_model: Mapped[str | None]
    objectives: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    situation: Mapped[str]
    strategy: Mapped[str]
    conclusion: Mapped[str | None]
    results: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSONB(none_as_null=True), doc="What was measured when it was closed"
    )
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    edited_by: Mapped[str]
    activated_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    taken_from: Mapped[str | None] = mapped_column(doc="Whose it was before the customer's owners changed")
    taken_because: Mapped[OwnershipCause | None] = mapped_column(Text)
    version: Mapped[int]
    __table_args__ = (
        UniqueConstraint("customer_id", "year"),
        CheckConstraint("status IN ('draft', 'active', 'closed')", "status"),
        CheckConstraint("rad IN ('retain', 'acquire', 'develop')", "rad"),
        CheckConstraint(
            "(status = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (results IS NULL)",
            "closed",
        ),
        Index(None, "owner", "year"),
    )


class AccountAction(Base):
    __tablename__ = "account_action"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("account_plan.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    owner: Mapped[str]
    due_on: Mapped[date]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]
    result: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    version: Mapped[int]
    __table_args__ = (
        CheckConstraint(
            "(done_at IS NULL) = (done_by IS NULL) AND (done_at IS NULL) = (result IS NULL)", "done"
        ),
        Index(None, "due_on", "id"),
    )


class Visit(Base):
    """Planned, then made or called off; one may also be recorded that nobody planned."""

    __tablename__ = "visit"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    org_path: Mapped[str]
    manager: Mapped[str]
    state: Mapped[VisitState] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(doc="When it is to be; once made, when it was")
    for_service: Mapped[bool] = mapped_column(server_default=text("false"), doc="Nothing is offered")
    purpose: Mapped[str]
    participants: Mapped[list[str]]
    opportunity_id: Mapped[UUID | None] = mapped_column(ForeignKey("opportunity.id"))
    minutes: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    result: Mapped[str | None]
    next_step: Mapped[str | None]
    next_on: Mapped[date | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    taken_from: Mapped[str | None] = mapped_column(doc="Whose it was before the customer's owners changed")
    taken_because: Mapped[OwnershipCause | None] = mapped_column(Text)
    version: Mapped[int]
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'made', 'cancelled')", "state"),
        CheckConstraint(
            "(state = 'planned') = (closed_at IS NULL) AND (closed_at IS NULL) = (closed_by IS NULL)"
            " AND (state = 'made') = (minutes IS NOT NULL)",
            "closed",
        ),
        Index(None, "at", "id"),
        Index("ix_visit_made", "manager", "at", postgresql_where=text("state = 'made'")),
    )
