"""Customers that were erased."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Erasure(Base):
    """Customers that were erased, until this service has told that it has deleted them."""

    __tablename__ = "evaluation_erasure"
    receipt_id: Mapped[UUID] = mapped_column(primary_key=True)
    customers: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """`CustomerRef`s."""
    erased_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_evaluation_erasure_open", "receipt_id", postgresql_where=text("confirmed_at IS NULL")),
    )
