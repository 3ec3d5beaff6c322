"""Members frozen for a campaign."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, Note, OrgPath, Schema, Timestamp


class SnapshotCreate(Schema):
    """Of the members within the caller's organisation as last evaluated."""

    purpose: Note = Field("", description="What it is for", examples=["campaign spring-wealth, wave 1"])


class SnapshotView(Schema):
    """What is in it never changes: neither facts nor merges nor edits touch it. Only an erased customer is
    taken out; `digest` stays that of the members as frozen.
    """

    id: UUID
    segment_id: UUID
    key: Key
    version: int = Field(description="Version of the definition the members came from")
    evaluated_at: Timestamp = Field(description="Of the evaluation the members came from")
    org: OrgPath = Field(description="Members of this unit and below")
    purpose: Note
    size: int = Field(description="Members as frozen")
    erased: int = Field(description="Of them taken out since, because the customer was erased")
    digest: str = Field(
        description="SHA-256, in hexadecimal, over the customer ids as 16 bytes each, in ascending order"
    )
    created_by: str
    created_at: Timestamp
