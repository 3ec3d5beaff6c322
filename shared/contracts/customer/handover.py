"""Handing over what a member of staff looks after; portfolios; contact conflicts."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared.contracts.base import Code, Money, Number, OrgPath, Page, Schema, Timestamp
from shared.contracts.customer.overview import CurrencyTotal
from shared.contracts.customer.ownership import OwnersThen
from shared.contracts.customer.vocabulary import CustomerKind, ProductCategory

HandoverReason = Literal["leave", "transfer", "absence"]
HandoverState = Literal["planned", "running", "done", "undoing", "undone", "cancelled"]
HandoverStrategy = Literal["backup_takes_over", "receivers", "explicit"]
ItemState = Literal["planned", "done", "undone", "left"]


class HandoverFilter(Schema):
    """Which customers a receiver takes; all given conditions together."""

    kind: CustomerKind | None = None
    categories: Annotated[list[ProductCategory], Field(max_length=8)] = Field(
        default_factory=list, description="Holds an open product of one of these"
    )
    orgs: Annotated[list[OrgPath], Field(max_length=100)] = Field(
        default_factory=list, description="Of these units and those below"
    )
    min_assets: Money | None = Field(None, description="Assets over all currencies at face value, at least")
    max_assets: Money | None = Field(None, description="Less than this")


class Receiver(Schema):
    """Who takes over. Those with a filter are asked first; the rest goes by `weight`."""

    staff: Code
    weight: Annotated[Number, Field(gt=0, le=1000, decimal_places=3)] = Field(
        default=Decimal(1), description="Relative to the other receivers"
    )
    filter: HandoverFilter | None = None


class ExplicitOwners(Schema):
    """The new managers of one customer; absent stays, unless it is who hands over."""

    customer_id: UUID
    primary_manager: Code | None = None
    backup_manager: Code | None = None


class HandoverPlan(Schema):
    """`backup_takes_over`: manager B becomes A and the least loaded colleague B. `receivers`: the named take
    the place of who leaves. `explicit`: the list alone; with the other strategies it overrules them.
    """

    strategy: HandoverStrategy
    receivers: Annotated[list[Receiver], Field(max_length=50)] = Field(default_factory=list)
    customers: Annotated[list[ExplicitOwners], Field(max_length=10_000)] = Field(default_factory=list)

    @model_validator(mode="after")
    def strategy_has_what_it_needs(self) -> Self:
        if (self.strategy == "receivers") != bool(self.receivers):
            raise ValueError("receivers go with the strategy 'receivers' and only with it")
        if self.strategy == "explicit" and not self.customers:
            raise ValueError("the strategy 'explicit' needs customers")
        return self


class HandoverRequest(Schema):
    """``POST /v1/staff/{code}:handover``. `dry_run` answers the plan and changes nothing."""

    dry_run: bool = False
    reason: HandoverReason
    effective_on: date | None = Field(None, description="Today by default; at most a year ahead")
    plan: HandoverPlan
    keep_in_branch: bool = Field(
        default=True, description="False: a customer follows a receiver of another branch to that branch"
    )


class ReceiverLoad(Schema):
    """What one member of staff gets, and has after: customers as primary and as backup manager together."""

    staff: Code
    as_primary: int
    as_backup: int
    load_before: int
    load_after: int


class HandoverViolation(Schema):
    """Why a customer would be left without an active manager A and B who cover it."""

    customer_id: UUID
    detail: str


class HandoverOutlook(Schema):
    """What the plan comes to. It can only be ordered when `violations` is 0."""

    staff: Code
    customers: int
    as_primary: int
    as_backup: int
    changing_branch: int
    receivers: list[ReceiverLoad]
    violations: int
    first_violations: Annotated[list[HandoverViolation], Field(max_length=100)]


class HandoverView(Schema):
    """One handover. `left`: customers somebody else had reassigned meanwhile; they were not touched."""

    id: UUID
    staff: Code
    reason: HandoverReason
    effective_on: date
    keep_in_branch: bool
    plan: HandoverPlan
    state: HandoverState
    blocked: str | None = Field(description="Why it did not start on its day; it does when that is solved")
    customers: int
    done: int
    left: int
    progress: Annotated[float, Field(ge=0, le=1)]
    job_id: UUID | None
    version: int
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class HandoverOrdered(Schema):
    """The outlook and, unless it was a dry run, the handover."""

    outlook: HandoverOutlook
    handover: HandoverView | None


class HandoverItemView(Schema):
    customer_id: UUID
    state: ItemState
    before: OwnersThen
    after: OwnersThen


class HandoverDetail(HandoverView):
    """A handover with one page of its customers."""

    items: Page[HandoverItemView]


class PortfolioCustomer(Schema):
    """A customer in somebody's care."""

    customer_id: UUID
    name: str | None = Field(description="Masked")
    kind: CustomerKind
    org: OrgPath
    role: Literal["primary", "backup"]
    other_manager: Code | None
    totals: list[CurrencyTotal]


class MaturingSoon(Schema):
    """Products that end within the window, by currency."""

    currency: str
    accounts: int
    balance: Money


class Portfolio(Schema):
    """Everything one member of staff looks after; totals are of customers as primary manager."""

    staff: Code
    as_primary: int
    as_backup: int
    without_backup: int
    without_backup_share: float = Field(description="Of the customers as primary manager")
    totals: list[CurrencyTotal]
    maturing: list[MaturingSoon]
    customers: Page[PortfolioCustomer]


class ContactOfConflict(Schema):
    """One contact with the customer. `channel` is campaign for those that campaigns made."""

    at: Timestamp
    by: str
    org: OrgPath | None
    channel: str


class ContactConflict(Schema):
    """A customer several managers or branches contacted within days of each other."""

    customer_id: UUID
    org: OrgPath
    primary_manager: Code | None
    managers: int
    branches: int
    contacts: Annotated[list[ContactOfConflict], Field(max_length=50)]
