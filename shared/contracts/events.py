"""Every event that crosses a service boundary. `EVENTS` generates docs/api/asyncapi.json.

Additive changes only within a version. Customers appear by id, never by name, number or address.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from shared.contracts.base import (
    Code,
    Currency,
    Key,
    LocalText,
    Money,
    Number,
    OrgPath,
    Schema,
    Share,
    Timestamp,
)
from shared.ids import partition_of

BATCH_ITEMS = 500


class EventData(Schema):
    """The `data` of one CloudEvent."""

    SUBJECT: ClassVar[str]
    VERSION: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        return f"huanying.{cls.SUBJECT}.v{cls.VERSION}"

    @classmethod
    def service(cls) -> str:
        return cls.SUBJECT.split(".", 1)[0]

    def partition_key(self) -> str:
        """What order is kept for: the last token of the NATS subject."""
        raise NotImplementedError


Channel = Literal["call", "sms", "email", "visit", "app"]
Disposition = Literal[
    "interested",
    "accepted",
    "refused",
    "no_answer",
    "wrong_number",
    "call_back",
    "do_not_contact",
    "complaint",
]
ContactState = Literal[
    "planned", "assigned", "started", "call_back", "done", "expired", "returned", "held_out", "suppressed"
]


# ── customer ──────────────────────────────────────────────────────────────────────────────────────────────


class CustomerState(Schema):
    """A customer as other services may know them: no name, no number, no address."""

    customer_id: UUID
    ordinal: Annotated[int, Field(ge=1, description="Dense number, stable for life; index of bitmaps")]
    version: Annotated[int, Field(ge=1, description="Grows with every change; ignore older ones")]
    kind: Literal["person", "company"]
    status: Literal["active", "closed", "merged", "erased"] = "active"
    org: OrgPath
    primary_manager: Code | None = None
    backup_manager: Code | None = None
    gender: Literal["F", "M"] | None = None
    birth_date: date | None = None
    occupation: str | None = None
    industry: str | None = None
    risk_level: Literal["C1", "C2", "C3", "C4", "C5"] | None = None
    risk_valid_until: date | None = None
    customer_since: date | None = None
    consents: dict[Channel, bool] = Field(
        default_factory=dict, description="Marketing consent by channel; absent means not given"
    )


class _CustomerKeyed(EventData):
    def _customer(self) -> UUID:
        raise NotImplementedError

    def partition_key(self) -> str:
        return str(partition_of(self._customer()))


class CustomersChanged(_CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.customers_changed"
    customers: Annotated[list[CustomerState], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.customers[0].customer_id


class RecordedEvent(Schema):
    """A business event that was accepted; `data` has passed its type's JSON Schema."""

    seq: Annotated[int, Field(description="Position in the customer service's event log")]
    event_id: Annotated[str, Field(description="The source's own id")]
    source: str
    type: str
    customer_id: UUID
    ordinal: int
    time: Timestamp
    data: dict[str, JsonValue]


