"""What a customer allows, by channel and purpose, with proof and end."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Schema, Timestamp
from shared.contracts.events import Channel
from shared.contracts.events.stewardship import ConsentPurpose

ProofKind = Literal["form", "recording", "click", "branch"]


class Proof(Schema):
    """Where it can be looked up that the customer said so; ``reference`` is kept sealed."""

    kind: ProofKind
    reference: (
        Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None
    ) = Field(default=None, description="Number of the form, address of the recording; only with reveal")
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="SHA-256 of the document or recording, hexadecimal"
    )


class _Said(Schema):
    purpose: ConsentPurpose = "marketing"
    changed_at: Timestamp | None = Field(
        default=None, description="When the customer said so; absent: now. A later word is never overwritten"
    )
    proof: Proof | None = None


class ConsentWrite(_Said):
    """``PUT /v1/customers/{id}/consents/{channel}``."""

    granted: bool
    valid_until: date | None = Field(
        default=None, description="Last day the consent holds; a refusal holds until another word"
    )


class ContactRefusal(_Said):
    """``POST /v1/customers/{id}:refuse-contact``: no to every channel at once."""


class ConsentView(Schema):
    """The present word for one channel and purpose; ``granted`` is false once it has expired."""

    channel: Channel
    purpose: ConsentPurpose
    granted: bool
    expired: bool
    changed_at: Timestamp
    valid_until: date | None
    source: str


class ConsentEntryView(Schema):
    """One word of the ledger, whether or not a later one replaced it."""

    customer_id: UUID
    channel: Channel
    purpose: ConsentPurpose
    granted: bool
    changed_at: Timestamp
    valid_until: date | None
    proof: Proof | None
    source: str
    recorded_at: Timestamp
    recorded_by: str | None


class ConsentsView(Schema):
    """``GET /v1/customers/{id}/consents``: what holds now, and one page of the ledger, newest first."""

    present: list[ConsentView]
    ledger: list[ConsentEntryView]
    next_cursor: str | None
