"""What is made of one customer: stage, tiers, warnings, positions and what models say, at a glance."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import LocalText, Schema, Timestamp
from shared.contracts.segmentation.churn_warnings import ChurnWarningView
from shared.contracts.segmentation.ge_matrix import ScoreHistory
from shared.contracts.segmentation.life_cycle import Stage
from shared.contracts.segmentation.models import CustomerScore
from shared.contracts.segmentation.tiers import HeldTier


class StageView(Schema):
    stage: Stage
    name: LocalText


class CustomerInsight(Schema):
    customer_id: UUID = Field(description="The survivor, where the customer was merged into another")
    evaluated_at: Timestamp
    stage: StageView | None = Field(description="Now; null of a customer who is not active")
    tiers: list[HeldTier] = Field(description="One in every scheme that was applied")
    positions: list[ScoreHistory] = Field(description="The present one in every GE matrix")
    warnings: list[ChurnWarningView] = Field(description="Open or taken up, most money at stake first")
    models: list[CustomerScore] = Field(
        description="Of each model's newest run that saw the customer: group, lifetime value, probability"
    )
