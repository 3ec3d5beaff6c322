"""What is said and shown, version by version, and the words that may not be."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.campaign.scripts import WordingState
from shared.db import Base

_STATES = "state IN ('in_review', 'approved', 'rejected', 'retired')"
_TWO_PEOPLE = "decided_by <> created_by"


class Decided:
    """How far a version has come. A trigger lets nothing else of a version change."""

    state: Mapped[WordingState] = mapped_column(Text, server_default="in_review")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    comment: Mapped[str | None]
    retired_at: Mapped[datetime | None]
    retired_by: Mapped[str | None]


class Script(Decided, Base):
    __tablename__ = "script"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[dict[str, Any]]
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    minutes: Mapped[float]
    products: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    personalised: Mapped[bool] = mapped_column(
        server_default=text("false"), doc="False: its texts were never checked as templates and are none"
    )
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    __table_args__ = (CheckConstraint(_STATES, "state"), CheckConstraint(_TWO_PEOPLE, "two_people"))


class Material(Decided, Base):
    __tablename__ = "material"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[dict[str, Any]]
    kind: Mapped[str]
    channel: Mapped[str]
    products: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    body: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    file: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    __table_args__ = (
        CheckConstraint(_STATES, "state"),
        CheckConstraint(_TWO_PEOPLE, "two_people"),
        CheckConstraint(
            "(kind = 'file') = (file IS NOT NULL) AND (kind <> 'file') = (body IS NOT NULL)", "kind"
        ),
    )


class ComplianceList(Base):
    """A list of words at a version; the newest whose day has come is in force."""

    __tablename__ = "compliance_list"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[dict[str, Any]]
    words: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text))
    products: Mapped[list[str]] = mapped_column(ARRAY(Text))
    valid_from: Mapped[date]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
