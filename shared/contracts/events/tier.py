"""Customers whose tier changed."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, Timestamp
from shared.contracts.events.envelope import BATCH_ITEMS, EventData


class TierChanged(EventData):
    """All of these customers moved alike; the events of one `list_id` make one change.

    Null in `from_tier`: they had none. Null in `to_tier`: they were merged into another customer.
    """

    SUBJECT: ClassVar[str] = "segmentation.tier_changed"
    scheme_id: UUID
    scheme_key: Key
    kind: Literal["value", "management"]
    list_id: UUID
    cause: Literal["applied", "override", "override_ended", "merge"]
    from_tier: Key | None
    to_tier: Key | None
    effective_at: Timestamp
    customers: Annotated[list[UUID], Field(min_length=1, max_length=BATCH_ITEMS)]

    def partition_key(self) -> str:
        return self.scheme_key
