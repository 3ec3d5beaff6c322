"""Key-account plans with their actions, and visits to customers."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from shared.contracts.base import Code, Currency, Key, Money, Number, OrgPath, Schema, Timestamp
from shared.contracts.campaign.opportunities import FreeText, Rad, ShortText, Value

PlanStatus = Literal["draft", "active", "closed"]
PlanVerb = Literal["edit", "activate", "close"]
Measure = Annotated[
    Literal["contribution", "won", "deposits", "loans", "fees"],
    Field(
        description="contribution: what the plan's value model measured in its year; won: opportunities won"
        " in it; the others are not measured here, and say so"
    ),
]
Unmeasured = Literal["not_measured_here", "no_value_model", "no_figures"]
VisitState = Literal["planned", "made", "cancelled"]
Year = Annotated[int, Field(ge=2000, le=2200)]
Team = Annotated[list[Code], Field(max_length=20)]
Participants = Annotated[list[ShortText], Field(max_length=20)]


class Objective(Schema):
    measure: Measure
    target: Value


Objectives = Annotated[list[Objective], Field(max_length=5)]


class ObjectiveView(Objective):
    """`measured` is null where nothing is known, and `unmeasured` says why."""

    measured: Money | None
    unmeasured: Unmeasured | None = None
    attainment: float | None = Field(description="measured / target")
    months: int | None = Field(None, description="Months of the year with figures, of a contribution")


class AccountPlanWrite(Schema):
    """`POST /v1/account-plans`: one a customer and year, a draft at first. Owner: who writes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0192f0c5-0000-7000-8000-000000000001",
                    "year": 2027,
                    "objectives": [{"measure": "contribution", "target": "120000.00"}],
                    "value_model": "standard",
                    "strategy": "Become the main bank for settlement",
                }
            ]
        }
    )
    customer_id: UUID
    year: Year
    rad: Rad | None = Field(None, description="null: the customer's own state")
    owner: Code | None = Field(None, description="For branch heads; null: who writes it")
    team: Team = Field(default_factory=list)
    currency: Currency = "CNY"
    value_model: Key | None = Field(None, description="Measures the contribution")
    objectives: Objectives = Field(default_factory=list)
    situation: FreeText = ""
    strategy: FreeText = ""


class AccountPlanPatch(Schema):
    """Replaces what you name; only the value model can be taken away."""

    rad: Rad | None = None
    owner: Code | None = None
    team: Team | None = None
    currency: Currency | None = None
    value_model: Key | None = None
    objectives: Objectives | None = None
    situation: FreeText | None = None
    strategy: FreeText | None = None


class CloseRequest(Schema):
    conclusion: FreeText


class ActionWrite(Schema):
    name: ShortText
    owner: Code
    due_on: date


class ActionPatch(Schema):
    """Of an action that is not done: replaces what you name."""

    name: ShortText | None = None
    owner: Code | None = None
    due_on: date | None = None


class ActionDone(Schema):
    result: ShortText


class ActionView(Schema):
    id: UUID
    plan_id: UUID
    customer_id: UUID
    name: str
    owner: Code
    due_on: date
    overdue: bool
    done_at: Timestamp | None
    done_by: str | None
    result: str | None
    version: int


class AccountPlanSummary(Schema):
    """`customer_id` is the survivor's, when the customer was merged since."""

    id: UUID
    customer_id: UUID
    year: int
    org: OrgPath
    status: PlanStatus
    rad: Rad
    owner: Code
    team: list[Code]
    actions: int
    done: int
    overdue: int
    version: int


class AccountPlanView(AccountPlanSummary):
    """Objectives are measured now or, once the plan is closed, as they were then."""

    verbs: list[PlanVerb]
    currency: Currency
    value_model: Key | None
    objectives: list[ObjectiveView]
    situation: str
    strategy: str
    conclusion: str | None
    created_at: Timestamp
    created_by: str
    edited_by: str
    activated_at: Timestamp | None
    closed_at: Timestamp | None
    action_list: list[ActionView] = Field(description="In the order in which they are due")


class VisitWrite(Schema):
    """`POST /v1/visits`: planned, by whoever asks."""

    customer_id: UUID
    at: Timestamp
    purpose: ShortText
    for_service: bool = Field(
        False,
        description="Nothing is offered: also for customers who are not to be contacted, or are held out",
    )
    participants: Participants = Field(default_factory=list)
    opportunity_id: UUID | None = None


class VisitPatch(Schema):
    """Of a visit that is planned: replaces what you name."""

    at: Timestamp | None = None
    purpose: ShortText | None = None
    for_service: bool | None = None
    participants: Participants | None = None


class VisitRecord(Schema):
    """`POST /v1/visits/{id}:record`. `at`: when it was; null: as planned."""

    at: Timestamp | None = None
    minutes: Annotated[Number, Field(gt=0, le=1440, decimal_places=2)]
    participants: Participants | None = Field(None, description="null: as planned")
    result: FreeText
    next_step: ShortText | None = None
    next_on: date | None = None


class VisitView(Schema):
    """`customer_id` is the survivor's, when the customer was merged since."""

    id: UUID
    customer_id: UUID
    org: OrgPath
    manager: Code
    state: VisitState
    at: Timestamp
    overdue: bool = Field(description="Planned, and its time has passed")
    for_service: bool
    purpose: str
    participants: list[str]
    opportunity_id: UUID | None
    minutes: Number | None
    result: str | None
    next_step: str | None
    next_on: date | None
    closed_at: Timestamp | None
    closed_by: str | None
    version: int
