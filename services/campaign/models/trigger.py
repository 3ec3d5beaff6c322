"""Campaigns that are open for whoever moves, and who moved and is not decided on."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE
from sqlalchemy.dialects.postgresql.ranges import MultiRange
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class CampaignTrigger(Base):
    """As approved, from the launch on."""

    __tablename__ = "campaign_trigger"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    segment_id: Mapped[UUID] = mapped_column(index=True)
    version: Mapped[int]
    moves: Mapped[Literal["enter", "exit"]] = mapped_column(Text)
    segments: Mapped[dict[str, Any]] = mapped_column(doc="Ids of the audience's segments by key")
    opened_at: Mapped[datetime]
    closed: Mapped[MultiRange[datetime]] = mapped_column(
        TSTZMULTIRANGE, server_default=text("'{}'"), doc="When it was paused and let moves go by"
    )
    entered: Mapped[int] = mapped_column(server_default="0", doc="Members of the audience so far")
    __table_args__ = (CheckConstraint("moves IN ('enter', 'exit')", "moves"),)


class TriggerEntry(Base):
    """A move that counts. Gone when it is decided on, or comes to nothing.

    No reference to the campaign: who takes note of moves must not wait for who decides.
    """

    __tablename__ = "trigger_entry"
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    moved_at: Mapped[datetime] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    last_look: Mapped[bool] = mapped_column(
        server_default=text("false"), doc="Was not in the audience; looked for once more, when due"
    )
    __table_args__ = (Index(None, "campaign_id", "due_at"),)
