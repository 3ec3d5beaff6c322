"""Strategies: what campaigns are made for, by which means, within which money and time."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

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
from shared.contracts.campaign.fixes import Budget, Objective
from shared.contracts.campaign.vocabulary import CampaignStatus, LongText, MaterialRef, ScriptRef
from shared.contracts.metrics import EventType
from shared.contracts.segmentation.life_cycle import Stage

StrategyState = Literal["draft", "active", "closed"]
StrategyVerb = Literal["edit", "activate", "close"]
StrategyPart = Literal["objective", "stp", "four_p", "four_c", "four_r", "means", "budget"]

Statement = LongText | None


class StrategyObjective(Objective):
    """What shall change, by how much and in which period; a campaign's objective is a part of it."""

    statement: LongText
    target: Money
    start: date
    end: date


class Stp(Schema):
    """Whom the market is made of, whom of them we want, and as what they shall see us."""

    segmentation: Statement = None
    targeting: Statement = None
    positioning: Statement = None


class FourP(Schema):
    """The means as we see them."""

    product: Statement = None
    price: Statement = None
    place: Statement = None
    promotion: Statement = None


class FourC(Schema):
    """The same as the customer sees it."""

    customer: Statement = None
    cost: Statement = None
    convenience: Statement = None
    communication: Statement = None


class FourR(Schema):
    """What keeps the relation going."""

    relevance: Statement = None
    reaction: Statement = None
    relationship: Statement = None
    reward: Statement = None


class LifeCycleScenario(Schema):
    """Customers are met where they stand in their life cycle."""

    kind: Literal["life_cycle"]
    stages: Annotated[list[Stage], Field(min_length=1, max_length=8)]


class ProductScenario(Schema):
    """Products are brought to the customers who need them."""

    kind: Literal["product"]
    products: Annotated[list[Code], Field(min_length=1, max_length=50)]


class RealTimeScenario(Schema):
    """Customers are met when something happens to them."""

    kind: Literal["real_time_event"]
    event_types: Annotated[list[EventType], Field(min_length=1, max_length=20)]
    within_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30, description="How soon they are met")]


StrategyScenario = Annotated[
    LifeCycleScenario | ProductScenario | RealTimeScenario, Field(discriminator="kind")
]


class StrategyContent(Schema):
    """What a version of a strategy says. A draft may lack parts; `missing` says what `:activate` asks for.

    Segments, offers, scripts and materials exist when it is written.
    """

    name: LocalText
    org: OrgPath = Field(description="Answers for it; its campaigns stay within")
    objective: StrategyObjective | None = None
    segments: Annotated[list[Key], Field(max_length=50)] = Field(default_factory=list)
    scenario: StrategyScenario | None = None
    stp: Stp = Field(default_factory=Stp)
    four_p: FourP = Field(default_factory=FourP)
    four_c: FourC = Field(default_factory=FourC)
    four_r: FourR = Field(default_factory=FourR)
    channels: Annotated[list[Key], Field(max_length=20)] = Field(default_factory=list)
    offers: Annotated[list[Key], Field(max_length=50)] = Field(default_factory=list)
    scripts: Annotated[list[ScriptRef], Field(max_length=50)] = Field(default_factory=list)
    materials: Annotated[list[MaterialRef], Field(max_length=50)] = Field(default_factory=list)
    budget: Budget | None = Field(None, description="Bounds what its campaigns may spend together")


class StrategyWrite(StrategyContent):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "2026q4-wealth",
                    "name": {"zh": "四季度财富策略", "en": "Wealth in the fourth quarter"},
                    "org": "hq",
                    "objective": {
                        "statement": "Bring back deposits that left for money market funds",
                        "primary_metric": "net_inflow_30d",
                        "target": "50000000.00",
                        "start": "2026-10-01",
                        "end": "2026-12-31",
                        "key_tiers": ["gold", "platinum"],
                    },
                    "scenario": {"kind": "life_cycle", "stages": ["mature", "decline"]},
                    "stp": {
                        "segmentation": "By assets and age",
                        "targeting": "Over fifty with half a million or more",
                        "positioning": "The bank that plans your retirement with you",
                    },
                    "four_c": {
                        "customer": "Safety before yield",
                        "cost": "No entry fee",
                        "convenience": "At the branch or by telephone",
                        "communication": "Their own manager calls",
                    },
                    "budget": {"amount": "1200000.00", "currency": "CNY"},
                }
            ]
        }
    )
    key: Key


class StrategyPatch(Schema):
    """Replaces the named parts whole; `null` empties a part."""

    name: LocalText | None = None
    org: OrgPath | None = None
    objective: StrategyObjective | None = None
    segments: Annotated[list[Key], Field(max_length=50)] | None = None
    scenario: StrategyScenario | None = None
    stp: Stp | None = None
    four_p: FourP | None = None
    four_c: FourC | None = None
    four_r: FourR | None = None
    channels: Annotated[list[Key], Field(max_length=20)] | None = None
    offers: Annotated[list[Key], Field(max_length=50)] | None = None
    scripts: Annotated[list[ScriptRef], Field(max_length=50)] | None = None
    materials: Annotated[list[MaterialRef], Field(max_length=50)] | None = None
    budget: Budget | None = None


class PartFilled(Schema):
    """How far one part of a strategy is written."""

    part: StrategyPart
    filled: int
    of: int
    open: list[str] = Field(description="Pointers of what is not written yet")


class StrategySummary(Schema):
    id: UUID
    key: Key
    name: LocalText
    org: OrgPath
    state: StrategyState
    version: int
    primary_metric: Key | None
    start: date | None
    end: date | None
    budget: Budget | None
    completeness: Share = Field(description="Of everything a strategy may say")
    changed_at: Timestamp


class StrategyView(StrategyContent):
    id: UUID
    key: Key
    state: StrategyState
    version: int = Field(description="Grows with every edit of an active strategy; the newest holds")
    revision: int = Field(description="Grows with every change, of state too: the number in the ETag")
    parts: list[PartFilled]
    completeness: Share
    missing: list[str] = Field(description="Pointers of what `:activate` still asks for")
    verbs: list[StrategyVerb] = Field(description="What the state allows now")
    created_at: Timestamp
    created_by: str
    changed_at: Timestamp
    changed_by: str
    activated_at: Timestamp | None = None
    activated_by: str | None = None
    closed_at: Timestamp | None = None
    closed_by: str | None = None
    closed_because: str | None = None


class StrategyVersionView(StrategyContent):
    """What a strategy said from `written_at` on; it never changes."""

    key: Key
    version: int
    written_at: Timestamp
    written_by: str


class StrategyMoney(Schema):
    """A strategy's budget and what its campaigns take of it, whoever may see them."""

    amount: Money
    currency: Currency
    committed: Money = Field(
        description="Budgets of campaigns from review to pause, and what ended ones have spent"
    )
    left: Money


class StrategyProgress(Schema):
    """Where a strategy stands. Contacts and money spent are those of the caller's organisations."""

    key: Key
    budget: StrategyMoney | None
    campaigns: int = Field(description="That you may see, in whatever state")
    spent: Money
    assigned: int
    open: int
    done: int
    accepted: int
    minutes: Number
    outcome_amount: Money


class StrategyCampaign(Schema):
    """One campaign of a strategy with its part of the ledger."""

    id: UUID
    key: Key
    name: LocalText
    status: CampaignStatus
    strategy_version: int | None = Field(description="As it was submitted with; null before")
    start: date | None
    end: date | None
    budget: Budget | None
    spent: Money
    assigned: int
    open: int
    done: int
    accepted: int
    outcome_amount: Money
