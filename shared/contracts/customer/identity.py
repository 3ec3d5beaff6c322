"""Who is whom: candidate duplicates, merges and their undoing."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import OrgPath, Schema, Share, Timestamp
from shared.contracts.customer.vocabulary import CustomerKind

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]+$"),
    Field(description="Why; kept sealed, as it may name the person"),
]

MergeAttribute = Literal[
    "name",
    "id_number",
    "phone",
    "email",
    "address",
    "gender",
    "birth_date",
    "occupation",
    "industry",
    "customer_since",
]
MergeRule = Literal[
    "survivor_first", "most_recent", "most_complete", "earliest", "latest_assessment", "override"
]
MatchKey = Literal["id_number", "phone", "name", "birth_date", "gender"]


class MergeRequest(Schema):
    """``POST /v1/customers:merge``."""

    survivor: UUID
    merged: Annotated[list[UUID], Field(min_length=1, max_length=5000)]
    reason: Reason
    dry_run: bool = Field(False, description="Say what would happen, change nothing")
    overrides: dict[MergeAttribute, UUID] = Field(
        default_factory=dict, description="Whose value counts, whatever the rule says"
    )


class AttributeChoice(Schema):
    """Whose value the survivor has after the merge, and by which rule. Personal values come masked."""

    attribute: MergeAttribute | Literal["risk_level"]
    rule: MergeRule
    origin: UUID | None = Field(description="The customer it came from; null when none had one")
    value: str | None
    distinct: int = Field(description="Different values there were")
    changed: bool = Field(description="Whether the survivor had another before")


class MergeConflict(Schema):
    """Something to look at. A blocking one makes the merge a 409; the others were decided by a rule."""

    pointer: str = Field(description="JSON pointer into the request", examples=["/overrides/id_number"])
    detail: str
    customers: Annotated[list[UUID], Field(description="At most twenty of those concerned")]
    blocking: bool


class MergeResult(Schema):
    """What the merge did, or would do."""

    merge_id: UUID | None = Field(description="Null for a dry run")
    survivor: UUID
    merged: int
    moved_along: int = Field(description="Merged into one of them before; they point to the survivor now")
    attributes: list[AttributeChoice]
    conflicts: list[MergeConflict]


class ChoiceTaken(Schema):
    """As AttributeChoice, without the value: the ledger shows none."""

    attribute: MergeAttribute | Literal["risk_level"]
    rule: MergeRule
    origin: UUID | None
    distinct: int


class MergeSummary(Schema):
    """One entry of the ledger of merges."""

    id: UUID
    survivor: UUID
    members: int
    reason: str | None = Field(description="Null once the person was erased")
    merged_at: Timestamp
    merged_by: str
    undone_at: Timestamp | None
    undone_by: str | None
    undo_reason: str | None


class MergeMemberView(Schema):
    customer_id: UUID
    previous_survivor: UUID | None = Field(description="Whom it was merged into before this merge")


class MergeView(MergeSummary):
    """``GET /v1/merges/{id}``."""

    attributes: list[ChoiceTaken]
    merged: list[MergeMemberView]
    undo_first: list[UUID] = Field(description="Later merges that must be undone before this one, in order")


class UndoRequest(Schema):
    """``POST /v1/merges/{id}:undo``."""

    reason: Reason


class UndoResult(Schema):
    """What came apart again."""

    merge_id: UUID
    survivor: UUID
    separated: int
    restored: list[str] = Field(description="Attributes of the survivor that went back")
    kept: list[str] = Field(description="Attributes changed since the merge: they stay as they are")


class Evidence(Schema):
    """One key compared. The weights of all, with the prior, add up to the logit of the score."""

    key: MatchKey
    verdict: Literal["agree", "disagree"]
    weight: float


class DuplicateCustomer(Schema):
    """Enough to recognise the customer; personal fields masked."""

    id: UUID
    kind: CustomerKind
    org: OrgPath
    name: str | None
    id_number: str | None
    phone: str | None


class DuplicateView(Schema):
    """Two customers that may be one, and what speaks for and against it."""

    id: UUID
    customers: Annotated[list[DuplicateCustomer], Field(min_length=2, max_length=2)]
    score: Share
    evidence: list[Evidence]
    state: Literal["open", "dismissed"]
    found_at: Timestamp
    reason: str | None
    decided_by: str | None
    decided_at: Timestamp | None


class DismissRequest(Schema):
    """``POST /v1/duplicates/{id}:dismiss``: they are not the same person."""

    reason: Reason
