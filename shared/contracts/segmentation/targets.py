"""Target-customer profiles: whom we say we serve, and whether we do."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import LocalText, Money, OrgPath, Schema, Share, Timestamp
from shared.contracts.conditions import SegmentDefinition
from shared.contracts.segmentation.contrasts import FeatureContrast
from shared.contracts.segmentation.segments import DefinitionView

PlainText = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]


class DriftMeasure(StrEnum):
    """What a share is of: customers who are new in the month, our contacts in it, their minutes; the attempts
    that campaigns made in it, or what those cost.

    A contact is an `interaction.recorded` event that did not come from the customer. A campaign's attempt is
    one that was recorded with minutes or cost.
    """

    new_customers = "new_customers"
    contacts = "contacts"
    minutes = "minutes"
    campaign_contacts = "campaign_contacts"
    campaign_cost = "campaign_cost"


class Tolerances(Schema):
    """The share inside the profile below which we have wandered off; absent = not watched."""

    new_customers: Share | None = Field(None, examples=[0.6])
    contacts: Share | None = Field(None, examples=[0.5])
    minutes: Share | None = Field(None, description="Of the contacts' minutes", examples=[0.5])
    campaign_contacts: Share | None = Field(
        None, description="Of the attempts that campaigns made", examples=[0.5]
    )
    campaign_cost: Share | None = Field(None, description="Of what these attempts cost", examples=[0.5])

    @model_validator(mode="after")
    def watches_something(self) -> Self:
        if not any(getattr(self, measure) is not None for measure in DriftMeasure):
            raise ValueError("give at least one share")
        return self


class TargetProfileCreate(Schema):
    name: LocalText
    rationale: PlainText = Field("", description="Why these customers")
    org: OrgPath = Field(description="The unit that declares it; it counts for this unit and those below")
    definition: SegmentDefinition
    tolerances: Tolerances
    valid_from: date
    valid_until: date | None = Field(None, description="Last day on which it counts")

    @model_validator(mode="after")
    def ends_after_it_begins(self) -> Self:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until is before valid_from")
        return self


class TargetProfilePatch(Schema):
    """Absent = unchanged; `valid_until` null = without end. Another rule or shares make a new version."""

    name: LocalText | None = None
    rationale: PlainText | None = None
    definition: SegmentDefinition | None = None
    tolerances: Tolerances | None = None
    valid_from: date | None = None
    valid_until: date | None = None


class TargetVersionView(Schema):
    """A declaration as it was; never changed."""

    version: int
    definition: DefinitionView
    tolerances: Tolerances
    created_by: str
    created_at: Timestamp


class TargetProfileView(Schema):
    id: UUID
    name: LocalText
    rationale: str
    org: OrgPath
    version: int
    revision: int = Field(description="Number of the ETag: grows with every edit")
    definition: DefinitionView
    tolerances: Tolerances
    valid_from: date
    valid_until: date | None
    checked_at: Timestamp | None = Field(description="When drift was last looked for")
    alerts: int = Field(description="Alerts within the reader's organisation")
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class Adherence(Schema):
    """How much of what we have is inside the profile now, within the reader's organisation."""

    profile_id: UUID
    version: int
    org: OrgPath
    evaluated_at: Timestamp
    stream_position: int
    customers: int
    inside: int
    unknown: int = Field(description="Of whom the facts do not say; they count as outside")
    share: Share | None
    aum: Money
    aum_inside: Money
    aum_share: Share | None = Field(description="Null without assets")
    contribution: Money | None = Field(description="Null while no contribution is known here")
    contribution_inside: Money | None
    contribution_share: float | None = Field(
        description="May leave 0 to 1: contributions can be negative; null when they sum to nothing"
    )


class Evidence(StrEnum):
    """Why a share counts as below tolerance.

    interval: the upper end of its 95 % interval is below. two_periods: this month and the one before are
    below, and so is the upper end of both together.
    """

    interval = "interval"
    two_periods = "two_periods"


class DriftPoint(Schema):
    """One month of one unit."""

    period: date = Field(description="First day of the month")
    complete: bool = Field(description="The month is over")
    known: bool = Field(description="The facts the rule asks for reach back to the start of this month")
    total: float = Field(description="Customers, contacts, minutes or money")
    inside: float
    unknown: int = Field(description="Customers of whom the facts do not say; they count as outside")
    effective_n: float = Field(
        description="(Σw)²/Σw² over customers: contacts with one customer do not count as independent"
    )
    share: Share | None
    low: Share | None = Field(description="95 % Wilson interval at `effective_n`")
    high: Share | None
    evidence: Evidence | None = Field(description="Why the share is below tolerance; null when it is not")


class DriftSeries(Schema):
    org: OrgPath
    measure: DriftMeasure
    tolerance: Share | None
    points: list[DriftPoint]


class DriftView(Schema):
    """Whether who comes and whom we contact is whom we mean.

    Each month is judged at its end (the present one now): balances and events as of then, attributes of
    the customer's file as they are now. Campaigns count with the attempts they made and their cost, which is
    what was spent: no event tells of budgets that were planned. What is outside the target is the rest to 1.
    Whoever left since still counts in the month they came.
    """

    profile_id: UUID
    version: int
    org: OrgPath
    evaluated_at: Timestamp
    stream_position: int
    facts_since: date | None = Field(
        description="The facts the rule asks for begin here; null when it asks for the customer's file only"
    )
    campaigns_since: date | None = Field(
        description="Attempts of campaigns are known from here; null when all that were ever made are"
    )
    series: list[DriftSeries] = Field(description="The unit itself first, then those directly below")


class TargetContrast(Schema):
    """One feature of those who came instead, beside those we mean; both against everybody."""

    outsiders: FeatureContrast
    target: FeatureContrast
    gap: float = Field(description="Difference of the two, in standard deviations of everybody")


class OutsiderProfile(Schema):
    profile_id: UUID
    version: int
    org: OrgPath
    evaluated_at: Timestamp
    since: date = Field(description="New customers from this day on")
    newcomers: int
    outsiders: int
    target: int = Field(description="Customers inside the profile, new or not")
    contrasts: list[TargetContrast] = Field(description="Largest gap first")


class TargetAlert(Schema):
    id: UUID
    profile_id: UUID
    version: int
    org: OrgPath
    period: date
    shares: list["AlertedShare"]
    detected_at: Timestamp


class AlertedShare(Schema):
    measure: DriftMeasure
    share: Share
    low: Share
    high: Share
    tolerance: Share
    evidence: Evidence


class TargetCheck(Schema):
    """What a look for drift found; alerts told before are not told again."""

    profile_id: UUID
    checked_at: Timestamp
    judged: int = Field(description="Shares that could be judged: month complete, facts known, enough seen")
    alerts: list[TargetAlert] = Field(description="New ones only")
