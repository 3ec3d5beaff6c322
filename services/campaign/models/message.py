"""Messages that channels carry to customers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.vocabulary import MessageState
from shared.db import Base


class Message(Base):
    """What a contact means for a channel. Same id as its contact, and what the provider knows it by.

    Who claims a message gets the next `fence`; only with it may it be submitted and its outcome be written,
    so that a sender that was stalled beyond its lease can do no harm.
    """

    __tablename__ = "message"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    arm: Mapped[str]
    channel: Mapped[str] = mapped_column(ForeignKey("channel.key"))
    state: Mapped[MessageState] = mapped_column(Text)
    planned_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(doc="Not before")
    fence: Mapped[int] = mapped_column(server_default="0")
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0", doc="Submissions so far")
    submitted_at: Mapped[datetime | None]
    reference: Mapped[str | None] = mapped_column(doc="The provider's name for it")
    detail: Mapped[str | None] = mapped_column(doc="What the provider said last, without the recipient")
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "state IN ('planned', 'claimed', 'submitting', 'accepted', 'delivered', 'read', 'failed',"
            " 'unknown', 'expired')",
            "state",
        ),
        CheckConstraint("(state IN ('claimed', 'submitting')) = (lease_until IS NOT NULL)", "lease"),
        CheckConstraint("(state IN ('planned', 'claimed', 'submitting')) = (closed_at IS NULL)", "closed"),
        Index(
            "ix_message_next",
            "channel",
            "campaign_id",
            "due_at",
            "id",
            postgresql_where=text("state = 'planned'"),
        ),
        Index("ix_message_lease", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
        Index(
            "ix_message_open",
            "campaign_id",
            postgresql_where=text("state IN ('planned', 'claimed', 'submitting')"),
        ),
        Index("ix_message_submitted", "channel", "submitted_at"),
        Index("ix_message_reference", "channel", "reference", postgresql_where=text("reference IS NOT NULL")),
        Index(None, "campaign_id", "id"),
    )
