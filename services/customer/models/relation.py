"""Typed edges between customers."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Relationship(Base):
    """`from_id` stands in relation `kind` to `to_id`, from `valid_from` up to the day before `valid_to`.

    Both ends are the files the relation was told for; reads lead them to the survivor of a merge. Of a
    symmetric kind the smaller id comes first. An unknown beginning is the first day of the calendar.
    """

    __tablename__ = "relationship"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    from_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    to_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    share: Mapped[Decimal | None] = mapped_column(Numeric(7, 6))
    strength: Mapped[Decimal | None] = mapped_column(Numeric(5, 4))
    source: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("from_id", "kind", "to_id", "valid_from", name="uq_relationship_edge"),
        Index("ix_relationship_to_id_kind", "to_id", "kind"),
    )
