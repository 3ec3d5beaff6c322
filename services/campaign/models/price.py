"""Price lists, quotes by them, and what customers are known to contribute."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.price_lists import PriceListState
from shared.db import Base


class PriceList(Base):
    """One version; it never changes, and is in force from its approval until a newer one is approved.

    A trigger lets nothing but its decision be written, once and by somebody else than its author.
    """

    __tablename__ = "price_list"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    state: Mapped[PriceListState] = mapped_column(Text, server_default="in_review")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    comment: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("state IN ('in_review', 'approved', 'rejected')", "state"),
        CheckConstraint("decided_by <> created_by", "two_people"),
    )


class PriceQuote(Base):
    """The checks make it the database's own rule that nobody decides on a quote of their own, and that
    nothing below cost is granted without somebody else. A trigger keeps what was submitted and granted.
    """

    __tablename__ = "price_quote"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    price_list: Mapped[str]
    price_list_version: Mapped[int]
    status: Mapped[Literal["draft", "in_review", "approved", "rejected"]] = mapped_column(Text)
    version: Mapped[int]
    request: Mapped[dict[str, Any]] = mapped_column(doc="Months, lines and bundle, as asked for")
    note: Mapped[str]
    figures: Mapped[dict[str, Any]] = mapped_column(doc="As priced last")
    currency: Mapped[str]
    revenue: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    cost: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    floor: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    given_away: Mapped[Decimal] = mapped_column(
        Numeric(20, 2), doc="What it falls short of its cost, by the year"
    )
    needs_approval: Mapped[bool]
    valid_until: Mapped[date | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    edited_by: Mapped[str]
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decision_comment: Mapped[str | None]
    __table_args__ = (
        ForeignKeyConstraint(["price_list", "price_list_version"], ["price_list.key", "price_list.version"]),
        CheckConstraint("status IN ('draft', 'in_review', 'approved', 'rejected')", "status"),
        CheckConstraint(
            "decided_by IS NULL OR (submitted_by IS NOT NULL AND decided_by <> submitted_by"
            " AND decided_by <> edited_by AND decided_by <> created_by)",
            "maker_is_not_checker",
        ),
        CheckConstraint(
            "status <> 'approved' OR decided_by IS NOT NULL OR (NOT needs_approval AND revenue >= cost)",
            "below_cost_is_approved",
        ),
        CheckConstraint(
            "(status = 'draft') = (submitted_by IS NULL) AND (submitted_by IS NULL) = (valid_until IS NULL)",
            "submission",
        ),
    )


class KnownContribution(Base):
    """What a value model last said of one file in one month; merged customers keep their own."""

    __tablename__ = "known_contribution"
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    edition: Mapped[int]
    currency: Mapped[str]
    contribution: Mapped[Decimal | None] = mapped_column(
        Numeric(20, 2), doc="Null: nothing is left of an earlier calculation"
    )
