"""Opportunities: what may be sold to a customer, how far it is, and the funnel they make."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.base import Code, Currency, Key, LocalText, Money, Number, OrgPath, Schema, Timestamp

Rad = Annotated[
    Literal["retain", "acquire", "develop"],
    Field(
        description="What the work on a customer is for: retain what it brings, acquire a customer who brings"
        " nothing yet, develop one who does"
    ),
]
OpportunityStatus = Literal["open", "won", "lost"]
OpportunityVerb = Literal["edit", "move", "win", "lose", "reopen", "assign"]
OpportunitySource = Annotated[
    Literal["task", "referral", "hand"],
    Field(
        description="task: from a contact of a campaign; referral: from one accepted; hand: opened by hand"
    ),
]
LossReason = Literal["price", "competitor", "no_need", "no_answer", "unsuitable", "other"]
LossCause = Literal["price", "competitor", "no_need", "no_answer", "unsuitable", "other", "erased"]
FunnelBy = Literal["all", "org", "manager", "offer", "rad"]
ShortText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=r"^[^\x00]*$"),
    Field(description="No personal data: long numbers and addresses are blotted out"),
]
FreeText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=4000, pattern=r"^[^\x00]*$"),
    Field(description="No personal data: long numbers and addresses are blotted out"),
]
Value = Annotated[Money, Field(gt=0, le=1_000_000_000_000)]
Probability = Annotated[Number, Field(gt=0, lt=1, decimal_places=4)]


class Stage(Schema):
    key: Key
    name: LocalText
    probability: Probability = Field(description="That an opportunity which stands here is won in the end")


class StageListWrite(Schema):
    """`POST /v1/opportunity-stages`: the stages on the way to winning, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "stages": [
                        {"key": "lead", "name": {"zh": "线索", "en": "Lead"}, "probability": "0.1"},
                        {"key": "proposal", "name": {"zh": "方案", "en": "Proposal"}, "probability": "0.5"},
                    ]
                }
            ]
        }
    )
    stages: Annotated[list[Stage], Field(min_length=1, max_length=12)]


class StageList(StageListWrite):
    version: int = Field(description="0: the built-in list, until somebody writes one")
    created_at: Timestamp | None
    created_by: str | None


class OpportunityWrite(Schema):
    """`POST /v1/opportunities`. Of a customer; of a contact that was accepted or met interest, which then
    gives customer, offer and, where it was told, the amount; or of a referral that you accepted.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0192f0c5-0000-7000-8000-000000000001",
                    "name": "Working capital for the new plant",
                    "product": "LOAN-WC",
                    "amount": "2000000.00",
                    "expected_close": "2027-03-31",
                    "next_action": "Bring the proposal",
                    "next_action_on": "2027-01-15",
                }
            ]
        }
    )
    customer_id: UUID | None = None
    contact_id: UUID | None = None
    referral_id: UUID | None = None
    name: ShortText
    offer: Key | None = None
    product: Code | None = Field(None, description="null: the offer's")
    amount: Value | None = Field(None, description="null: what the contact told")
    currency: Currency = "CNY"
    stage: Key | None = Field(None, description="null: the first")
    rad: Rad | None = Field(None, description="null: the customer's own state")
    manager: Code | None = Field(None, description="For branch heads; null: who opens it")
    expected_close: date
    next_action: ShortText | None = None
    next_action_on: date | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if [self.customer_id, self.contact_id, self.referral_id].count(None) != 2:
            raise ValueError("name a customer, a contact or a referral, and one of them only")
        return self


class OpportunityPatch(Schema):
    """Replaces what you name. What an opportunity must have cannot be taken away."""

    name: ShortText | None = None
    offer: Key | None = None
    product: Code | None = None
    amount: Value | None = None
    rad: Rad | None = None
    expected_close: date | None = None
    next_action: ShortText | None = None
    next_action_on: date | None = None


class MoveRequest(Schema):
    stage: Key


class WinRequest(Schema):
    amount: Value


class LoseRequest(Schema):
    reason: LossReason
    note: FreeText = ""


class AssignRequest(Schema):
    manager: Code


class OpportunityView(Schema):
    """`customer_id` is the survivor's, when the customer was merged since."""

    id: UUID
    customer_id: UUID
    org: OrgPath
    manager: Code
    status: OpportunityStatus
    stage: Key = Field(description="Where it stands or, closed, stood last")
    stage_since: Timestamp
    probability: Number = Field(description="Of the stage in the newest list; 1 when won, 0 when lost")
    name: str = Field(description="Empty once the customer is erased")
    offer: Key | None
    product: Code | None
    amount: Money
    weighted: Money = Field(description="Amount × probability, to the cent; nothing when closed")
    currency: Currency
    rad: Rad
    source: OpportunitySource
    contact_id: UUID | None
    referral_id: UUID | None
    expected_close: date
    next_action: str | None
    next_action_on: date | None
    overdue: bool = Field(description="Open, and its next action or its closing should have been by now")
    won_amount: Money | None
    lost_reason: LossCause | None
    lost_note: str | None
    taken_from: Code | None = Field(description="Whose it was before the customer's owners changed")
    opened_at: Timestamp
    opened_by: str
    closed_at: Timestamp | None
    verbs: list[OpportunityVerb] = Field(description="What its state allows; roles decide besides")
    version: int


class StageMove(Schema):
    number: int
    from_stage: Key | None = Field(description="null: it was opened")
    to_stage: Key = Field(description="A stage, `won` or `lost`")
    moved_at: Timestamp
    moved_by: str


class OpportunityDetail(OpportunityView):
    moves: list[StageMove]


class FunnelStage(Schema):
    """`open`, `amount` and `weighted` are of what stands here now. The rest is of the opportunities opened in
    the period: one has reached a stage when it ever stood there or further on, or was won.
    """

    key: Key
    open: int
    amount: Money
    weighted: Money
    reached: int
    advanced: int = Field(description="Of those, how many reached the next stage, or were won from the last")
    lost: int = Field(description="Lost, having come no further")
    conversion: float | None = Field(description="advanced / (advanced + lost); null: nothing is decided")
    median_days: float | None = Field(description="Of stays here that ended; null without one")


class Funnel(Schema):
    group: str | None = Field(description="Organisation, manager, offer or state; null: none, or all")
    open: int
    amount: Money
    weighted: Money
    opened: int = Field(description="In the period; what follows is of these")
    won: int
    won_amount: Money
    lost: int
    win_rate: float | None = Field(description="won / (won + lost); null while nothing is decided")
    median_days_to_win: float | None
    stages: list[FunnelStage]


class FunnelView(Schema):
    currency: Currency
    stages_version: int
    by: FunnelBy
    opened_from: date
    opened_until: date = Field(description="Last day of the period")
    groups: list[Funnel] = Field(description="The most weighted value first")
    left_off: int = Field(description="Groups beyond the limit")


class RadState(Schema):
    """Derived from what the value model measured of the customer, with all files merged into it."""

    customer_id: UUID
    rad: Rad
    months: int = Field(description="Of the twelve full months before this one, those with figures")
    recent: Money | None = Field(description="Mean contribution of the newest three full months")
    before: Money | None = Field(description="Mean contribution of the three before them")
    won: int = Field(description="Opportunities won so far")
