"""Where customers stand in the journeys of their arms."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.journeys import JourneyEnding
from shared.db import Base

JourneyState = Literal["due", "waiting", "contacting", "ended"]


class JourneyRun(Base):
    """From the end of a customer's first contact on. Same id as that contact.

    `due`: the step is to be taken; `waiting`: until `deadline`, or until something is told; `contacting`:
    until the contact `current_id` is over. Whatever happens to a customer sets `wake_at`; the worker looks
    at who is to be woken and at nobody else.
    """

    __tablename__ = "journey_run"
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    campaign_id: Mapped[UUID]
    customer_id: Mapped[UUID] = mapped_column(doc="The person: the survivor, where files were merged")
    arm: Mapped[str]
    step: Mapped[str]
    state: Mapped[JourneyState] = mapped_column(Text)
    wake_at: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    current_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), doc="Their latest contact")
    entered_at: Mapped[datetime]
    ending: Mapped[JourneyEnding | None] = mapped_column(Text)
    path: Mapped[list[str]] = mapped_column(ARRAY(Text))
    __table_args__ = (
        CheckConstraint("state IN ('due', 'waiting', 'contacting', 'ended')", "state"),
        CheckConstraint("(state = 'ended') = (ending IS NOT NULL)", "ending"),
        CheckConstraint("(state = 'waiting') = (deadline IS NOT NULL)", "deadline"),
        CheckConstraint("state NOT IN ('due', 'waiting') OR wake_at IS NOT NULL", "wake_at"),
        Index("ix_journey_run_wake", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
        Index("ix_journey_run_current", "current_id", postgresql_where=text("state = 'contacting'")),
        Index("ix_journey_run_customer", "customer_id", postgresql_where=text("state <> 'ended'")),
        Index("ix_journey_run_open", "campaign_id", postgresql_where=text("state <> 'ended'")),
        Index(None, "campaign_id", "contact_id"),
    )


class JourneySegment(Base):
    """A segment whose moves wake the customers of a campaign's journeys."""

    __tablename__ = "journey_segment"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    segment_id: Mapped[UUID] = mapped_column(index=True)
