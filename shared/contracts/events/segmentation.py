"""Events of the segmentation service."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, Timestamp
from shared.contracts.events.envelope import BATCH_ITEMS, EventData


class SegmentPublished(EventData):
    SUBJECT: ClassVar[str] = "segmentation.segment_published"
    segment_id: UUID
    key: Key
    version: int
    kind: Literal["rule", "cluster"]
    name: LocalText
    archived: bool = False

    def partition_key(self) -> str:
        return self.key


class SegmentUpdated(EventData):
    """Who joined and who left; the parts of one `run_id` make one change."""

    SUBJECT: ClassVar[str] = "segmentation.segment_updated"
    segment_id: UUID
    key: Key
    version: int
    run_id: UUID
    cause: Literal["events", "expiry", "profile", "edit", "full", "merge"]
    evaluated_at: Timestamp
    size: int
    joined: Annotated[list[UUID], Field(max_length=BATCH_ITEMS)]
    left: Annotated[list[UUID], Field(max_length=BATCH_ITEMS)]
    part: int = 1
    parts: int = 1

    def partition_key(self) -> str:
        return self.key
