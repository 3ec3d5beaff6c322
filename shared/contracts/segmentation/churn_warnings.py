"""Churn warnings: whom we are about to lose, why, and what was done about it."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Key, LocalText, Money, OrgPath, Schema, Share, Timestamp


class WarningState(StrEnum):
    """lapsed: a later run of the model no longer warned, before anybody had acknowledged it."""

    open = "open"
    acknowledged = "acknowledged"
    closed = "closed"
    lapsed = "lapsed"


class WarningOutcome(StrEnum):
    retained = "retained"
    lost = "lost"
    false_alarm = "false_alarm"
    unreachable = "unreachable"


class Reason(Schema):
    """A feature that speaks for leaving, with the customer's value when the warning was raised."""

    feature: Key
    name: LocalText
    value: Annotated[float | None, Field(description="Null is unknown")]
    unit: str | None
    effect: float = Field(description="What it adds to the log-odds of leaving, against other customers")


class ChurnWarningView(Schema):
    id: UUID
    customer_id: UUID = Field(description="The survivor, where the customer was merged")
    org: OrgPath
    primary_manager: Code | None
    model: Key
    run_id: UUID
    probability: Annotated[Share, Field(description="Of being lost within the model's horizon")]
    assets: Money = Field(description="When the warning was raised")
    at_stake: Money = Field(description="Probability · assets")
    reasons: list[Reason] = Field(description="Strongest first")
    state: WarningState
    outcome: WarningOutcome | None
    runs: int = Field(description="How many runs of the model have warned")
    first_raised_at: Timestamp
    raised_at: Timestamp
    acknowledged_by: str | None
    acknowledged_at: Timestamp | None
    closed_by: str | None
    closed_at: Timestamp | None


class StateCount(Schema):
    state: WarningState
    warnings: int
    at_stake: Money


class WarningSummary(Schema):
    states: list[StateCount] = Field(description="Only states that occur")


class CloseWarning(Schema):
    outcome: WarningOutcome


class RaiseWarnings(Schema):
    """The newest run of a churn model. Done by itself after a run, unless the model needs approval."""

    run_id: UUID


class WinBackView(Schema):
    """A customer in the stage `lost`."""

    customer_id: UUID
    org: OrgPath
    primary_manager: Code | None
    best_assets: Money = Field(description="Highest assets at the end of a day in the last two years")
    best_on: date | None
    assets: Money
    last_activity_on: date | None
