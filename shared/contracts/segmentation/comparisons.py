"""Segments against each other: combined, overlapping, leaning on one another."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Key, LocalText, Note, OrgPath, Schema, Share, Timestamp
from shared.contracts.conditions import SegmentDefinition
from shared.contracts.segmentation.segments import Refresh, SegmentState, SegmentView

SegmentName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.-]+$"),
    Field(description="Id or key", examples=["affluent-50plus-active"]),
]


class Operation(StrEnum):
    """`difference`: in the first and in none of the others."""

    union = "union"
    intersection = "intersection"
    difference = "difference"


class SaveAs(Schema):
    """Keep the combination as a draft of a rule segment that refers to the combined ones."""

    key: Key
    name: LocalText
    description: Note = ""
    refresh: Refresh = Refresh.realtime


class CombineRequest(Schema):
    operation: Operation
    segments: Annotated[list[SegmentName], Field(min_length=2, max_length=50)]
    sample: int = Field(10, ge=0, le=100)
    save_as: SaveAs | None = None


class Combination(Schema):
    count: int = Field(description="Customers in the caller's scope")
    of: int
    sample: list[UUID]
    sql: str = Field(description="The same as a rule")
    saved: SegmentView | None = None


class OverlapRequest(Schema):
    segments: Annotated[list[SegmentName], Field(min_length=2, max_length=50)]


class OverlapSegment(Schema):
    segment_id: UUID
    key: Key
    name: LocalText
    size: int = Field(description="Members in the caller's scope")


class OverlapView(Schema):
    """Row and column i are segment i; the three matrices are symmetric."""

    of: int = Field(description="Customers in the caller's scope")
    segments: list[OverlapSegment]
    counts: list[list[int]] = Field(description="Members of both")
    jaccard: list[list[Share | None]] = Field(description="Of both / of either; null when both are empty")
    lift: list[list[float | None]] = Field(
        description="How many times as many are in both as if chance alone decided; null where one is empty"
    )


class ImpactRequest(Schema):
    definition: SegmentDefinition | None = Field(
        None, description="An unsaved definition; null: the segment were archived and nobody a member"
    )
    sample: int = Field(10, ge=0, le=100)


class DependantView(Schema):
    """A segment whose newest or live version refers to this one."""

    segment_id: UUID
    key: Key
    name: LocalText
    state: SegmentState
    refresh: Refresh
    direct: bool = Field(description="Refers to it itself, not through another")
    size: int | None = Field(description="Members in the caller's scope; null before the first evaluation")


class UserKind(StrEnum):
    model = "model"
    target_profile = "target_profile"
    insight = "insight"
    campaign = "campaign"


class SegmentUser(Schema):
    """What uses a segment and is none: models that split it, target profiles and insights whose rule names
    it, campaigns that were launched with it and are not over.
    """

    kind: UserKind
    id: UUID
    key: Key | None
    name: LocalText
    org: OrgPath | None = Field(description="The unit it belongs to; null of models and campaigns")
    segment: Key = Field(description="The segment it names: this one, or one that leans on it")


class DependantsView(Schema):
    segment_id: UUID
    key: Key
    archivable: bool = Field(description="Nothing refers to it directly")
    dependants: list[DependantView]
    users: list[SegmentUser] = Field(
        description="As far as the caller may see them; they do not keep the segment from being archived"
    )


class Moves(Schema):
    """Against the members as stored, in the caller's scope."""

    before: int
    after: int
    joined: int
    left: int


class DependantImpact(Moves):
    segment_id: UUID
    key: Key
    name: LocalText
    refresh: Refresh = Field(description="On demand: it would happen with its next `:refresh`")


class ImpactView(Moves):
    """What publishing would do now."""

    joined_sample: list[UUID]
    left_sample: list[UUID]
    dependants: list[DependantImpact] = Field(description="Live rule segments that lean on it")
    evaluated_at: Timestamp
