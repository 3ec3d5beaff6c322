"""Managers at work: when they are away, how much they can do in a day, and what their head tells them."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign import TaskState
from shared.db import Base


class Absence(Base):
    """Days on which a manager is away; both ends are days of it."""

    __tablename__ = "manager_absence"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    manager: Mapped[str] = mapped_column(index=True)
    org_path: Mapped[str] = mapped_column(doc="The branch in which the manager holds most customers")
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    substitute: Mapped[str | None] = mapped_column(doc="Null: whoever else looks after each customer")
    version: Mapped[int]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    cancelled_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None] = mapped_column(doc="When all that others had for it went back")
    __table_args__ = (
        CheckConstraint("ends_on >= starts_on", "period"),
        CheckConstraint("substitute <> manager", "substitute"),
        Index("ix_manager_absence_open", "ends_on", postgresql_where=text("ended_at IS NULL")),
    )


class AbsenceMove(Base):
    """A task that was moved for an absence, or given to whoever stands in from the beginning, with where it
    stood or would have: as long as its version is the one the move left, nobody has touched it since.
    """

    __tablename__ = "absence_move"
    absence_id: Mapped[UUID] = mapped_column(ForeignKey("manager_absence.id"), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("task.id"), primary_key=True, index=True)
    moved_from: Mapped[str]
    moved_to: Mapped[str | None] = mapped_column(doc="Null: to the branch head, who gives it to somebody")
    owned: Mapped[bool] = mapped_column(doc="Whether the customer was the absent manager's own")
    task_state: Mapped[TaskState] = mapped_column(Text)
    task_version: Mapped[int]
    moved_at: Mapped[datetime]


class ManagerCapacity(Base):
    """What one manager can do, where it is not what the installation's settings say."""

    __tablename__ = "manager_capacity"
    manager: Mapped[str] = mapped_column(primary_key=True)
    org_path: Mapped[str]
    minutes_per_day: Mapped[int]
    version: Mapped[int]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    __table_args__ = (CheckConstraint("minutes_per_day BETWEEN 0 AND 1440", "day"),)


class ManagerDay(Base):
    """Minutes of open tasks that are due on a day, as releases plan with them: counted anew when a wave
    begins, added to by each of its parts. Written under the lock that releases take turns by.
    """

    __tablename__ = "manager_day"
    manager: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    minutes: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class CoachingNote(Base):
    """What a branch head tells a manager of one task, or of one attempt at it."""

    __tablename__ = "coaching_note"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("task.id"), index=True)
    attempt: Mapped[int | None]
    manager: Mapped[str] = mapped_column(doc="Whom it is for, wherever the task goes")
    text: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    acknowledged_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (Index(None, "manager", "id"),)
