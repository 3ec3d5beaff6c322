"""Campaigns, their approvals, arms, waves and what the evaluation said of them."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign import CampaignStatus
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.db import Base

_NEEDS_APPROVAL = "'approved', 'scheduled', 'launching', 'running', 'paused', 'draining', 'completed'"


class Campaign(Base):
    """The checks make maker-checker the database's own rule: no approval by whoever wrote or submitted it,
    no life after approval unless the approved hash is the content's.
    """

    __tablename__ = "campaign"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    status: Mapped[CampaignStatus] = mapped_column(Text)
    version: Mapped[int]
    content: Mapped[dict[str, Any]]
    home_org: Mapped[str] = mapped_column(doc="Organisation of whoever made it")
    orgs: Mapped[list[str]] = mapped_column(ARRAY(Text))
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    content_hash: Mapped[str | None]
    strategy: Mapped[str | None] = mapped_column(ForeignKey("strategy.key"))
    strategy_version: Mapped[int | None] = mapped_column(doc="The one it was submitted with, and keeps")
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    edited_by: Mapped[str]
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]
    approved_hash: Mapped[str | None]
    launched_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None] = mapped_column(doc="Since when, while it is paused")
    status_reason: Mapped[str | None]
    __table_args__ = (
        CheckConstraint(
            "approved_by IS NULL OR (submitted_by IS NOT NULL"
            " AND approved_by <> submitted_by AND approved_by <> edited_by)",
            "maker_is_not_checker",
        ),
        CheckConstraint(
            f"status NOT IN ({_NEEDS_APPROVAL}) OR (approved_by IS NOT NULL"
            " AND approved_hash IS NOT NULL AND content_hash IS NOT NULL AND approved_hash = content_hash)",
            "approval_covers_content",
        ),
        Index(None, "status"),
        Index("ix_campaign_strategy", "strategy", postgresql_where=text("strategy IS NOT NULL")),
    )


class Approval(Base):
    """Every decision ever made on a campaign."""

    __tablename__ = "approval"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), index=True)
    decision: Mapped[Literal["approved", "rejected"]] = mapped_column(Text)
    content_hash: Mapped[str]
    maker: Mapped[str]
    checker: Mapped[str]
    comment: Mapped[str | None]
    decided_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("maker <> checker", "maker_is_not_checker"),)


class CampaignArm(Base):
    """The arms as frozen at launch: what each contact offers, says and had as its chance. One row for an
    arm's own contact, and one for each further contact of its journey.
    """

    __tablename__ = "campaign_arm"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True, server_default=FIRST_STEP)
    share: Mapped[float]
    offer: Mapped[str] = mapped_column(ForeignKey("offer.key"))
    channel: Mapped[str]
    script: Mapped[str]
    materials: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    journey_start: Mapped[str | None] = mapped_column(doc="Step that follows the arm's own contact")


class CampaignWave(Base):
    __tablename__ = "campaign_wave"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    wave: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    members: Mapped[int]
    due_at: Mapped[datetime]
    decided_as_of: Mapped[datetime | None] = mapped_column(
        doc="The moment the policy is applied for; set once, so that a repeated release decides the same"
    )
    decided_upto: Mapped[UUID | None] = mapped_column(
        doc="Of its members, in the order of their ids, the last one decided on, while it is being released"
    )
    released_at: Mapped[datetime | None]


class Review(Base):
    """An evaluation or recommendation that arrived; its campaign is not ours to check."""

    __tablename__ = "review"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    kind: Mapped[Literal["evaluation", "recommendation"]] = mapped_column(Text)
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    __table_args__ = (
        CheckConstraint("kind IN ('evaluation', 'recommendation')", "kind"),
        Index(None, "campaign_id", "at", "id"),
    )
