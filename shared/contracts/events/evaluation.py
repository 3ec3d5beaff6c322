"""Events of the evaluation service."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import JsonValue

from shared.contracts.base import Key, LocalText, Number, Schema, Share, Timestamp
from shared.contracts.events.campaign import _CampaignKeyed


class ArmEffect(Schema):
    """Difference of an arm's mean from the hold-out's, per customer, with its interval."""

    arm: Key
    n: int
    n_hold_out: int
    difference: Number
    ci: tuple[Number, Number]
    p_value: float


class CampaignEvaluated(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "evaluation.campaign_evaluated"
    result_id: UUID
    verdict: Literal["ok", "withheld"]
    metric: Key
    effects: list[ArmEffect]
    matured: Share
    evaluated_at: Timestamp


class RecommendationIssued(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "evaluation.recommendation_issued"
    recommendation_id: UUID
    action: Literal["continue", "stop", "re_target", "extend", "test_next"]
    outcome: Literal["act", "test_next", "no_evidence"]
    title: LocalText
    evidence: dict[str, JsonValue]
    issued_at: Timestamp
