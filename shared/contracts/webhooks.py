"""Webhooks of every service: who is told of which events, and how each delivery went.

The body of a delivery is the event's CloudEvent; the headers follow Standard Webhooks.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.contracts.base import Note, OrgPath, Schema, Timestamp

MAX_REPLAYED_IDS = 1_000
TEST_EVENT = "huanying.webhook.test.v1"
"""Sent by `:test` to one endpoint; on no stream and in no subscription."""


def _said_once(types: list[str]) -> list[str]:
    if len(set(types)) != len(types):
        raise ValueError("names a type twice")
    return types


EventPattern = Annotated[
    str, StringConstraints(pattern=r"^huanying\.[a-z_.]+\.(v[0-9]+|\*)$", max_length=100)
]
EventPatterns = Annotated[
    list[EventPattern],
    Field(
        min_length=1,
        max_length=50,
        description="Event types of this service, or all of them by `.*`",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_said_once),
]
WebhookUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2_000),
    Field(
        description="https; http and addresses inside the bank only where the operator allows them",
        examples=["https://hooks.example.com/huanying"],
    ),
]
MaxInFlight = Annotated[
    int, Field(ge=1, le=20, description="Deliveries on their way to this endpoint at the same time")
]


class WebhookWrite(Schema):
    url: WebhookUrl
    event_types: EventPatterns
    description: Note = ""
    max_in_flight: MaxInFlight = 5


class WebhookPatch(Schema):
    """What is left out stays."""

    url: WebhookUrl | None = None
    event_types: EventPatterns | None = None
    description: Note | None = None
    max_in_flight: MaxInFlight | None = None


class WebhookView(Schema):
    id: UUID
    org: OrgPath
    url: str
    event_types: list[str]
    description: str
    max_in_flight: int
    state: Literal["enabled", "disabled"]
    disabled_reason: Literal["by_request", "gone", "failing"] | None = Field(
        description="`gone`: it answered 410. `failing`: a delivery used up its attempts, none succeeded"
    )
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="First failure since the last success")
    last_success_at: datetime | None
    previous_valid_until: datetime | None = Field(description="The secret before signs too until then")
    created_by: str
    created_at: datetime
    version: int


class WebhookCreated(WebhookView):
    secret: str | None = Field(
        description="`whsec_…`, shown this once: a repetition by Idempotency-Key shows null"
    )


class WebhookSecret(Schema):
    secret: str | None = Field(
        description="`whsec_…`, shown this once: a repetition by Idempotency-Key shows null"
    )
    previous_valid_until: datetime = Field(description="Until then deliveries carry both signatures")


DeliveryState = Literal["pending", "succeeded", "failed"]


class DeliveryView(Schema):
    """One event on its way to one endpoint."""

    event_id: UUID = Field(description="The event's id; `webhook-id` of every attempt")
    event_type: str
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    response_status: int | None = Field(description="Of the last attempt; null when nothing answered")
    last_error: str | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    replays: int


class ReplayRequest(Schema):
    """Which of the kept events to send again: by time, by id, or those that failed (of a time, if given)."""

    since: Timestamp | None = None
    until: Timestamp | None = None
    event_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_REPLAYED_IDS)] | None = None
    failed: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> "ReplayRequest":
        by_time = self.since is not None or self.until is not None
        if self.event_ids is not None and (by_time or self.failed):
            raise ValueError("event_ids stand alone")
        if self.event_ids is None and self.since is None and not self.failed:
            raise ValueError("give since, event_ids or failed")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise ValueError("until must be after since")
        return self


class ReplayAnswer(Schema):
    queued: int = Field(description="Deliveries that start again; those still under way are not counted")
