"""A person's rights over the file: a copy of everything, and being forgotten."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, LocalText, Schema, Timestamp
from shared.contracts.customer.vocabulary import EventTypeName, Reason

LegalBasis = Literal[
    "consent_withdrawn",
    "purpose_fulfilled",
    "relationship_ended",
    "unlawful_processing",
    "legal_order",
    "other",
]
ErasureState = Literal["requested", "withdrawn", "erased"]
ServiceName = Literal["segmentation", "campaign", "evaluation"]


class SubjectExportView(Schema):
    """The copy of everything held about a person: made by a job, fetched once, by whoever asked for it."""

    id: UUID
    customer_id: UUID
    job_id: UUID | None
    state: Literal["queued", "ready", "fetched", "expired", "erased"]
    size_bytes: int | None
    requested_by: str
    requested_at: Timestamp
    expires_at: Timestamp
    fetched_at: Timestamp | None


class ErasureRequest(Schema):
    """``POST /v1/customers/{id}:erase``."""

    reason: Reason = Field(description="Stays with the receipt: do not name the person")
    legal_basis: LegalBasis
    do_not_collect_again: bool = Field(
        default=False, description="Remember keyed hashes of the identities, and refuse them from now on"
    )
    dry_run: bool = False


class LegalHold(Schema):
    """What stands against an erasure; ``until`` when it is known."""

    code: str
    detail: str
    until: Timestamp | None = None


class ErasurePlan(Schema):
    """What a dry run found: rows by table, and what stands against it."""

    customer_id: UUID
    subjects: list[UUID] = Field(description="The person's file and all merged into it")
    holds: list[LegalHold]
    destroyed: dict[str, int] = Field(description="Rows that would go or lose what is personal, by table")
    kept: dict[str, int] = Field(description="Rows that would stay, by table: they say nothing of a person")


class ServiceErasure(Schema):
    """Whether another service has deleted what it kept."""

    service: ServiceName
    state: Literal["pending", "confirmed"]
    rows: int | None = None
    confirmed_at: Timestamp | None = None


class AuditReference(Schema):
    """The entry of the audit chain: its hash covers everything before it."""

    seq: int
    hash: str


class ErasureView(Schema):
    """A request to forget a person; once erased, the receipt."""

    id: UUID
    customer_id: UUID
    state: ErasureState
    reason: str
    legal_basis: LegalBasis
    do_not_collect_again: bool
    requested_by: str
    requested_at: Timestamp
    confirmed_by: str | None
    confirmed_at: Timestamp | None
    subjects: list[UUID]
    destroyed: dict[str, int]
    audit: AuditReference | None
    services: list[ServiceErasure]
    streams_until: Timestamp | None = Field(
        description="Until then event streams may hold facts under the person's number, without personal data"
    )


class RetentionRuleWrite(Schema):
    """``PUT /v1/retention-rules/{code}``: how long something must be kept, standing against an erasure."""

    name: LocalText
    applies_to: Literal["closed_account", "event"]
    event_type: EventTypeName | None = Field(default=None, description="For `event`, and needed there")
    keep_days: Annotated[int, Field(ge=1, le=36_525)]
    active: bool = True


class RetentionRuleView(RetentionRuleWrite):
    code: Code
    version: int
