"""A campaign's effect day by day, with the band that may be read at any time."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, Number, Schema, Share, Timestamp
from shared.contracts.evaluation.effects import Interval, Probability

MarkerKind = Literal["launch", "wave", "pause", "resume", "complete"]


class SeriesDay(Schema):
    """Outcome per customer from assignment to the end of this day, of those who have lived through it."""

    day: int = Field(description="Days since assignment, from 1")
    on: date = Field(description="The date of this day for those assigned first, where the bank is")
    matured: Share = Field(description="Share of those assigned who have lived through this day")
    immature: bool = Field(
        description="Somebody has not: the figures are of fewer customers than those of earlier days"
    )
    n: int = Field(description="Treated customers who have lived through it")
    n_hold_out: int
    mean: Number | None = None
    mean_hold_out: Number | None = None
    difference: Number | None = None
    ci: Interval | None = Field(None, description="Holds on one day that was chosen beforehand")
    always_valid_ci: Interval | None = Field(
        None, description="Holds on all days together, so that it may be read on any"
    )
    error: str | None = Field(None, description="Why there is no effect for this day")


class SeriesMarker(Schema):
    kind: MarkerKind
    at: Timestamp
    day: float = Field(description="Days since the first assignment; 0 at launch", examples=[7.0])
    wave: int | None = None
    assigned: int | None = Field(None, description="Customers of that wave, treated and held out")


class CampaignSeries(Schema):
    """Differences are by intention to treat. The last day of the window is the registered effect."""

    campaign_id: UUID
    metric: Key
    currency: Currency | None
    window_days: int
    alpha: Probability
    tuned_for: int | None = Field(
        description="Customers at which the always-valid band is narrowest: as registered, or all assigned;"
        " null before anybody is"
    )
    as_of: Timestamp
    verdict: Literal["ok", "withheld"] = Field(
        description="Of the health gate. Where it is withheld the days say who has lived through them, and"
        " nothing of an effect"
    )
    assigned: int
    hold_out: int
    days: list[SeriesDay]
    markers: list[SeriesMarker]
