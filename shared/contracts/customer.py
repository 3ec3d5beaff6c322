"""Requests and responses of the customer service.

Personal data (name, identity number, phone, email, address, source ids) appears here only: it never crosses
in an event or an export. Reads answer it masked (``张*``, ``138****1234``) unless ``reveal=pii`` is granted.
"""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from shared.contracts.base import (
    Code,
    Currency,
    LocalText,
    Money,
    Number,
    OrgPath,
    Problem,
    Schema,
    Timestamp,
)
from shared.contracts.events import Channel, ContactState, Disposition

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
SourceKey = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Account = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Consents = Annotated[dict[Channel, bool], Field(description="By channel; absent means not given")]
EventTypeName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,5}$", max_length=100)
]

OrgLevel = Literal["hq", "tier1", "tier2", "subbranch"]
StaffRole = Literal["admin", "strategist", "approver", "branch_head", "manager", "auditor", "integrator"]
ProductCategory = Literal["demand", "time_deposit", "wealth", "fund", "insurance", "loan", "card", "payroll"]
ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
RiskLevel = Literal["C1", "C2", "C3", "C4", "C5"]
CustomerKind = Literal["person", "company"]
CustomerStatus = Literal["active", "closed"]
AnyStatus = Literal["active", "closed", "merged", "erased"]
Gender = Literal["F", "M"]
ImportDataset = Literal["customers", "holdings"]
ExportDataset = Literal["customers", "holdings", "events"]


class OrgWrite(Schema):
    """``PUT /v1/orgs/{code}``: the code is the dotted path (``hq.sh.pudong``); its parent must exist."""

    level: OrgLevel
    name: LocalText
    active: bool = True


class OrgView(OrgWrite):
    code: OrgPath
    parent: OrgPath | None
    version: int


class StaffWrite(Schema):
    """``PUT /v1/staff/{code}``: the unit must exist."""

    name: Text
    role: StaffRole
    org: OrgPath
    active: bool = True


class StaffView(StaffWrite):
    code: Code
    version: int


class ProductWrite(Schema):
    """``PUT /v1/products/{code}``; ``margin`` : annual spread as a fraction, may be negative."""

    name: LocalText
    category: ProductCategory
    risk: ProductRisk
    currency: Currency = "CNY"
    margin: Annotated[Number, Field(ge=-1, le=1, decimal_places=6)]
    active: bool = True


class ProductView(ProductWrite):
    code: Code
    version: int


class SourceIdentity(Schema):
    """The customer's id in one source system; a pair belongs to one customer only."""

    source: SourceName
    source_id: SourceKey


class PersonalData(Schema):
    """Data encrypted with the customer's own key."""

    name: Text | None = None
    id_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{4,32}$")] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,30}$")] | None = None
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None = None
    address: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f]*$")] | None = None


class Attributes(Schema):
    """Non-personal attributes every service may hold."""

    gender: Gender | None = None
    birth_date: date | None = None
    occupation: Text | None = None
    industry: Text | None = None
    risk_level: RiskLevel | None = None
    risk_valid_until: date | None = None
    customer_since: date | None = None


class _Managed(Schema):
    primary_manager: Code | None = None
    backup_manager: Code | None = None

    @model_validator(mode="after")
    def managers_differ(self) -> Self:
        if self.primary_manager is not None and self.primary_manager == self.backup_manager:
            raise ValueError("backup_manager must differ from primary_manager")
        return self


class CustomerCreate(PersonalData, Attributes, _Managed):
    """``POST /v1/customers``."""

    kind: CustomerKind
    name: Text
    identities: Annotated[list[SourceIdentity], Field(min_length=1, max_length=50)]
    org: OrgPath
    consents: Consents = Field(default_factory=dict)


class CustomerPatch(PersonalData, Attributes):
    """``PATCH /v1/customers/{id}``: absent = unchanged, null = cleared (except name and status)."""

    status: CustomerStatus | None = None
    consents: Consents | None = None

    @model_validator(mode="after")
    def required_stay(self) -> Self:
        """An explicit null must not erase what a customer cannot be without."""
        cleared = [
            f
            for f in ("name", "status", "consents")
            if f in self.model_fields_set and getattr(self, f) is None
        ]
        if cleared:
            raise ValueError(f"{', '.join(cleared)} cannot be null")
        return self


