"""Branches that share a customer, the history of owners, and handovers of a member of staff."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class CustomerBranch(Base):
    """One branch's share of a customer's revenue; a customer without rows is all its lead branch's.

    The shares of one day add up to exactly 1 with exactly one lead, the customer's own branch: the database
    checks at commit. The lead row follows the customer when it moves.
    """

    __tablename__ = "customer_branch"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    org_path: Mapped[str] = mapped_column(ForeignKey("org_unit.code"))
    role: Mapped[str]
    share: Mapped[Decimal] = mapped_column(Numeric(7, 6))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    __table_args__ = (
        Index("ix_customer_branch_customer_id_valid_from", "customer_id", "valid_from"),
        Index(
            "ix_customer_branch_present",
            "customer_id",
            "org_path",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_customer_branch_org_path", text("org_path text_pattern_ops"), "customer_id"),
    )


class OwnershipChangeRow(Base):
    """One change of branch or managers, whoever made it: a trigger on `customer` writes it."""

    __tablename__ = "ownership_change"
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[UUID]
    before_org: Mapped[str]
    before_primary: Mapped[str | None]
    before_backup: Mapped[str | None]
    after_org: Mapped[str]
    after_primary: Mapped[str | None]
    after_backup: Mapped[str | None]
    cause: Mapped[str]
    reason: Mapped[str | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
    effective_on: Mapped[date]
    published: Mapped[bool] = mapped_column(server_default=text("false"))
    __table_args__ = (
        Index("ix_ownership_change_customer_id_seq", "customer_id", "seq"),
        Index("ix_ownership_change_unpublished", "customer_id", postgresql_where=text("NOT published")),
    )


class Handover(Base):
    """Everything one member of staff looks after goes to others on a day."""

    __tablename__ = "handover"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff: Mapped[str] = mapped_column(ForeignKey("staff.code"))
    org_path: Mapped[str]
    """The unit of the staff: who sees the unit sees the handover."""
    scope: Mapped[str]
    """Organisation of who ordered it: its work sees and touches no more."""
    reason: Mapped[str]
    effective_on: Mapped[date]
    keep_in_branch: Mapped[bool]
    plan: Mapped[dict[str, Any]]
    state: Mapped[str]
    blocked: Mapped[str | None]
    """Why it did not start on its day: it waits until the plan is clean again."""
    customers: Mapped[int]
    done: Mapped[int] = mapped_column(server_default="0")
    left: Mapped[int] = mapped_column(server_default="0")
    job_id: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_handover_staff", "staff", "created_at"),
        Index(
            "ix_handover_open",
            "staff",
            unique=True,
            postgresql_where=text("state IN ('planned', 'running', 'undoing')"),
        ),
        Index("ix_handover_due", "effective_on", postgresql_where=text("state = 'planned'")),
    )


class HandoverItem(Base):
    """One customer of a handover: its owners before and after."""

    __tablename__ = "handover_item"
    handover_id: Mapped[UUID] = mapped_column(ForeignKey("handover.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    before_org: Mapped[str]
    before_primary: Mapped[str | None]
    before_backup: Mapped[str | None]
    after_org: Mapped[str]
    after_primary: Mapped[str]
    after_backup: Mapped[str]
    state: Mapped[str]
    """planned → done → undone; `left` when someone else had changed the owners meanwhile."""
    __table_args__ = (Index("ix_handover_item_state", "handover_id", "state", "customer_id"),)
