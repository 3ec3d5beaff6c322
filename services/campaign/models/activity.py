"""How much managers are to do. How much they did is counted from what they recorded."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.activity_targets import ActivityPeriod
from shared.db import Base


class ActivityTarget(Base):
    """Holds from its first day until the next of the same organisation, manager and period."""

    __tablename__ = "activity_target"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    manager: Mapped[str | None] = mapped_column(doc="Null: of the whole organisation")
    period: Mapped[ActivityPeriod] = mapped_column(Text)
    valid_from: Mapped[date]
    calls: Mapped[int | None]
    visits: Mapped[int | None]
    new_customers: Mapped[int | None]
    existing_customers: Mapped[int | None]
    opportunities: Mapped[int | None]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    version: Mapped[int]
    __table_args__ = (
        UniqueConstraint("org_path", "manager", "period", "valid_from", postgresql_nulls_not_distinct=True),
        CheckConstraint("period IN ('day', 'week', 'month')", "period"),
        CheckConstraint(
            "least(calls, visits, new_customers, existing_customers, opportunities) >= 0", "not_negative"
        ),
    )
