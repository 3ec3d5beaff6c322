"""Words and states of the campaign service."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import (
    Schema,
)

ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
LongText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=r"^[^\x00]*$")
]
ScriptRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}@[1-9][0-9]{0,5}$"),
    Field(description="A script at a version", examples=["wealth-50plus@3"]),
]
MaterialRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}@[1-9][0-9]{0,5}$"),
    Field(description="A material at a version", examples=["wealth-leaflet@2"]),
]
CampaignStatus = Literal[
    "draft",
    "in_review",
    "approved",
    "scheduled",
    "launching",
    "running",
    "paused",
    "draining",
    "completed",
    "aborted",
    "expired",
]
CampaignVerb = Literal[
    "edit", "submit", "approve", "reject", "launch", "pause", "resume", "drain", "abort", "complete"
]
SuppressionReason = Literal[
    "merged",
    "erased",
    "inactive",
    "moved",
    "do_not_contact",
    "consent",
    "suitability",
    "cap",
    "no_manager",
    "global_hold_out",
    "not_released",
    "quota",
    "budget",
    "cool_down",
    "no_address",
    "no_text",
    "not_chosen",
    "converted",
    "paused",
]
LedgerState = Literal["planned", "suppressed", "held_out", "assigned", "done", "expired"]
MessageState = Literal[
    "planned", "claimed", "submitting", "accepted", "delivered", "read", "failed", "unknown", "expired"
]
"""`submitting` may be with the provider; `unknown`: whose answer was lost, and nobody sends it again."""
TaskState = Literal["assigned", "accepted", "started", "call_back", "returned", "done", "expired"]


class LocalLongText(Schema):
    """What is said or shown, in Chinese and English."""

    zh: LongText
    en: LongText
