"""GE matrices for key accounts: factors, weights, scores and the nine cells."""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared.contracts.base import Key, LocalText, Note, OrgPath, Problem, Schema, Share, Timestamp

Finite = Annotated[float, Field(allow_inf_nan=False)]
Score = Annotated[float, Field(ge=1, le=5, allow_inf_nan=False)]
CustomerClass = Annotated[str, Field(pattern="^[ABC]$", examples=["A"])]


class FactorGroup(StrEnum):
    """`attractiveness` of the customer for the bank, `competitiveness` of the bank at the customer."""

    attractiveness = "attractiveness"
    competitiveness = "competitiveness"


class Band(StrEnum):
    low = "low"
    medium = "medium"
    high = "high"


class WeighMethod(StrEnum):
    """`paired`: 1 / 0.5 / 0. `paired_4`: 0 to 4. `ahp`: Saaty's 1/9 to 9. `direct`: given."""

    paired = "paired"
    paired_4 = "paired_4"
    ahp = "ahp"
    direct = "direct"


class FactorBands(Schema):
    """A feature scored by bands: 1 below the first cut-off, 5 from the fourth on."""

    feature: Key
    cutoffs: Annotated[list[Finite], Field(min_length=4, max_length=4)] = Field(
        description="Four ascending cut-offs; a value on a cut-off belongs to the upper band"
    )
    lower_is_better: bool = Field(False, description="Turns the scale round: 5 below the first cut-off")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(low >= high for low, high in pairwise(self.cutoffs)):
            raise ValueError("cut-offs must ascend")
        return self


class Factor(Schema):
    key: Key
    name: LocalText
    bands: FactorBands | None = Field(None, description="Scored from a feature; null is scored by hand")


class WeighedFactor(Factor):
    weight: Share = Field(description="Weights of one group sum to 1")


Factors = Annotated[list[Factor], Field(min_length=2, max_length=15)]


class Play(StrEnum):
    invest = "invest"
    select = "select"
    harvest = "harvest"


class CellStrategy(Schema):
    """What the bank does with the customers of one cell."""

    attractiveness: Band
    competitiveness: Band
    play: Play
    text: LocalText


class Cutoffs(Schema):
    """Low below `low`, high from `high` on."""

    low: Annotated[float, Field(gt=1, lt=5, allow_inf_nan=False)] = 2.33
    high: Annotated[float, Field(gt=1, lt=5, allow_inf_nan=False)] = 3.67

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("`low` must be below `high`")
        return self


class GeMatrixCreate(Schema):
    """Weights are equal until `:weigh`."""

    key: Key
    name: LocalText
    description: Note = ""
    attractiveness: Factors
    competitiveness: Factors
    cutoffs: Cutoffs = Field(default_factory=Cutoffs)
    strategies: Annotated[list[CellStrategy], Field(max_length=9)] = Field(
        default_factory=list, description="Cells that differ from the template of their class"
    )
    value_feature: Key = Field("aum", description="Feature that the bubbles of the picture stand for")


class GeMatrixPatch(Schema):
    """New cut-offs move every scored customer at once; the history says why."""

    name: LocalText | None = None
    description: Note | None = None
    cutoffs: Cutoffs | None = None
    strategies: Annotated[list[CellStrategy], Field(max_length=9)] | None = None
    value_feature: Key | None = None


class Triple(Schema):
    """Three comparisons that contradict each other: `implied` = first:second × second:third."""

    factors: Annotated[list[Key], Field(min_length=3, max_length=3)]
    stated: float = Field(description="First against third, as compared")
    implied: float = Field(description="First against third, as the other two comparisons say")


class Weighing(Schema):
    """How the weights of one group came about."""

    method: WeighMethod
    comparisons: list[list[float]] | None = Field(description="Row against column, in the factors' order")
    weights: dict[str, float]
    eigenvalue: float | None = Field(None, description="AHP: the principal eigenvalue")
    consistency_ratio: float | None = Field(None, description="AHP: below 0.1 is consistent enough")
    worst: Triple | None = Field(None, description="AHP: the comparisons that contradict each other most")


class GeMatrixView(Schema):
    id: UUID
    key: Key
    name: LocalText
    description: Note
    attractiveness: list[WeighedFactor]
    competitiveness: list[WeighedFactor]
    weighing: dict[FactorGroup, Weighing]
    cutoffs: Cutoffs
    strategies: list[CellStrategy]
    value_feature: Key
    scored: int = Field(description="Customers with scores, bank wide")
    revision: int = Field(description="Number of the ETag: grows with every edit")
    created_at: Timestamp
    updated_at: Timestamp


class WeighRequest(Schema):
    """`comparisons`: a square, row against column. `direct` takes `weights` instead.

    paired: 1 the row matters more, 0 less, 0.5 alike, the two of a pair sum to 1. paired_4: likewise 0 to 4,
    sum 4. ahp: the row matters x times as much, 1/9 to 9; the lower half must be the reciprocal within 2 %.
    The diagonal is not read.
    """

    group: FactorGroup
    method: WeighMethod
    comparisons: (
        Annotated[list[Annotated[list[Finite], Field(max_length=15)]], Field(max_length=15)] | None
    ) = None
    weights: dict[Key, Share] | None = None
    dry_run: bool = Field(False, description="Only compute: inconsistent comparisons are shown, not refused")


class CustomerScores(Schema):
    customer_id: UUID
    scores: Annotated[dict[Key, Score], Field(max_length=30)] = Field(
        default_factory=dict, description="By factor; those with bands may be left out"
    )
    note: Note = ""


class ScoreRequest(Schema):
    items: Annotated[list[CustomerScores], Field(min_length=1, max_length=1000)]


class CellPosition(Schema):
    attractiveness_score: float
    competitiveness_score: float
    attractiveness: Band
    competitiveness: Band
    customer_class: CustomerClass


class ScoreResult(Schema):
    """What became of one item; `position` when scored, `problem` when refused."""

    index: int
    customer_id: UUID
    position: CellPosition | None = None
    problem: Problem | None = None


class ScoreResults(Schema):
    """200 when all were scored, 207 otherwise."""

    scored: int
    refused: int
    items: list[ScoreResult]


class ScoreCause(StrEnum):
    """Why a position was stored: new scores, new weights or new cut-offs."""

    scores = "scores"
    weights = "weights"
    cutoffs = "cutoffs"


class PlacedCustomer(Schema):
    customer_id: UUID
    org: OrgPath
    position: CellPosition
    value: float | None = Field(description="The matrix's value feature; null is unknown")


class CellView(Schema):
    attractiveness: Band
    competitiveness: Band
    customer_class: CustomerClass
    strategy: CellStrategy
    count: int = Field(description="Customers within your organisation")
    customers: list[PlacedCustomer] = Field(description="Largest value first, at most `limit`")


class MatrixCells(Schema):
    """Nine cells: attractiveness from high to low, within it competitiveness from high to low."""

    matrix_id: UUID
    customers: int
    classes: dict[str, int]
    cells: list[CellView]


class ScoreHistory(Schema):
    """One position of a customer in a matrix, as it was at the time."""

    matrix_id: UUID
    matrix_key: Key
    at: Timestamp
    by: str
    cause: ScoreCause
    scores: dict[str, float]
    position: CellPosition
    note: Note
    current: bool
