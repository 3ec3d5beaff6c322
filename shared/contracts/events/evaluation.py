"""Events of the evaluation service."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import JsonValue

from shared.contracts.base import Key, LocalText, Number, OrgPath, Schema, Share, Timestamp
from shared.contracts.events.campaign import _CampaignKeyed
from shared.contracts.events.envelope import EventData


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
    action: Literal[
        "continue", "stop", "re_target", "re_script", "re_channel", "re_allocate", "extend", "test_next"
    ]
    outcome: Literal["act", "test_next", "no_evidence"]
    title: LocalText
    evidence: dict[str, JsonValue]
    issued_at: Timestamp


class ComparedIndicator(Schema):
    """How many subjects were compared, and in how many groups that can be told apart: one is no order."""

    indicator: Key
    subjects: int
    groups: int


class ScorecardPublished(EventData):
    """A scorecard was frozen. Who is where, readers ask for: it depends on who they are.

    With `supersedes` it holds in the place of the one named, which stays readable.
    """

    SUBJECT: ClassVar[str] = "evaluation.scorecard_published"
    scorecard_id: UUID
    level: Literal["branch", "staff"]
    depth: int | None = None
    period: str
    org: OrgPath
    subjects: int
    indicators: list[ComparedIndicator]
    input_hash: str
    published_at: Timestamp
    published_by: str
    number: int = 1
    supersedes: UUID | None = None
    reason: str | None = None

    def partition_key(self) -> str:
        return str(self.scorecard_id)
