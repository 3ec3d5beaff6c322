"""Models of who responds."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class ResponseModelRow(Base):
    """One fit of one campaign. Never changes; the newest is served."""

    __tablename__ = "response_model"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"))
    fitted_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    """A `ResponseModel`."""
    __table_args__ = (Index("ix_response_model_campaign_id_fitted_at", "campaign_id", "fitted_at"),)
