"""Scorecards of branches and managers: adjusted for the customers they were given, shrunk, with rank
intervals. Nobody has a rank who cannot be told from the next.
"""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.base import Code, LocalText, Money, Number, OrgPath, Schema, Share, Timestamp
from shared.contracts.campaign.activity_targets import Attained
from shared.contracts.evaluation.effects import Narrative
from shared.contracts.metrics import Better

ScorecardLevel = Literal["branch", "staff"]
ScorecardState = Literal["draft", "published", "superseded"]
Standing = Literal["above", "below", "not_distinguishable"]
ScorecardPeriod = Annotated[
    str,
    StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2]|Q[1-4])$"),
    Field(description="A month or a quarter, where the bank is", examples=["2026-09", "2026-Q3"]),
]
IndicatorName = Literal[
    "net_inflow",
    "net_inflow_effect",
    "conversion",
    "contacted",
    "reached",
    "responded",
    "referred",
    "opportunity_won",
    "complaints",
]
Correction = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$"),
    Field(description="Why the former did not hold; everybody who reads scorecards reads it: name nobody"),
]
ComparisonGap = Literal["no-data", "too-few-subjects", "too-many-subjects", "no-variance"]
ScoreGap = Literal["too-few", "not-alike", "not-compared"]


class ScorecardWanted(Schema):
    """`POST /v1/scorecards`: which customers, of whom, and who is compared."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"level": "branch", "depth": 2, "period": "2026-09"}]}
    )
    level: ScorecardLevel
    period: ScorecardPeriod = Field(description="Customers assigned in it")
    depth: int = Field(
        2, ge=1, le=7, description="Of branches: steps below head office; what lies deeper counts there"
    )
    org: OrgPath = Field("hq", description="Compared are subjects of this organisation")
    minimum: int = Field(
        30, ge=2, le=100_000, description="Customers from which on a subject is compared with the others"
    )


class ScorecardPublish(Schema):
    """`POST /v1/scorecards:publish`: the draft with this id as it stands, or what is asked for, made now.

    With `supersedes` it takes the place of a published one that does not hold, and says why.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"wanted": {"level": "staff", "period": "2026-Q3"}}]}
    )
    scorecard_id: UUID | None = None
    wanted: ScorecardWanted | None = None
    supersedes: UUID | None = Field(
        None, description="The published one of the same period, level and organisation"
    )
    reason: Correction | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.scorecard_id is None) == (self.wanted is None):
            raise ValueError("name either a draft or what is wanted")
        if (self.supersedes is None) != (self.reason is None):
            raise ValueError("what supersedes another says which and why: `supersedes` and `reason` together")
        return self


class IndicatorView(Schema):
    key: IndicatorName
    name: LocalText
    counted: LocalText = Field(description="Of whom, and what")
    unit: Literal["money", "share"] = Field(description="CNY per customer, or a share of customers")
    role: Literal["outcome", "effect", "activity", "guardrail"]
    better: Better


class Comparison(Schema):
    """All subjects by one indicator. With one group alone nobody can be told from the rest: no order."""

    indicator: IndicatorView
    subjects: int = Field(description="Compared: with customers enough, and alike those of others")
    groups: int = Field(description="That can be told apart; 1 is no order, 0 nothing compared")
    typical: Number | None = Field(description="Mean over the customers of all subjects")
    spread: Number | None = Field(description="By how much subjects differ, as a standard deviation")
    error: ComparisonGap | None = Field(None, description="Why nothing could be compared")


class Score(Schema):
    """One subject by one indicator. `shrunk` is the difference from what was to be expected of these
    customers, drawn towards none by as much as chance explains it; `ci` is its 95 % interval.
    """

    indicator: IndicatorName
    customers: Number = Field(description="A shared customer counts by the branch's share")
    observed: Number
    expected: Number | None = Field(description="Of a typical subject with the same customers")
    difference: Number | None = None
    shrunk: Number | None = None
    ci: tuple[Number, Number] | None = None
    standing: Standing | None = None
    rank_interval: tuple[int, int] | None = Field(None, description="From 1, the best, at 95 %")
    group: int | None = Field(None, description="From 1, the best; null while there is one group alone")
    rank: int | None = Field(None, description="Only of one who can be told from everybody else")
    error: ScoreGap | None = Field(
        None,
        description="Why this subject has no comparison: fewer customers than the minimum, none like those "
        "of the others, or nobody could be compared",
    )


class Volumes(Schema):
    """Counts of a branch in the period, by what they say of themselves: not adjusted, not compared."""

    referrals_made: int
    referrals_received: int
    referrals_won: int = Field(description="That this branch had made or received")
    credit: Money = Field(description="CNY won with referrals: its parts as referrer and as receiver")
    opportunities_won: int
    won_amount: Money = Field(description="CNY")


class SubjectActivity(Schema):
    """What was done in a month beside the target, as the campaign service counted it when the scorecard was
    computed. Said with the rest and frozen with it; nobody is compared by it.
    """

    month: Annotated[str, Field(examples=["2026-09"])]
    org: OrgPath = Field(description="Whose customers were contacted; of a manager, one or several branches")
    activities: list[Attained]


class SubjectCard(Schema):
    subject: Annotated[str, Field(description="Path of a branch, or a staff code")]
    org: OrgPath
    staff: Code | None = None
    customers: Number = Field(description="Given in the period, by shares")
    scores: list[Score]
    volumes: Volumes | None = Field(None, description="Of branches")
    activity: list[SubjectActivity] = Field(
        default_factory=list, description="By month; empty of what was computed before it was kept"
    )


class ScorecardMethod(Schema):
    name: str
    alpha: float
    draws: int
    code_version: str
    input_hash: str = Field(description="Of all figures that are compared; the draws' seed comes of it")


class ScorecardHead(Schema):
    """A scorecard without its subjects."""

    id: UUID
    state: ScorecardState
    level: ScorecardLevel
    depth: int | None = Field(description="Of branches")
    period: ScorecardPeriod
    first_day: date
    last_day: date
    org: OrgPath
    minimum: int
    as_of: Timestamp
    complete: Share = Field(description="Customers of the period whose outcome window has passed")
    shared: int = Field(description="Customers who counted for more than one branch")
    comparisons: list[Comparison]
    method: ScorecardMethod
    reading: Narrative
    number: int | None = Field(
        None,
        description="1 of the first one published, 2 of the one that superseded it; null of a draft",
    )
    supersedes: UUID | None = None
    reason: str | None = Field(None, description="Why the one it supersedes did not hold")
    published_at: Timestamp | None = None
    published_by: str | None = None
    superseded_by: UUID | None = Field(None, description="The one that holds in its place")
    superseded_at: Timestamp | None = None


class RankingBulletin(ScorecardHead):
    """简报: who is where, with intervals; the reader's own organisation and all below it. Frozen once it is
    published; one that was superseded stays as it was, and says by what. Subjects are in the order of their
    names: no order says who is best.
    """

    subjects: list[SubjectCard]
    others: int = Field(description="Subjects of other organisations, which the reader does not see")


class SubjectRecord(Schema):
    """One subject in one period, beside the others as a whole."""

    head: ScorecardHead
    card: SubjectCard


class SubjectHistory(Schema):
    """`GET /v1/scorecards/{subject}`: newest period first, without what was superseded."""

    subject: str
    records: list[SubjectRecord]
