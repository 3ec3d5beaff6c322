"""The frozen audience, the contact ledger and the tasks of managers."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign import LedgerState, SuppressionReason, TaskState
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.events import ContactOutcome, Disposition
from shared.contracts.events.stewardship import OwnershipCause
from shared.db import Base


class AudienceMember(Base):
    """Who was in the audience when the campaign was launched, and in which wave; with a trigger, who came
    since. Nothing changes but the branch, which follows a customer whose open contact moves to another one.
    """

    __tablename__ = "audience_member"
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    wave: Mapped[int]
    segment: Mapped[str]
    org_path: Mapped[str]
    moved_at: Mapped[datetime | None] = mapped_column(doc="When they moved, in a campaign with a trigger")
    __table_args__ = (
        Index(
            "ix_audience_member_moved",
            "campaign_id",
            "moved_at",
            "customer_id",
            postgresql_where=text("moved_at IS NOT NULL"),
        ),
    )


class Contact(Base):
    """One line of the ledger: what was decided for one customer at one step of a campaign, and what came of
    it. The campaign's books are those of first contacts; a journey may make further ones.
    """

    __tablename__ = "contact"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    step: Mapped[str] = mapped_column(server_default=FIRST_STEP)
    wave: Mapped[int]
    segment: Mapped[str]
    org_path: Mapped[str]
    state: Mapped[LedgerState] = mapped_column(Text)
    reason: Mapped[SuppressionReason | None] = mapped_column(Text)
    evidence: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    arm: Mapped[str | None]
    propensity: Mapped[float | None]
    manager: Mapped[str | None]
    disposition: Mapped[ContactOutcome | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(server_default="0")
    minutes: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default="0")
    cost: Mapped[Decimal] = mapped_column(Numeric(20, 2), server_default="0")
    outcome_amount: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    version: Mapped[int] = mapped_column(server_default="1")
    decided_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        # The promise that nobody is contacted twice rests here, not in any program.
        UniqueConstraint("campaign_id", "customer_id", "step"),
        CheckConstraint("state IN ('suppressed', 'held_out', 'assigned', 'done', 'expired')", "state"),
        CheckConstraint(
            "CASE state WHEN 'suppressed' THEN reason IS NOT NULL WHEN 'expired' THEN true"
            " ELSE reason IS NULL END",
            "reason",
        ),
        CheckConstraint(
            "(state IN ('assigned', 'done', 'expired')) = (arm IS NOT NULL)"
            " AND (manager IS NOT NULL) <= (arm IS NOT NULL)",
            "arm",
        ),
        CheckConstraint("(state = 'done') <= (disposition IS NOT NULL)", "disposition"),
        Index(None, "customer_id", "decided_at", postgresql_where=text("arm IS NOT NULL")),
    )


class Task(Base):
    """The work a contact means for a manager. Same id as its contact."""

    __tablename__ = "task"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    org_path: Mapped[str]
    manager: Mapped[str]
    arm: Mapped[str]
    state: Mapped[TaskState] = mapped_column(Text)
    due_on: Mapped[date]
    next_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None] = mapped_column(doc="When the contact last began, recorded or not")
    assigned_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    taken_from: Mapped[str | None] = mapped_column(doc="Whose it was before the customer's owners changed")
    taken_because: Mapped[OwnershipCause | None] = mapped_column(Text)
    taken_at: Mapped[datetime | None]
    taken_state: Mapped[TaskState | None] = mapped_column(Text, doc="Where it stood then, for its return")
    planned_minutes: Mapped[Decimal] = mapped_column(
        Numeric(8, 2), server_default="0", doc="Of the manager's day on which it is due"
    )
    beyond_capacity: Mapped[bool] = mapped_column(
        server_default=text("false"), doc="No day until the campaign's end had room for it"
    )
    escalated_at: Mapped[datetime | None] = mapped_column(
        doc="When it had been overdue for as long as its campaign lets it"
    )
    __table_args__ = (
        CheckConstraint(
            "state IN ('assigned', 'accepted', 'started', 'call_back', 'returned', 'done', 'expired')",
            "state",
        ),
        Index(None, "manager", "due_on", "id"),
        Index(None, "due_on", "id"),
        Index("ix_task_taken_from", "taken_from", postgresql_where=text("taken_from IS NOT NULL")),
        Index(
            "ix_task_open",
            "campaign_id",
            postgresql_where=text("state NOT IN ('done', 'expired')"),
        ),
        Index(
            "ix_task_open_customer",
            "customer_id",
            postgresql_where=text("state NOT IN ('done', 'expired')"),
        ),
    )


class Withdrawal(Base):
    """An open contact that was closed for a reason that may pass, with where it stood. The only contacts
    that may open again.
    """

    __tablename__ = "withdrawal"
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    reason: Mapped[SuppressionReason] = mapped_column(Text)
    merge_id: Mapped[UUID | None] = mapped_column(index=True)
    task_state: Mapped[TaskState] = mapped_column(Text)
    next_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime]


class Attempt(Base):
    """One recorded attempt at a contact; append-only, but for the note of an erased customer."""

    __tablename__ = "attempt"
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    disposition: Mapped[Disposition] = mapped_column(Text)
    minutes: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    note: Mapped[str | None]
    next_at: Mapped[datetime | None]
    outcome_amount: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    path: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSONB(none_as_null=True), doc="The way through the script; names steps, no values"
    )
    recorded_at: Mapped[datetime] = mapped_column(index=True)
    recorded_by: Mapped[str]
    manager: Mapped[str | None] = mapped_column(doc="Whose task it was then")
