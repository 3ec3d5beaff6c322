"""Tables of the evaluation service. Outcomes are not here: they are in the columnar store."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class MetricRow(Base):
    """A metric defined by API; the built-in ones are part of the code. Never changes."""

    __tablename__ = "metric"
    key: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


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


class Course(Base):
    """Where a registered campaign stands."""

    __tablename__ = "course"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"), primary_key=True)
    state: Mapped[str]
    completed_at: Mapped[datetime | None]
    ledger: Mapped[dict[str, Any] | None]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    """Business time of the next evaluation; none when nothing is to come."""


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


class Result(Base):
    """One evaluation of one campaign. Never changes; the newest is served."""

    __tablename__ = "result"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"))
    evaluated_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    """The result without its rows by branch."""
    __table_args__ = (Index("ix_result_campaign_id_evaluated_at", "campaign_id", "evaluated_at"),)


class BranchEffect(Base):
    """One branch's row of a result's breakdown."""

    __tablename__ = "branch_effect"
    result_id: Mapped[UUID] = mapped_column(ForeignKey("result.id"), primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    row: Mapped[dict[str, Any]]


class ResultCell(Base):
    """Moments of the primary metric in the finest cells of a campaign's newest result."""

    __tablename__ = "result_cell"
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"), primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    segment: Mapped[str] = mapped_column(primary_key=True)
    org_path: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    mean_y: Mapped[float]
    m2_y: Mapped[float]
    mean_x: Mapped[float]
    m2_x: Mapped[float]
    c_xy: Mapped[float]


class RecommendationRow(Base):
    """One recommendation; at most one of a campaign is open."""

    __tablename__ = "recommendation"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("registration.campaign_id"))
    result_id: Mapped[UUID] = mapped_column(ForeignKey("result.id"), index=True)
    state: Mapped[str]
    document: Mapped[dict[str, Any]]
    issued_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    note: Mapped[str | None]
    __table_args__ = (
        Index(
            "uq_recommendation_open",
            "campaign_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_recommendation_issued_at_id", "issued_at", "id"),
    )
