"""Whether incremental members are those of a full evaluation."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, Schema, Timestamp


class SegmentAudit(Schema):
    """What the members would be if the next pass came now, against an evaluation of everybody."""

    segment_id: UUID
    key: Key
    version: int
    size: int = Field(description="Members by the full evaluation, bank wide")
    missing: int = Field(description="Belong to it, and incremental evaluation would not have them")
    extra: int = Field(description="Incremental evaluation would have them, and they do not belong to it")
    missing_sample: Annotated[list[UUID], Field(description="Some of them, within your organisation")]
    extra_sample: Annotated[list[UUID], Field(description="Some of them, within your organisation")]


class AuditView(Schema):
    """Both evaluations of one moment of the facts. Nothing is repaired: `:refresh` does that."""

    evaluated_at: Timestamp
    applied: int = Field(description="Position of the customer stream")
    differences: int = Field(description="Customers missing and extra, over all segments; 0 is right")
    segments: list[SegmentAudit]
