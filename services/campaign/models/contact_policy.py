"""Contact policies, version by version. None changes once written."""

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import CheckConstraint, Date
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class ContactPolicy(Base):
    __tablename__ = "contact_policy"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[dict[str, Any]]
    cap: Mapped[int]
    cap_days: Mapped[int]
    cool_down_days: Mapped[int]
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    rest_on_weekends: Mapped[bool]
    rest_days: Mapped[list[date]] = mapped_column(ARRAY(Date))
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    __table_args__ = (
        CheckConstraint("cap > 0 AND cap_days > 0 AND cool_down_days >= 0", "positive"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", "quiet"),
    )
