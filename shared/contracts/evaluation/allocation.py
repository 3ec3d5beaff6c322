"""Shares of the arms in a next round, by what is known of them."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, Number, Schema, Share, Timestamp
from shared.contracts.evaluation.effects import Probability


class AllocatedArm(Schema):
    arm: Key
    n: int = Field(description="Customers whose outcome is known")
    mean: Number = Field(
        description="The rate of a proportion; of anything else the outcome less the campaign's mean and"
        " what the covariate foretells"
    )
    share: Share = Field(description="In the next round, of all customers: the propensity it would log")
    share_before: Share
    best: Probability = Field(description="That no arm is better")
    expected_loss: Number = Field(
        description="What giving this arm to everybody is expected to lose, per customer, against the best"
    )


class Allocation(Schema):
    """Top-two Thompson: p = (1 − hold-out)·(f + (1 − k·f)·w) over k arms."""

    campaign_id: UUID
    metric: Key
    data_until: Timestamp
    hold_out: Share = Field(description="As it was: it is no arm")
    floor: Share = Field(description="Share of the treated that every arm keeps")
    arms: list[AllocatedArm]
