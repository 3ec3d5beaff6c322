"""Who is in a segment, since when and why."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, Name, OrgPath, Schema, Timestamp
from shared.contracts.segmentation.segments import SegmentKind


class MemberView(Schema):
    customer_id: UUID
    org: OrgPath


class ChangeKind(StrEnum):
    joined = "joined"
    left = "left"


class Cause(StrEnum):
    """Why members moved: facts, the passing of time, the customer's own file, an edit, a request or model
    run, a merge of customers or its undo.
    """

    events = "events"
    expiry = "expiry"
    profile = "profile"
    edit = "edit"
    full = "full"
    merge = "merge"


class ChangeView(Schema):
    """One customer entering or leaving a segment."""

    customer_id: UUID
    change: ChangeKind
    at: Timestamp
    version: int
    cause: Cause
    run_id: UUID


class LeafExplained(Schema):
    text: str
    value: float | bool | str | None = Field(description="What the customer has; null is unknown")
    holds: bool | None = Field(description="SQL three-valued logic: null is unknown")
    evidence: list[str] = Field(
        description="Business events behind the value, newest first, at most 50",
        examples=[["core-banking/tx-20261120-000001"]],
    )
    until: datetime | None = Field(None, description="When it stops holding if nothing else happens")


class Explanation(Schema):
    customer_id: UUID
    segment_id: UUID
    key: Key
    member: bool = Field(description="As of the last evaluation")
    holds_now: bool | None = Field(description="What the rule says at `evaluated_at`; null is unknown")
    since: Timestamp | None = Field(description="When the customer last joined; null when not a member")
    version: int
    evaluated_at: Timestamp
    leaves: list[LeafExplained]


class CustomerSegment(Schema):
    segment_id: UUID
    key: Key
    name: LocalText
    kind: SegmentKind
    version: int
    since: Timestamp | None


class CustomerSegments(Schema):
    customer_id: UUID
    segments: list[CustomerSegment]


class FeedView(Schema):
    """How far this process has followed the customer stream."""

    stream: Name
    applied: int
    last: int
    lag: int
    evaluated_at: Timestamp | None = Field(description="Last evaluation of the live segments")
