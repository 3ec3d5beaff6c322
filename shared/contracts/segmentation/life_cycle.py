"""Life-cycle stages: who is where between first contact and return."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.contracts.base import LocalText, Money, Schema, Share, Timestamp


class Stage(StrEnum):
    """The first that applies, asked in the order prospect, lost, dormant, won_back, onboarding, decline,
    growth, mature.
    """

    prospect = "prospect"
    onboarding = "onboarding"
    growth = "growth"
    mature = "mature"
    decline = "decline"
    dormant = "dormant"
    lost = "lost"
    won_back = "won_back"


class Thresholds(Schema):
    """What separates the stages. Activity is a transaction, a card payment, a login or a visit."""

    onboarding_months: Annotated[
        int, Field(ge=0, le=60, description="Onboarding: a customer for fewer months than that")
    ] = 6
    growth: Annotated[
        float,
        Field(gt=0, le=100, allow_inf_nan=False, description="Growth: assets rose by that share in 90 days"),
    ] = 0.2
    decline: Annotated[
        float,
        Field(gt=0, le=1, allow_inf_nan=False, description="Decline: assets fell by that share in 90 days"),
    ] = 0.3
    decline_activity: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            allow_inf_nan=False,
            description="Decline as well: transactions fell by that share from one 90 days to the next, "
            "where there were at least six",
        ),
    ] = 0.6
    dormant_days: Annotated[int, Field(ge=7, le=3650, description="Dormant: no activity for that long")] = 180
    lost_days: Annotated[
        int,
        Field(
            ge=7,
            le=3650,
            description="Lost: assets and loans below `least_assets` and no activity for that long, or all "
            "accounts closed. Won back: active again in the last 180 days after a pause that long",
        ),
    ] = 365
    least_assets: Annotated[Money, Field(ge=0, description="Less than that counts as nothing")] = Field(
        default=100, validate_default=True
    )


class LifeCycleSchemeView(Schema):
    version: int = Field(description="0: the thresholds as delivered")
    thresholds: Thresholds
    changed_by: str | None
    changed_at: Timestamp | None


class StageCount(Schema):
    stage: Stage
    name: LocalText
    customers: int
    share: Share


class StageCounts(Schema):
    """Stages on one business date, within your organisation."""

    as_of: date
    scheme: int
    customers: int
    stages: list[StageCount]


class StageMove(Schema):
    """`before` is null for who was not known yet, `after` for who is not asked any more."""

    before: Stage | None
    after: Stage | None
    customers: int


class StageTransitions(Schema):
    since: date
    until: date
    scheme: int
    moves: list[StageMove]
