"""Customers handed on, and the credit for what comes of it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.referrals import BusinessLine, LeadRole, ReferralState
from shared.contracts.customer.vocabulary import ProductCategory
from shared.db import Base


class Referral(Base):
    """Seen by the branch that made it and by the one it is for. It stays with the file it was made for."""

    __tablename__ = "referral"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("task.id"), unique=True)
    state: Mapped[ReferralState] = mapped_column(Text)
    version: Mapped[int] = mapped_column(server_default="1")
    from_line: Mapped[BusinessLine] = mapped_column(Text)
    org_path: Mapped[str] = mapped_column(doc="The branch that made it")
    referrer: Mapped[str]
    to_line: Mapped[BusinessLine] = mapped_column(Text)
    to_org: Mapped[str]
    to_manager: Mapped[str | None] = mapped_column(doc="As addressed; null: any of the branch")
    receiver: Mapped[str | None] = mapped_column(doc="Who sees to it")
    taken_from: Mapped[str | None] = mapped_column(
        doc="Who saw to it and left, until somebody answers or assigns"
    )
    offer: Mapped[str | None] = mapped_column(ForeignKey("offer.key"))
    category: Mapped[ProductCategory | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(doc="Null: blanked with its customer")
    lead_core_id: Mapped[UUID | None] = mapped_column(index=True)
    lead_role: Mapped[LeadRole | None] = mapped_column(Text)
    referrer_share: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    receiver_share: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    due_at: Mapped[datetime]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    reason: Mapped[str | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(20, 2))
    currency: Mapped[str | None]
    __table_args__ = (
        CheckConstraint(
            "state IN ('made', 'accepted', 'rejected', 'lapsed', 'withdrawn', 'won', 'lost')", "state"
        ),
        CheckConstraint(
            "referrer_share >= 0 AND receiver_share >= 0 AND referrer_share + receiver_share = 1", "credit"
        ),
        # That nobody answers a referral of their own, or receives it, rests here, not in any program.
        CheckConstraint(
            "receiver <> referrer AND (state IN ('made', 'withdrawn') OR answered_by <> made_by)"
            " AND closed_by <> made_by",
            "maker_does_not_answer",
        ),
        CheckConstraint("(state = 'made') = (answered_at IS NULL)", "answer"),
        CheckConstraint("(state IN ('won', 'lost')) = (closed_at IS NOT NULL)", "result"),
        CheckConstraint(
            "(state = 'won') = (amount IS NOT NULL) AND (amount IS NULL) = (currency IS NULL)", "amount"
        ),
        CheckConstraint("state NOT IN ('accepted', 'won', 'lost') OR receiver IS NOT NULL", "receiver"),
        # Nobody is handed on twice for the same thing to the same people while one of the two is open.
        Index(
            "uq_referral_open",
            "customer_id",
            "to_line",
            "to_org",
            "to_manager",
            "offer",
            "category",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("state IN ('made', 'accepted')"),
        ),
        Index("ix_referral_lapsing", "due_at", postgresql_where=text("state = 'made'")),
        Index(None, "made_at", "id"),
    )
