"""What may be sold and spent, and what contacts under way have reserved of it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class OfferQuota(Base):
    """An offer without a row may be sold without end."""

    __tablename__ = "offer_quota"
    offer: Mapped[str] = mapped_column(ForeignKey("offer.key"), primary_key=True)
    units: Mapped[int]
    reserved: Mapped[int] = mapped_column(server_default="0")
    sold: Mapped[int] = mapped_column(server_default="0")
    exhausted_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        # That no more is sold than there is rests here, not in any program.
        CheckConstraint("reserved >= 0 AND sold >= 0 AND reserved + sold <= units", "within_units"),
    )


class CampaignBudget(Base):
    """As frozen at launch; a campaign without a row has no limit. A contact that took longer than its script
    expects may spend beyond the amount: it has happened. None begins that could not be paid for.
    """

    __tablename__ = "campaign_budget"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    currency: Mapped[str] = mapped_column(Text)
    least_cost: Mapped[Decimal] = mapped_column(Numeric(20, 2), doc="Of the contact that costs least")
    reserved: Mapped[Decimal] = mapped_column(Numeric(20, 2), server_default="0")
    spent: Mapped[Decimal] = mapped_column(Numeric(20, 2), server_default="0")
    exhausted_at: Mapped[datetime | None]
    __table_args__ = (CheckConstraint("reserved >= 0 AND spent >= 0", "not_negative"),)


class Reservation(Base):
    """Held by a contact from its start to its record, or until it lapses."""

    __tablename__ = "reservation"
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    campaign_id: Mapped[UUID]
    offer: Mapped[str]
    units: Mapped[int] = mapped_column(doc="1, or 0 for an offer without a quota")
    cost: Mapped[Decimal] = mapped_column(Numeric(20, 2), doc="0 without a budget")
    lapses_at: Mapped[datetime]
    __table_args__ = (Index(None, "lapses_at"),)
