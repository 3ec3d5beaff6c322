"""What to do next, on what evidence, and what people decided."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, Money, Note, Number, Schema, Share, Timestamp
from shared.contracts.evaluation.effects import Dimension, Interval, Narrative, Probability


class Action(StrEnum):
    CONTINUE = "continue"
    STOP = "stop"
    RE_TARGET = "re_target"
    RE_SCRIPT = "re_script"
    RE_CHANNEL = "re_channel"
    RE_ALLOCATE = "re_allocate"
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


class FollowUp(StrEnum):
    """What accepting does, in the name of whoever accepts and by what he may do there himself."""

    DRAFT_CAMPAIGN = "draft_campaign"
    """The same campaign is drafted once more from tomorrow, with the one change advised; none to continue."""
    DRAFT_SEGMENT = "draft_segment"
    """Besides, whom to aim at is drafted as a segment, which somebody has to publish."""
    STOP_CAMPAIGN = "stop_campaign"
    """A campaign that runs is paused, which can be taken back; of one that is over nothing is repeated."""
    NONE = "none"
    """The decision is recorded."""


class Stop(StrEnum):
    PAUSED = "paused"
    NOT_REPEATED = "not_repeated"


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


class ArmRecord(Schema):
    """What is known of an arm, over all of its customers whose outcome window has passed."""

    arm: Key
    n: int
    mean: Number = Field(
        description="Of the outcome, less the campaign's mean and what the covariate foretells"
    )
    deviation: float = Field(description="Standard deviation of the same")


class PolicyValue(Schema):
    """A policy that was looked at: learned on some of the customers, valued on the others."""

    action: Action
    outcome: Outcome
    followed: bool = Field(False, description="The one that the recommendation follows")
    dimension: Dimension | None = Field(None, description="What a re-target chooses by")
    cells: list[str] = Field(default_factory=list, description="Whom a re-target goes on with")
    scheme: Key | None = Field(None, description="The scheme whose tiers `cells` are")
    shares: dict[Key, Share] = Field(
        default_factory=dict, description="Of the arms in the next round; the hold-out stays as it was"
    )
    arms: list[ArmRecord] = Field(default_factory=list, description="What shares were allocated by")
    n: int = Field(description="Customers it was valued on")
    gain: Number = Field(
        description="Over doing the same again, per customer; doubly robust, on held-out folds"
    )
    ci: Interval = Field(description="Of the gain, corrected for the number of policies looked at")
    p_value: Probability = Field(description="Corrected likewise")
    gain_ipw: Number = Field(description="The same by inverse propensities alone, as a check")
    lift: Number | None = Field(None, description="Over leaving alone, per customer treated")
    lift_ci: Interval | None = None
    n_needed: int | None = Field(
        None, description="Customers of a next round that would find a gain of this size with power 0.8"
    )


class Prediction(Schema):
    """What the next round is expected to show: difference from its hold-out per customer treated."""

    metric: Key
    value: Number
    ci: Interval
    alpha: Probability = Field(description="The interval is at level 1 − alpha")


class CreatedDraft(Schema):
    """What accepting made, in the name of whoever accepted."""

    campaign_id: UUID
    campaign_key: Key


class CreatedSegment(Schema):
    """Whom the next campaign aims at: a draft, until somebody publishes it."""

    segment_id: UUID
    segment_key: Key


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
    policies: list[PolicyValue] = Field(
        default_factory=list,
        description="Every policy that was looked at, with what it would have been worth",
    )
    prediction: Prediction | None = Field(
        None, description="Null where nothing can be expected of the next round without flattery"
    )
    follow_up: FollowUp = Field(
        FollowUp.NONE,
        description="What accepting does. `draft_campaign`: drafts the same campaign once more from tomorrow,"
        " with the one change advised (to continue: with none). `draft_segment`: besides, drafts whom to aim"
        " at as a segment. `stop_campaign`: pauses a campaign that runs, so that it can be resumed; of one"
        " that is over, keeps that it is not to be repeated. `none`: keeps the decision",
    )
    state: RecommendationState
    issued_at: Timestamp
    decided_at: Timestamp | None = None
    decided_by: str | None = None
    note: str | None = None
    created: CreatedDraft | None = Field(None, description="The campaign that accepting drafted")
    created_segment: CreatedSegment | None = Field(
        None,
        description="The segment that accepting drafted. While the recommendation is open: the campaign could"
        " not be drafted yet, and accepting again goes on from there",
    )
    stopped: Stop | None = Field(None, description="What accepting a stop did")


class RecommendationDecision(Schema):
    note: Note = ""


class TrackedRecommendation(Schema):
    """An accepted recommendation whose follow-up has been evaluated: what was expected, what came."""

    recommendation_id: UUID
    campaign_key: Key
    action: Action
    outcome: Outcome
    decided_at: Timestamp
    follow_up_id: UUID
    follow_up_key: Key
    metric: Key
    predicted: Number
    predicted_ci: Interval
    realised: Number
    realised_ci: Interval
    inside: bool = Field(
        description="They differ by no more than chance: the 95 % interval of realised − predicted holds 0"
    )
    ratio: float | None = Field(description="Realised ÷ predicted; null where nothing was predicted")


class StoppedCampaign(Schema):
    """An accepted stop."""

    recommendation_id: UUID
    campaign_id: UUID
    campaign_key: Key
    campaign_name: LocalText
    title: LocalText
    stopped: Stop | None = Field(description="Null where the decision is older than what is kept of it")
    decided_at: Timestamp
    decided_by: str
    note: str | None = None


class Calibration(Schema):
    """How far predictions were right; of none, nothing is said."""

    action: Action | None = Field(description="null: of all")
    n: int
    inside: Share | None = Field(description="Share with `inside`; 0.95 is as it should be")
    mean_ratio: float | None = Field(description="Mean of realised ÷ predicted; 1 is as it should be")


class TrackRecord(Schema):
    """Newest decision first."""

    items: list[TrackedRecommendation]
    overall: Calibration
    by_action: list[Calibration]
    stopped: list[StoppedCampaign] = Field(description="Campaigns that were stopped on advice")
    waiting: int = Field(description="Accepted, with a follow-up that is not evaluated yet")
    not_launched: int = Field(
        description="Of those waiting: drafts that nobody has launched, in preparation or given up"
    )
    not_comparable: int = Field(
        description="Evaluated, and not counted: another primary metric, a verdict withheld, or no prediction"
    )
