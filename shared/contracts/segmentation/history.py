"""How a segment came to be what it is: versions of its definition, its size over time."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, Schema, Timestamp
from shared.contracts.segmentation.segments import DefinitionView


class SegmentVersionView(Schema):
    """A definition as it was saved."""

    version: int
    definition: DefinitionView
    live: bool = Field(description="This version decides membership")
    created_by: str
    created_at: Timestamp
    evaluated_at: Timestamp | None = Field(description="First time it changed the members; null: never did")
    joined: int | None = Field(description="Who joined then, bank wide")
    left: int | None = Field(description="Who left then, bank wide")


class TrendStep(StrEnum):
    day = "day"
    week = "week"


class TrendPoint(Schema):
    """A day, or a week from Monday, in the bank's zone."""

    start: date
    size: int | None = Field(description="Members at its end; null before the first evaluation")
    joined: int = Field(description="How often a customer joined; one may join and leave repeatedly")
    left: int


class SegmentTrend(Schema):
    segment_id: UUID
    key: Key
    step: TrendStep
    points: list[TrendPoint] = Field(description="Oldest first, without gaps")
