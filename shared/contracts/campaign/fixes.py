"""A campaign's content: the five fixes, its audience and its budget."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from shared.contracts.base import (
    Code,
    Currency,
    Key,
    LocalText,
    Money,
    Name,
    OrgPath,
    Schema,
)
from shared.contracts.campaign.journeys import Journey
from shared.contracts.campaign.triggers import Trigger
from shared.contracts.campaign.vocabulary import (
    MaterialRef,
    ScriptRef,
)
from shared.contracts.drawing import DrawnUnit
from shared.contracts.stopping import FixedStop, Margins, StopRule


class Objective(Schema):
    """First fix: what shall change, by how much, without harming what."""

    primary_metric: Key
    target: Money | None = None
    guardrails: Annotated[list[Key], Field(max_length=20)] = Field(default_factory=list)
    key_tiers: Annotated[list[Key], Field(max_length=20)] = Field(default_factory=list)
    window_days: Annotated[int, Field(ge=1, le=365, description="Outcome window after assignment")] = 30
    # Left out when there is none: what was approved before they could be set keeps its hash.
    stop: StopRule = Field(default_factory=FixedStop, exclude_if=lambda stop: stop.kind == "fixed")
    margins: Margins = Field(default_factory=dict, exclude_if=lambda margins: not margins)


class Scenario(Schema):
    kind: Literal["life_cycle", "product", "event", "calendar"]
    detail: dict[str, JsonValue] = Field(default_factory=dict)


class Arm(Schema):
    key: Key
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    offer: Key
    channel: Key = Field(description="`manager_task` is available", examples=["manager_task"])
    script: ScriptRef
    materials: Annotated[list[MaterialRef], Field(max_length=10)] = Field(
        default_factory=list,
        exclude_if=lambda refs: not refs,
        description="What goes with the contact, each at a version",
    )
    journey: Journey | None = Field(
        None, exclude_if=lambda journey: journey is None, description="What follows the contact"
    )


class Scheme(Schema):
    """Second fix: arms, shares and hold-out. The shares of all arms and the hold-out add up to 1."""

    scenario: Scenario
    arms: Annotated[list[Arm], Field(min_length=1, max_length=8)]
    hold_out: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
    unit: DrawnUnit = Field(
        "customer",
        exclude_if=lambda unit: unit == "customer",
        description="What is drawn by lot. Of a manager or a branch all customers get the same arm, or all"
        " are held out: for what is done with the manager, not with the customer",
    )
    contact_policy: Key = "default"
    exit_segments: Annotated[list[Key], Field(max_length=20)] = Field(
        default_factory=list,
        exclude_if=lambda keys: not keys,
        description="Whoever is in one of them needs no contact any more: none begins, and journeys end",
    )


class People(Schema):
    """Third fix: who owns it, who makes the contacts, in which organisations."""

    owner: Code
    assign: Literal["primary_manager"] = "primary_manager"
    use_backup: bool = True
    orgs: Annotated[list[OrgPath], Field(min_length=1, max_length=200)]


class Schedule(Schema):
    """Fourth fix. Waves split the audience by hash; wave k is released (k-1) gaps after the first."""

    start: date
    end: date
    waves: Annotated[int, Field(ge=1, le=52)] = 1
    wave_gap_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 90)] = 0
    late_start: Literal["expire"] = Field(
        "expire", description="A campaign whose window has passed expires instead of starting"
    )


class Measure(Schema):
    org: OrgPath
    target: Money


class Responsibility(Schema):
    """Fifth fix: who answers for the result, and each branch's share of it."""

    accountable: Code
    measures: Annotated[list[Measure], Field(max_length=1000)] = Field(default_factory=list)
    # Left out when there is none: what was approved before it could be set keeps its hash.
    escalate_after_days: Annotated[int, Field(ge=0, le=365)] | None = Field(
        None,
        exclude_if=lambda days: days is None,
        description="Open tasks that are overdue for more days than this are escalated to the branch head",
    )


class Audience(Schema):
    include: Annotated[list[Key], Field(min_length=1, max_length=50)]
    exclude: Annotated[list[Key], Field(max_length=50)] = Field(default_factory=list)
    limit: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="At most so many, chosen by salted hash; with a trigger, the first"
    )
    # Left out when there is none: what was approved before there were triggers keeps its hash.
    trigger: Trigger | None = Field(None, exclude_if=lambda trigger: trigger is None)


class Budget(Schema):
    amount: Annotated[Money, Field(ge=0)]
    currency: Currency = "CNY"


class CampaignParts(Schema):
    """What is written of a campaign. A draft may lack fixes; `:submit` names every one that is missing."""

    name: LocalText
    recommendation_id: UUID | None = Field(
        None,
        exclude_if=lambda key: key is None,
        description="The recommendation of an evaluation that this campaign follows; never changes",
    )
    strategy: Key | None = Field(
        None,
        exclude_if=lambda key: key is None,
        description="Key of the strategy this campaign carries out",
    )
    strategy_id: UUID | None = Field(
        None, description="The same strategy by its id; either names it, and the other follows"
    )
    objective: Objective | None = None
    scheme: Scheme | None = None
    people: People | None = None
    schedule: Schedule | None = None
    responsibility: Responsibility | None = None
    audience: Audience | None = None
    budget: Budget | None = None


class ContactChoice(Schema):
    """An optimisation's choice of whom a campaign contacts. Nobody else is contacted by it: neither whom the
    run left out, nor who came into the audience later.
    """

    optimisation_id: UUID
    name: Name
    contacts: int = Field(description="Chosen; arms and hold-out are drawn among them")
    content_hash: str = Field(description="SHA-256 of the campaign's content as the run weighed it")


class CampaignContent(CampaignParts):
    """All that approval covers."""

    optimisation: ContactChoice | None = Field(
        None,
        exclude_if=lambda choice: choice is None,
        description="Set by `POST /v1/optimisations/{id}:apply`; void once another part changes",
    )


class CampaignWrite(CampaignParts):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "2026q4-wealth-50plus",
                    "name": {"zh": "四季度财富客户", "en": "Wealth clients, fourth quarter"},
                    "objective": {"primary_metric": "net_inflow_30d", "target": "50000000.00"},
                    "scheme": {
                        "scenario": {"kind": "life_cycle", "detail": {}},
                        "arms": [
                            {
                                "key": "call",
                                "share": 0.9,
                                "offer": "wealth-steady-r2",
                                "channel": "manager_task",
                                "script": "wealth-50plus@3",
                            }
                        ],
                        "hold_out": 0.1,
                    },
                    "people": {"owner": "S0012", "orgs": ["hq.sh"]},
                    "schedule": {"start": "2026-12-01", "end": "2026-12-31"},
                    "responsibility": {"accountable": "S0001"},
                    "audience": {"include": ["affluent-50plus-active"], "exclude": ["open-complaint"]},
                    "budget": {"amount": "120000.00", "currency": "CNY"},
                }
            ]
        }
    )
    key: Key


class CampaignPatch(Schema):
    """Replaces the named parts whole; `null` empties a fix. Any edit voids review and approval, and the
    choice of an optimisation, which has to be made again.
    """

    name: LocalText | None = None
    strategy: Key | None = None
    strategy_id: UUID | None = None
    objective: Objective | None = None
    scheme: Scheme | None = None
    people: People | None = None
    schedule: Schedule | None = None
    responsibility: Responsibility | None = None
    audience: Audience | None = None
    budget: Budget | None = None
