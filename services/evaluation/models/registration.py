"""Registered campaigns and where they stand."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Registration(Base):
    """What was fixed at launch. A trigger refuses every change."""

    __tablename__ = "registration"
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    name: Mapped[dict[str, Any]]
    launched_at: Mapped[datetime]
    registered_at: Mapped[datetime]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    orgs: Mapped[list[str]]
    segments: Mapped[list[str]]
    plan: Mapped[dict[str, Any]]
    """The registration as the launch carried it."""
    definitions: Mapped[dict[str, Any]]
    """Metric key → its definition at that time."""
    content_hash: Mapped[str]


class CourseChange(Base):
    """When a campaign was paused, or went on."""

    __tablename__ = "course_change"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)


class Course(Base):
    """Where a registered campaign stands."""

    __tablename__ = "course"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"), primary_key=True)
    state: Mapped[str]
    completed_at: Mapped[datetime | None]
    ledger: Mapped[dict[str, Any] | None]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    """Business time of the next evaluation; none when nothing is to come."""
