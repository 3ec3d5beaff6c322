"""Business events and their types."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from shared.contracts.base import LocalText, Problem, ProblemItem, Schema, Timestamp
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
    dataschema: Annotated[
        str | None,
        Field(
            description="`…/event-types/{type}/versions/{n}`: read by that version instead of the newest; "
            "addresses of any other form are the sender's own and are not looked at",
            examples=["/v1/event-types/transaction.posted/versions/1"],
        ),
    ] = None
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
    schema_version: int | None = Field(
        None, description="The version of its type that read it; null when recorded before versions were kept"
    )
    data: dict[str, JsonValue]


Compatibility = Annotated[
    Literal["backward", "none"],
    Field(
        description="`backward`: a new version takes every event the one before it took. "
        "`none`: anything goes; ask for it explicitly"
    ),
]


class EventTypeWrite(Schema):
    """``PUT /v1/event-types/{type}``: ``data_schema`` is JSON Schema 2020-12 for the event's ``data``."""

    name: LocalText
    data_schema: dict[str, JsonValue]
    compatibility: Compatibility | None = Field(
        None, description="Left out, the type keeps its mode; a new type is `backward`"
    )


class EventTypeView(Schema):
    type: EventTypeName
    name: LocalText
    data_schema: dict[str, JsonValue]
    version: int
    built_in: bool
    compatibility: Compatibility


class EventTypeVersionView(Schema):
    """One schema the type has had; events name it in ``dataschema``."""

    type: EventTypeName
    version: int
    data_schema: dict[str, JsonValue]
    registered_at: Timestamp
    registered_by: str


class EventTypeCheckRequest(Schema):
    """``POST /v1/event-types/{type}:check``: would this be taken as the next version?"""

    data_schema: dict[str, JsonValue]


class EventTypeCheck(Schema):
    """``compatible``: it takes every event the newest version takes. ``errors`` point at what does not."""

    valid: bool
    compatible: bool
    version: int = Field(description="The number it would get")
    errors: list[ProblemItem]


QuarantineReason = Literal[
    "unreadable",
    "envelope",
    "source",
    "type",
    "dataschema",
    "subject",
    "time",
    "product",
    "schema",
]
QuarantineState = Literal["open", "replayed", "superseded", "discarded"]


class QuarantinedEventView(Schema):
    """A refused event. ``errors`` point into it; what it claims to be is null where that is malformed."""

    id: UUID
    source: str | None
    event_id: str | None
    type: str | None
    reason: QuarantineReason = Field(description="Of several, the first that stood in the way")
    errors: list[ProblemItem]
    seen: int = Field(description="How often exactly this event was sent")
    received_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp = Field(description="When it is deleted")
    state: QuarantineState
    closed_at: Timestamp | None = None
    closed_by: str | None = None
    closed_because: str | None = None
    replayable: bool = Field(description="False when the event was too large to keep")


class QuarantinedPayload(QuarantinedEventView):
    """With the event as it was sent, for those who may see personal data."""

    model_config = ConfigDict(str_max_length=200_000)

    payload: str | None = Field(description="The text that was sent, JSON or not; null when it was not kept")


class QuarantineCount(Schema):
    source: str | None
    type: str | None
    reason: QuarantineReason
    events: int
    seen: int = Field(description="With repetitions")
    oldest: Timestamp


class QuarantineSummary(Schema):
    """Open events, largest group first."""

    events: int
    groups: list[QuarantineCount]


class QuarantineFilter(Schema):
    """All given conditions together."""

    source: SourceName | None = None
    type: EventTypeName | None = None
    reason: QuarantineReason | None = None
    since: Timestamp | None = Field(None, description="Received at or after")
    until: Timestamp | None = Field(None, description="Received before")


class QuarantineSelection(Schema):
    """Open events, by id or by filter."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None
    filter: QuarantineFilter | None = None


class QuarantineDiscard(QuarantineSelection):
    because: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="Why these will never be taken; no personal data"
    )


class QuarantineReplay(Schema):
    """What became of the selected events; those still refused stay open with their present reasons."""

    selected: int
    accepted: int
    duplicate: int
    parked: int
    superseded: int = Field(description="Their id stands for other content by now")
    refused: int


class QuarantineDiscarded(Schema):
    discarded: int