class CustomerEventsRecorded(_CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.events_recorded"
    events: Annotated[list[RecordedEvent], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.events[0].customer_id


class HoldingState(Schema):
    """One account of one customer on one business date; the latest `as_of` is the present."""

    customer_id: UUID
    ordinal: int
    account: str
    product: Code
    category: str
    balance: Money
    currency: Currency = "CNY"
    as_of: date
    opened_on: date | None = None
    matures_on: date | None = None
    closed: bool = False


class HoldingsChanged(_CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.holdings_changed"
    holdings: Annotated[list[HoldingState], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.holdings[0].customer_id


# ── segmentation ──────────────────────────────────────────────────────────────────────────────────────────


class SegmentPublished(EventData):
    SUBJECT: ClassVar[str] = "segmentation.segment_published"
    segment_id: UUID
    key: Key
    version: int
    kind: Literal["rule", "cluster"]
    name: LocalText
    archived: bool = False

    def partition_key(self) -> str:
        return self.key


class SegmentUpdated(EventData):
    """Who joined and who left; the parts of one `run_id` make one change."""

    SUBJECT: ClassVar[str] = "segmentation.segment_updated"
    segment_id: UUID
    key: Key
    version: int
    run_id: UUID
    cause: Literal["events", "expiry", "profile", "edit", "full", "merge"]
    evaluated_at: Timestamp
    size: int
    joined: Annotated[list[UUID], Field(max_length=BATCH_ITEMS)]
    left: Annotated[list[UUID], Field(max_length=BATCH_ITEMS)]
    part: int = 1
    parts: int = 1

    def partition_key(self) -> str:
        return self.key


# ── campaign ──────────────────────────────────────────────────────────────────────────────────────────────


class _CampaignKeyed(EventData):
    campaign_id: UUID

    def partition_key(self) -> str:
        return str(self.campaign_id)


class CampaignApproved(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_approved"
    campaign_key: Key
    content_hash: str
    approved_by: str
    approved_at: Timestamp


class RegisteredArm(Schema):
    key: Key
    share: Share
    offer: Key
    channel: str
    script: str


class Registration(Schema):
    """What will be measured and how, frozen before the first contact."""

    primary_metric: Key
    guardrails: list[Key] = Field(default_factory=list)
    target: Money | None = None
    unit: Literal["customer"] = "customer"
    arms: list[RegisteredArm]
    hold_out: Share
    salt: str
    dimensions: list[str] = Field(default_factory=lambda: ["segment", "branch"])
    alpha: float = 0.05
    window_days: int = 30


class CampaignLaunched(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_launched"
    campaign_key: Key
    name: LocalText
    launched_at: Timestamp
    starts_on: date
    ends_on: date
    owner: Code
    orgs: list[OrgPath]
    segments: list[Key]
    registration: Registration


class AssignedContact(Schema):
    """One member of the audience after randomisation: in an arm, or held out (`arm` null)."""

    contact_id: UUID
    customer_id: UUID
    arm: Key | None
    propensity: Annotated[float, Field(gt=0, le=1, description="Probability of this assignment")]
    offer: Key | None = None
    channel: str | None = None
    script: str | None = None
    manager: Code | None = None
    branch: OrgPath
    segment: Key


class ContactsAssigned(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.contacts_assigned"
    wave: int = 1
    assigned_at: Timestamp
    contacts: Annotated[list[AssignedContact], Field(min_length=1, max_length=BATCH_ITEMS)]


class ContactRecorded(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.contact_recorded"
    contact_id: UUID
    customer_id: UUID
    version: int
    state: ContactState
    disposition: Disposition | None = None
    minutes: Number | None = None
    cost: Money | None = None
    offer: Key | None = None
    amount: Money | None = None
    recorded_at: Timestamp
    recorded_by: str


class CampaignPaused(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_paused"
    at: Timestamp


class CampaignResumed(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_resumed"
    at: Timestamp


class LedgerTotals(Schema):
    """The books: audience = suppressed + held_out + assigned; assigned = open + done + expired."""

    audience: int
    suppressed: dict[str, int]
    held_out: int
    assigned: int
    open: int
    done: int
    expired: int
    dispositions: dict[str, int] = Field(default_factory=dict)


class CampaignCompleted(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_completed"
    completed_at: Timestamp
    ledger: LedgerTotals


# ── evaluation ────────────────────────────────────────────────────────────────────────────────────────────


class ArmEffect(Schema):
    """Difference of an arm's mean from the hold-out's, per customer, with its interval."""

    arm: Key
    n: int
    n_hold_out: int
    difference: Number
    ci: tuple[Number, Number]
    p_value: float


class CampaignEvaluated(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "evaluation.campaign_evaluated"
    result_id: UUID
    verdict: Literal["ok", "withheld"]
    metric: Key
    effects: list[ArmEffect]
    matured: Share
    evaluated_at: Timestamp


class RecommendationIssued(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "evaluation.recommendation_issued"
    recommendation_id: UUID
    action: Literal["continue", "stop", "re_target", "extend", "test_next"]
    outcome: Literal["act", "test_next", "no_evidence"]
    title: LocalText
    evidence: dict[str, JsonValue]
    issued_at: Timestamp


EVENTS: dict[str, type[EventData]] = {
    event.type_name(): event
    for event in (
        CustomersChanged,
        CustomerEventsRecorded,
        HoldingsChanged,
        SegmentPublished,
        SegmentUpdated,
        CampaignApproved,
        CampaignLaunched,
        ContactsAssigned,
        ContactRecorded,
        CampaignPaused,
        CampaignResumed,
        CampaignCompleted,
        CampaignEvaluated,
        RecommendationIssued,
    )
}
