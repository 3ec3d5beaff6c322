"""Business events and their types."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, JsonValue, StringConstraints

from shared.contracts.base import LocalText, Problem, Schema, Timestamp
from shared.contracts.customer.vocabulary import EventTypeName, SourceKey, SourceName


class CloudEventIn(Schema):
    """One CloudEvent 1.0 in structured mode; ``subject`` is the customer's id in ``source``."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    source: SourceName
    type: EventTypeName
    subject: SourceKey
    time: Timestamp
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, JsonValue]


class EventItemResult(Schema):
    """What became of one event of the batch; ``problem`` only when rejected."""

    index: int
    id: str | None
    status: Literal["accepted", "duplicate", "parked", "rejected"]
    problem: Problem | None = None


class EventBatchResult(Schema):
    """Accepted items are listed only with ``verbose=true``."""

    accepted: int
    duplicate: int
    parked: int
    rejected: int
    items: list[EventItemResult]


class EventView(Schema):
    """A recorded business event."""

    source: str
    id: str
    type: str
    customer_id: UUID
    time: Timestamp
    recorded_at: Timestamp
    data: dict[str, JsonValue]


class EventTypeWrite(Schema):
    """``PUT /v1/event-types/{type}``: ``data_schema`` is JSON Schema 2020-12 for the event's ``data``."""

    name: LocalText
    data_schema: dict[str, JsonValue]


class EventTypeView(EventTypeWrite):
    type: EventTypeName
    version: int
    built_in: bool
