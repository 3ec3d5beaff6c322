"""What to do next, on what evidence, and what people decided."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, Money, Note, Number, Schema, Timestamp
from shared.contracts.evaluation.effects import Dimension, Interval, Narrative, Probability


class Action(StrEnum):
    CONTINUE = "continue"
    STOP = "stop"
    RE_TARGET = "re_target"
    EXTEND = "extend"


class Outcome(StrEnum):
    ACT = "act"
    TEST_NEXT = "test_next"
    NO_EVIDENCE = "no_evidence"


class RecommendationState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class TargetCell(Schema):
    dimension: Dimension
    value: str
    n: int
    difference: Number
    ci: Interval
    q_value: Probability


class Evidence(Schema):
    """The numbers a recommendation rests on, and the rule that led to it."""

    rule: str = Field(examples=["effect-positive"])
    metric: Key
    n: int
    n_hold_out: int
    difference: Number | None = None
    ci: Interval | None = None
    p_value: Probability | None = None
    incremental: Number | None = None
    incremental_ci: Interval | None = None
    contact_cost: Money | None = None
    n_needed: int | None = Field(
        None, description="Customers per group to find an effect of the size seen with power 0.8"
    )


class Recommendation(Schema):
    id: UUID
    campaign_id: UUID
    campaign_key: Key
    campaign_name: LocalText
    result_id: UUID
    action: Action
    outcome: Outcome
    title: LocalText
    text: Narrative
    evidence: Evidence
    cells: list[TargetCell] = Field(description="Where to aim next; of a re-target only")
    state: RecommendationState
    issued_at: Timestamp
    decided_at: Timestamp | None = None
    decided_by: str | None = None
    note: str | None = None


class RecommendationDecision(Schema):
    note: Note = ""
