"""Insight notes: a hypothesis about customers, discussed, tested on data, kept as validated or refuted."""

import re
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.contracts.base import Key, LocalText, OrgPath, Schema, Timestamp
from shared.contracts.conditions import SegmentDefinition
from shared.contracts.segmentation.segments import DefinitionView

# What tells one person from another: e-mail, mobile and fixed phone, identity and card numbers. Sums of
# money have fewer digits, or none that look like these.
_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
    r"|(?<!\d)0\d{2,3}[ -]\d{7,8}(?!\d)"
    r"|(?<!\d)\d{17}[\dxX](?!\d)"
    r"|(?<!\d)(?:\d{4}[ -]?){3,4}\d{3,4}(?!\d)"
)


def _impersonal(text: str) -> str:
    if _PERSONAL.search(text):
        raise ValueError("names a person: no phone, identity or card number and no e-mail address, please")
    return text


_Plain = Annotated[str, AfterValidator(_impersonal)]
InsightTitle = Annotated[
    _Plain, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]
InsightText = Annotated[
    _Plain, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=r"^[^\x00]*$")
]
Tag = Annotated[
    _Plain, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]*$")
]
Reference = Annotated[
    _Plain,
    StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x20]+$"),
    Field(examples=["campaign/wealth-spring", "model-run/019b…"]),
]


class InsightState(StrEnum):
    proposed = "proposed"
    discussed = "discussed"
    testing = "testing"
    validated = "validated"
    refuted = "refuted"
    archived = "archived"


class InsightCreate(Schema):
    """Free text speaks of customers in general, never of one."""

    title: InsightTitle
    text: InsightText
    tags: Annotated[list[Tag], Field(max_length=20)] = Field(default_factory=list)
    org: OrgPath | None = Field(None, description="The unit it belongs to; the author's by default")
    segment: Key | None = Field(None, description="The segment it is about")
    feature: Key | None = Field(None, description="The feature it is about")
    group: SegmentDefinition | None = Field(None, description="The customers it is about, as a rule")


class InsightPatch(Schema):
    """Absent = unchanged, null = cleared (links only)."""

    title: InsightTitle | None = None
    text: InsightText | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    segment: Key | None = None
    feature: Key | None = None
    group: SegmentDefinition | None = None


class InsightMove(Schema):
    to: InsightState
    reason: InsightText | None = Field(None, description="Kept as a comment")


class Votes(Schema):
    up: int
    down: int
    mine: Literal[-1, 0, 1] = Field(description="The reader's own; 0 is none")


class InsightView(Schema):
    id: UUID
    title: str
    text: str
    tags: list[str]
    org: OrgPath
    segment: str | None
    feature: str | None
    group: DefinitionView | None
    state: InsightState
    revision: int = Field(description="Number of the ETag: grows with every edit and move")
    next_states: list[InsightState]
    author: str
    votes: Votes
    comments: int
    tests: int
    promoted_segment: UUID | None = Field(description="The segment that came of it")
    created_at: Timestamp
    updated_at: Timestamp


class VoteRequest(Schema):
    value: Literal[-1, 0, 1] = Field(description="For, against, or taken back; the last one counts")


class CommentKind(StrEnum):
    """`evidence` points to something elsewhere that speaks for or against it."""

    comment = "comment"
    evidence = "evidence"


class CommentCreate(Schema):
    text: InsightText
    kind: CommentKind = CommentKind.comment
    reference: Reference | None = Field(None, description="What the evidence is; required for evidence")

    @model_validator(mode="after")
    def evidence_points_somewhere(self) -> "CommentCreate":
        if (self.kind is CommentKind.evidence) != (self.reference is not None):
            raise ValueError("a reference belongs to evidence, and evidence needs one")
        return self


class CommentView(Schema):
    id: UUID
    kind: CommentKind
    text: str
    reference: str | None
    author: str
    created_at: Timestamp


Direction = Literal["higher", "lower"]


class TestRequest(Schema):
    """The claim: the group's mean of `metric` is higher (lower) than the comparison's by more than
    `minimal_difference`, in units of the metric; of a yes-or-no feature the mean is the share of yes.
    """

    __test__ = False  # not a test class for pytest

    group: SegmentDefinition | None = Field(None, description="The insight's own group by default")
    metric: Key = Field(description="A numeric or yes-or-no feature", examples=["aum"])
    direction: Direction
    minimal_difference: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] = 0.0
    against: SegmentDefinition | None = Field(
        None, description="Everybody else by default; customers of the group never count here"
    )


class ArmView(Schema):
    customers: int
    n: int = Field(description="Of these the metric is known")
    mean: float | None
    deviation: float | None = Field(description="Sample standard deviation")


class Verdict(StrEnum):
    supported = "supported"
    contradicted = "contradicted"
    inconclusive = "inconclusive"


class InsightTestView(Schema):
    """What the data of one moment say about a claim."""

    id: UUID
    number: int
    group: DefinitionView
    against: DefinitionView | None = Field(description="Null: everybody else")
    metric: Key
    metric_name: LocalText
    unit: str | None
    direction: Direction
    minimal_difference: float
    org: OrgPath = Field(description="Customers of this unit and below were looked at")
    in_group: ArmView
    compared: ArmView
    difference: float | None = Field(description="Group minus comparison")
    low: float | None = Field(description="95 % interval of the difference (Welch)")
    high: float | None
    effect_size: float | None = Field(description="Hedges' g: pooled standard deviations")
    p_value: float | None = Field(description="One-sided, of the claim with its minimal difference")
    p_adjusted: float | None = Field(
        description="Benjamini–Hochberg over all tests of this insight so far; it may change with the next"
    )
    verdict: Verdict = Field(
        description="supported: p_adjusted ≤ 0.05. contradicted: the whole interval falls short of the "
        "minimal difference. Otherwise inconclusive"
    )
    reason: str | None = Field(description="Why nothing can be judged")
    caveat: LocalText
    evaluated_at: Timestamp
    stream_position: int
    created_by: str


class InsightDetail(InsightView):
    results: list[InsightTestView] = Field(description="Newest first")


class PromoteRequest(Schema):
    """The newest supported test's group becomes a draft segment."""

    key: Key
    name: LocalText