class CustomerView(PersonalData, Attributes):
    """One customer; the personal fields are masked unless ``masked`` is false."""

    # Masked values ("138****1234") do not have the form of the values they stand for.
    name: str | None = None
    id_number: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    id: UUID
    ordinal: int
    version: int
    kind: CustomerKind
    status: AnyStatus
    identities: list[SourceIdentity]
    org: OrgPath
    primary_manager: Code | None
    backup_manager: Code | None
    consents: Consents
    masked: bool
    created_at: Timestamp
    updated_at: Timestamp


class OwnershipWrite(_Managed):
    """``PUT /v1/customers/{id}/ownership``: all three at once, If-Match required."""

    org: OrgPath
    primary_manager: Code | None
    backup_manager: Code | None


class ResolveRequest(Schema):
    """``POST /v1/customers:resolve``."""

    items: Annotated[list[SourceIdentity], Field(min_length=1, max_length=5000)]


class ResolvedCustomer(SourceIdentity):
    """``customer_id`` is null when the caller sees no customer under that identity."""

    customer_id: UUID | None
    ordinal: int | None


class ResolveResult(Schema):
    """Same order and length as the request."""

    items: list[ResolvedCustomer]


class HoldingView(Schema):
    """One account of a customer with its latest balance."""

    account: Account
    product: Code
    product_name: LocalText | None
    category: ProductCategory | None
    balance: Money
    currency: Currency
    as_of: date
    opened_on: date | None
    matures_on: date | None
    closed_on: date | None


class TimelineItem(Schema):
    """A business event or a contact made by a campaign; newest first."""

    id: str
    time: Timestamp
    kind: Literal["event", "contact"]
    type: str
    source: str
    data: dict[str, JsonValue]


class ContactView(Schema):
    """The latest state of one contact with the customer (from campaign)."""

    contact_id: UUID
    campaign_id: UUID
    state: ContactState
    disposition: Disposition | None
    time: Timestamp


class NextDate(Schema):
    """Something that will happen to this customer."""

    kind: Literal["birthday", "maturity", "risk_expiry"]
    date: date
    subject: str


class CurrencyTotal(Schema):
    """Sums over open accounts; loan and card balances count as liabilities."""

    currency: Currency
    assets: Money
    liabilities: Money


class Customer360(Schema):
    """``GET /v1/customers/{id}/360``."""

    customer: CustomerView
    org_name: LocalText
    primary_manager_name: str | None
    backup_manager_name: str | None
    totals: list[CurrencyTotal]
    holdings: list[HoldingView]
    timeline: list[TimelineItem]
    contacts: list[ContactView]
    next_dates: list[NextDate]


class HoldingWrite(SourceIdentity):
    """The balance of one account on one business date; an older date only adds history."""

    account: Account
    product: Code
    balance: Money
    currency: Currency = "CNY"
    as_of: date
    opened_on: date | None = None
    matures_on: date | None = None


class HoldingsWrite(Schema):
    """``POST /v1/holdings``."""

    items: Annotated[list[HoldingWrite], Field(min_length=1, max_length=1000)]


class HoldingItemResult(Schema):
    index: int
    status: Literal["accepted", "rejected"]
    problem: Problem | None = None


class HoldingsResult(Schema):
    """200 when all were accepted, 207 otherwise; only rejected items are listed."""

    accepted: int
    rejected: int
    items: list[HoldingItemResult]


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


class ImportCounts(Schema):
    """Rows read so far and what became of them."""

    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int


class ImportView(Schema):
    """One import file and its job (``GET /v1/jobs/{job_id}`` has the progress)."""

    id: UUID
    job_id: UUID | None
    dataset: ImportDataset
    format: Literal["csv", "parquet"]
    filename: str
    size_bytes: int
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    counts: ImportCounts
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None


class ImportRowError(Schema):
    """Why one row was not taken; the values themselves are not repeated (they may be personal)."""

    row: int
    column: str | None
    detail: str
