"""What the console's pages draw: funnels, series, boards; and how far the store has followed."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, LocalText, Money, Number, OrgPath, Schema, Share, Timestamp
from shared.contracts.evaluation.effects import Interval, Probability
from shared.contracts.evaluation.recommendations import (
    Action,
    Outcome,
    Recommendation,
    RecommendationState,
    Stop,
)
from shared.contracts.evaluation.results import CampaignRegistration, CampaignResult


class FunnelGroup(Schema):
    assigned: int
    contacted: int = Field(description="With whom a contact was made or attempted")
    reached: int = Field(
        description="Who was spoken to, or has the message: neither no answer nor a wrong number, nor a"
        " message that was only sent, came back, or is lost from sight"
    )
    responded: int = Field(description="Who showed interest, accepted or asked for a call back")
    converted: int = Field(description="With the conversion metric's outcome in the days observed")
    retained: int | None = Field(
        None,
        description="Of those converted, who still hold a product so opened at the close of the day on which"
        " the window of `retained_days` ends: an account of it is neither closed nor, unless a debt, emptied."
        " Null where that is not known",
    )


RetainedDays = Annotated[
    int | None,
    Field(
        description="Days after assignment at which `retained` looks: the longest window registered that"
        " everybody assigned has lived through, and not shorter than conversion's. Null while there is none,"
        " and where no accounts are known of what customers opened"
    ),
]


class Funnel(Schema):
    """How far customers came, beside the hold-out who were left alone."""

    campaign_id: UUID
    as_of: Timestamp
    targeted: int = Field(description="The whole audience once the ledger is closed; before, those assigned")
    suppressed: dict[str, int] = Field(description="Reason → customers; known once the ledger is closed")
    retained_days: RetainedDays = None
    treated: FunnelGroup
    hold_out: FunnelGroup
    arms: dict[str, FunnelGroup]


class BoardEffect(Schema):
    verdict: Literal["ok", "withheld"]
    difference: Number | None = None
    ci: Interval | None = None
    p_value: Probability | None = None
    incremental: Number | None = None
    incremental_ci: Interval | None = None
    matured: Share
    readable: bool = Field(True, description="The registered stop rule allows a conclusion")
    evaluated_at: Timestamp


class BoardRecommendation(Schema):
    id: UUID
    action: Action
    outcome: Outcome
    state: RecommendationState
    title: LocalText
    stopped: Stop | None = Field(None, description="What accepting a stop did")


class BoardProgress(Schema):
    assigned: int
    hold_out: int
    contacted: int
    share: Share = Field(description="Contacted of assigned")
    minutes: Number
    contact_cost: Money | None


class BoardCampaign(Schema):
    campaign_id: UUID
    key: Key
    name: LocalText
    state: Literal["running", "paused", "completed"]
    orgs: list[OrgPath]
    starts_on: date
    ends_on: date
    primary_metric: Key
    metric_name: LocalText
    currency: Currency | None
    target: Money | None
    target_reached: float | None = Field(None, description="Incremental ÷ target")
    progress: BoardProgress
    effect: BoardEffect | None
    recommendation: BoardRecommendation | None


class BoardTotals(Schema):
    running: int
    completed: int
    customers_assigned: int
    customers_contacted: int
    incremental: Money | None = Field(
        None, description="Over results with a verdict whose metric is money in CNY"
    )
    open_recommendations: int


class StrategyBoard(Schema):
    as_of: Timestamp
    totals: BoardTotals
    campaigns: list[BoardCampaign]


class CampaignBoard(Schema):
    """Everything the one-campaign page draws, in one call."""

    campaign: BoardCampaign
    registration: CampaignRegistration
    funnel: Funnel
    result: CampaignResult | None
    recommendation: Recommendation | None


class FeedStatus(Schema):
    feed: str
    stream: str
    watermark: int = Field(description="Last sequence applied to this process's store")
    last_sequence: int
    lag: int


class FeedReport(Schema):
    streams: list[FeedStatus]
