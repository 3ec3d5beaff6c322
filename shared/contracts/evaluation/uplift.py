"""Who responds to being contacted, by a model judged on customers it has not seen."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, LocalText, Number, Schema, Share, Timestamp
from shared.contracts.evaluation.effects import Interval, Probability


class UpliftEstimate(Schema):
    value: Number
    ci: Interval
    p_value: Probability


class UpliftPoint(Schema):
    share: Share = Field(description="Of the customers, those with the highest expected effect first")
    value: Number = Field(description="Effect per customer of everybody when just these are contacted")
    ci: Interval | None = Field(None, description="Of this point by itself; null of models fitted earlier")


class UpliftGroup(Schema):
    """A tenth of the customers by expected effect, the highest first."""

    n: int
    expected: Number = Field(description="Mean effect the model expects of them")
    effect: UpliftEstimate = Field(description="What it was, by doubly robust scores")


class ResponseModel(Schema):
    """A T-learner of the primary metric's effect: two gradient-boosted models, of the treated and of the
    hold-out, cross-fitted over five folds. Judged by doubly robust scores, whose mean over any group chosen
    by score is that group's effect, whether or not the models are right.
    """

    id: UUID
    campaign_id: UUID
    metric: Key
    currency: Currency | None
    fitted_at: Timestamp
    data_until: Timestamp
    n: int
    n_hold_out: int
    features: list[str]
    verdict: Literal["differs", "no_evidence"] = Field(
        description="`differs` when the interval of the Qini coefficient lies on the good side of zero"
    )
    curve: list[UpliftPoint]
    auuc: Number = Field(description="Area under the curve over shares from 0 to 1")
    qini: UpliftEstimate = Field(
        description="AUUC less half of the curve's end: the area between the curve and that of contacting as"
        " many by lot"
    )
    groups: list[UpliftGroup]
    share: Share = Field(description="Of whom an effect in the wanted direction is expected")
    everybody: UpliftEstimate = Field(description="Per customer, when all are contacted")
    chosen: UpliftEstimate = Field(description="Per customer of everybody, when only those are contacted")
    gain: UpliftEstimate = Field(description="What choosing adds to contacting all; more is better")
    over_lot: UpliftEstimate | None = Field(
        None,
        description="What choosing adds to contacting as many by lot; more is better. Null of models fitted"
        " earlier",
    )
    reading: LocalText
    code_version: str
    seed: int
