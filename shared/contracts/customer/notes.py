"""What customers need, who talked with them, and what they complained of.

Free text may hold anything about the person: it is kept under the customer's own key and read one at a time
with `reveal=pii`, audited, by managers and branch heads.
"""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Code, Currency, Money, OrgPath, Schema, Timestamp
from shared.contracts.customer.vocabulary import ProductCategory

NeedCategory = Literal[
    "saving",
    "investment",
    "financing",
    "insurance",
    "retirement",
    "education",
    "payment",
    "cash_management",
    "trade",
    "other",
]
RiskAttitude = Literal["cautious", "balanced", "venturesome"]
StatedBy = Literal["customer", "representative", "relative", "manager", "record"]
NeedStatus = Literal["open", "met", "dropped"]
InteractionKind = Literal["call", "visit", "sms", "im", "branch"]
InteractionDirection = Literal["in", "out"]
ComplaintKind = Literal["complaint", "feedback"]
Severity = Literal["low", "medium", "high"]
FreeText = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]


class Need(Schema):
    """One thing the customer needs."""

    category: NeedCategory
    amount: Annotated[Money, Field(ge=0)] | None = None
    currency: Currency = "CNY"
    horizon_months: Annotated[int, Field(ge=0, le=600)] | None = None
    products: Annotated[
        list[ProductCategory], Field(max_length=8, description="What the customer showed interest in")
    ] = Field(default_factory=list)


class NeedNoteWrite(Schema):
    """``POST /v1/need-notes``: 客户需求说明书."""

    customer_id: UUID
    needs: Annotated[list[Need], Field(min_length=1, max_length=20)]
    risk_attitude: RiskAttitude | None = None
    stated_by: StatedBy = "customer"
    staff: Code | None = Field(None, description="Who follows it up; the caller by default")
    text: FreeText | None = None
    next_step: FreeText | None = None
    next_on: date | None = None


class NeedNotePatch(Schema):
    """Absent = unchanged, null = cleared (except needs, stated_by and status)."""

    needs: Annotated[list[Need], Field(min_length=1, max_length=20)] | None = None
    risk_attitude: RiskAttitude | None = None
    stated_by: StatedBy | None = None
    status: NeedStatus | None = None
    staff: Code | None = None
    text: FreeText | None = None
    next_step: FreeText | None = None
    next_on: date | None = None

    @model_validator(mode="after")
    def required_stay(self) -> Self:
        _refuse_null(self, "needs", "stated_by", "status")
        return self


class NeedNoteView(Schema):
    """`text` and `next_step` are null unless revealed; `has_text` says whether there is any."""

    id: UUID
    customer_id: UUID
    needs: list[Need]
    risk_attitude: RiskAttitude | None
    stated_by: StatedBy
    status: NeedStatus
    staff: Code | None
    next_on: date | None
    has_text: bool
    text: str | None
    next_step: str | None
    version: int
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class InteractionWrite(Schema):
    """``POST /v1/interactions``: also an `interaction.recorded` event, without the note."""

    customer_id: UUID
    kind: InteractionKind
    direction: InteractionDirection = "out"
    at: Timestamp | None = Field(None, description="Now by default; not in the future")
    minutes: Annotated[int, Field(ge=0, le=1440)] | None = None
    disposition: Code | None = Field(None, description="A word for how it went")
    staff: Code | None = Field(None, description="Who talked; the caller by default")
    participants: Annotated[list[Code], Field(max_length=20)] = Field(
        default_factory=list, description="Other staff who took part"
    )
    note: FreeText | None = None


class InteractionPatch(Schema):
    """What the event told stays; who took part and the note may be corrected."""

    participants: Annotated[list[Code], Field(max_length=20)] | None = None
    note: FreeText | None = None

    @model_validator(mode="after")
    def required_stay(self) -> Self:
        _refuse_null(self, "participants")
        return self


class InteractionView(Schema):
    """`source` is `huanying` for those recorded here, else the partner system's."""

    id: UUID
    customer_id: UUID
    source: str
    kind: InteractionKind
    direction: InteractionDirection | None
    at: Timestamp
    minutes: int | None
    disposition: str | None
    staff: str | None
    participants: list[Code]
    has_note: bool
    note: str | None
    version: int
    updated_at: Timestamp


class ComplaintWrite(Schema):
    """``POST /v1/complaints``; a complaint is a `complaint.filed` event too, feedback is not."""

    customer_id: UUID
    kind: ComplaintKind = "complaint"
    category: Code | None = None
    severity: Severity | None = None
    staff: Code | None = Field(None, description="Who sees to it")
    due_on: date | None = None
    text: FreeText | None = None


class ComplaintPatch(Schema):
    """Absent = unchanged, null = cleared."""

    category: Code | None = None
    severity: Severity | None = None
    staff: Code | None = None
    due_on: date | None = None
    text: FreeText | None = None


class ComplaintView(Schema):
    """`open` until it was resolved, itself or by a resolution that named no single complaint."""

    id: UUID
    customer_id: UUID
    org: OrgPath
    source: str
    kind: ComplaintKind
    category: str | None
    severity: str | None
    open: bool
    filed_at: Timestamp
    resolved_at: Timestamp | None
    staff: Code | None
    due_on: date | None
    has_text: bool
    text: str | None
    version: int


def _refuse_null(model: Schema, *names: str) -> None:
    """An explicit null must not erase what cannot be absent."""
    cleared = [name for name in names if name in model.model_fields_set and getattr(model, name) is None]
    if cleared:
        raise ValueError(f"{', '.join(cleared)} cannot be null")
