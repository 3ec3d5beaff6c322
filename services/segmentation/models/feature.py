"""Features that people define."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class DefinedFeature(Base):
    __tablename__ = "defined_feature"
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[dict[str, Any]]
    description: Mapped[str]
    unit: Mapped[str | None]
    expression: Mapped[str]
    """Canonical text of the checked expression."""
    archived: Mapped[bool] = mapped_column(server_default=text("false"))
    revision: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
