"""Target-customer profiles, their versions, and the alerts that were given."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class TargetProfile(Base):
    """Whom a unit says it serves. Units below read it; only the unit and those above change it."""

    __tablename__ = "target_profile"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    name: Mapped[dict[str, Any]]
    rationale: Mapped[str]
    version: Mapped[int]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    revision: Mapped[int] = mapped_column(server_default="1")
    """Grows with every edit by people, not with checks: the ETag."""
    checked_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class TargetVersion(Base):
    """A declaration as it was; never changed."""

    __tablename__ = "target_version"
    profile_id: Mapped[UUID] = mapped_column(ForeignKey("target_profile.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sql: Mapped[str]
    digest: Mapped[str]
    tolerances: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class TargetAlert(Base):
    """A unit was told that it wandered off in a month."""

    __tablename__ = "target_alert"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID] = mapped_column(ForeignKey("target_profile.id"))
    version: Mapped[int]
    org_path: Mapped[str]
    period: Mapped[date]
    shares: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    detected_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("profile_id", "org_path", "period"),)
