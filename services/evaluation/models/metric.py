"""Metrics defined by API."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class MetricRow(Base):
    """A metric defined by API; the built-in ones are part of the code. Never changes."""

    __tablename__ = "metric"
    key: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
