"""What managers say of the list, the script or the offer of a campaign."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.events.feedback import FeedbackKind, FeedbackState
from shared.db import Base


class Feedback(Base):
    __tablename__ = "feedback"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), index=True)
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("task.id"))
    org_path: Mapped[str] = mapped_column(doc="Of whoever gave it")
    kind: Mapped[FeedbackKind] = mapped_column(Text)
    arm: Mapped[str | None]
    script: Mapped[str | None] = mapped_column(doc="The version it speaks of, where it speaks of one")
    offer: Mapped[str | None]
    rating: Mapped[int] = mapped_column(SmallInteger)
    text: Mapped[str | None]
    given_at: Mapped[datetime]
    given_by: Mapped[str]
    state: Mapped[FeedbackState] = mapped_column(Text, server_default="open")
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        CheckConstraint("kind IN ('list', 'script', 'offer')", "kind"),
        CheckConstraint("state IN ('open', 'answered', 'closed')", "state"),
        CheckConstraint("rating BETWEEN 1 AND 5", "rating"),
        CheckConstraint(
            "(kind = 'script') = (script IS NOT NULL) AND (kind = 'offer') = (offer IS NOT NULL)", "subject"
        ),
        Index(None, "task_id", postgresql_where=sql("task_id IS NOT NULL")),
    )
