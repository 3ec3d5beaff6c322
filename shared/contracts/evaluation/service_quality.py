"""Service quality: what is asked of those served, what came of it, and each branch's index with its reasons.

Figures are JSON numbers: they are statistics, not amounts that are booked. `null` means "not computed".
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Key, LocalText, OrgPath, Schema, Timestamp
from shared.contracts.metrics import Better

Figure = Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[tuple[Figure, Figure], Field(description="Lower and upper end of the 95 % interval")]
Period = Annotated[
    str,
    StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$"),
    Field(description="Month", examples=["2026-11"]),
]
DimensionName = Literal["timeliness", "standardisation", "tangibility", "reliability"]
Standing = Literal["above", "below", "as_bank"]
_RESERVED = frozenset({"branch", "business", "date"})


class Indicator(Schema):
    """One column of answers or of measured records, e.g. minutes waited."""

    key: Key = Field(description="The column's name in uploads", examples=["wait_minutes"])
    name: LocalText
    low: Figure = Field(description="Least value there can be", examples=[0])
    high: Figure = Field(description="Greatest value there can be", examples=[240])
    better: Better = Field(Better.HIGHER, examples=["lower"])

    @model_validator(mode="after")
    def _scale(self) -> "Indicator":
        if self.low >= self.high:
            raise ValueError("`low` must be less than `high`")
        if self.key in _RESERVED:
            raise ValueError("`branch`, `business` and `date` are columns of their own")
        return self


class QualityDimension(Schema):
    dimension: DimensionName
    indicators: list[Indicator] = Field(min_length=1, max_length=10)
    mode: Literal["reflective", "formative"] = Field(
        "reflective",
        description="reflective: the indicators show one thing and rise and fall together, and its "
        "reliability is judged by that; formative: they make it up, each its own part",
    )


class QualityBusiness(Schema):
    key: Key = Field(description="As the column `business` of uploads says it", examples=["counter"])
    name: LocalText
    dimensions: list[QualityDimension] = Field(min_length=1, max_length=4)
    outcomes: list[Indicator] = Field(
        default_factory=list,
        max_length=10,
        description="What judges this business as a whole, e.g. satisfaction with it: the paths of its "
        "dimensions lead there. Without any, the business is the sum of its dimensions' indicators",
    )

    def indicators(self) -> list[Indicator]:
        """All of its own, in the order of observations."""
        return [one for part in self.dimensions for one in part.indicators] + self.outcomes


class QualityModelCreate(Schema):
    """Businesses, the dimensions of their service, and the indicators these are observed by."""

    key: Key = Field(examples=["branch-service"])
    name: LocalText
    businesses: list[QualityBusiness] = Field(min_length=1, max_length=10)
    overall: list[Indicator] = Field(
        default_factory=list,
        max_length=5,
        description="What judges the bank as a whole and is asked with every business, e.g. would you "
        "recommend us. Without any, the bank is the sum of its businesses",
    )
    scheme: Literal["centroid", "path"] = Field("path", description="Inner weighting of the path model")

    @model_validator(mode="after")
    def _once(self) -> "QualityModelCreate":
        _distinct([business.key for business in self.businesses], "business")
        for business in self.businesses:
            _distinct([part.dimension for part in business.dimensions], "dimension")
            _distinct([one.key for one in [*business.indicators(), *self.overall]], "indicator")
        return self


def _distinct(keys: list[str], what: str) -> None:
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"each {what} once: {', '.join(twice)}")


class QualityModel(QualityModelCreate):
    version: int
    created_at: Timestamp
    run_id: UUID | None = Field(description="The newest run of any version")


class RowError(Schema):
    """One value that cannot be taken. Lines count records; the header is line 1."""

    line: int
    column: str | None = Field(description="Null when the whole line is wrong")
    detail: str


class ObservationsTaken(Schema):
    """What an upload put in the place of the month's observations."""

    model: Key
    version: int
    period: Period
    rows: int = Field(description="Observations taken")
    branches: int
    refused: int = Field(description="Lines left out; only with `skip_invalid`")
    errors: list[RowError] = Field(description="Of the first 100 values that cannot be taken")
    ignored_columns: list[str] = Field(description="Columns that the model does not know")


class ObservedPeriod(Schema):
    period: Period
    rows: dict[str, int] = Field(description="Observations by business, of the reader's branches")
    branches: int
    version: int = Field(description="Version of the model they were checked by")


class ObservedPeriods(Schema):
    items: list[ObservedPeriod]


class QualityRunRequest(Schema):
    periods: list[Period] | None = Field(
        None, min_length=1, max_length=36, description="Months to estimate on; all there are when left out"
    )
    replicates: int = Field(500, ge=100, le=2000, description="Samples drawn for the intervals")
    seed: int = Field(0, ge=0, lt=2**31)


class PathWeight(Schema):
    """What a dimension counts for in its business, or a business in the bank."""

    name: str
    path: Figure = Field(description="Standardised path coefficient")
    path_ci: Range
    weight: Figure = Field(description="Its share of the paths above zero; they sum to 1")
    weight_ci: Range
    clipped: bool = Field(description="The path is below zero: it counts nothing, the rest was brought to 1")


class MeasuredConstruct(Schema):
    """How well a dimension, or the business as a whole, is measured."""

    name: str
    weights: dict[str, Figure] = Field(description="Of the standardised indicators")
    loadings: dict[str, Figure] = Field(description="Correlation with each indicator")
    alpha: Figure | None = Field(description="Cronbach; null for one indicator and for formative ones")
    composite: Figure | None = Field(description="Composite reliability (Dillon–Goldstein)")
    ave: Figure | None = Field(description="Average variance extracted")
    reliable: bool | None = Field(description="Both alpha and composite reach 0.7")
    distinct: bool | None = Field(description="Told apart from the other dimensions (Fornell–Larcker)")
    htmt: dict[str, Figure] = Field(description="Heterotrait-monotrait ratio with the others; .9 is too much")


class FactorModelFit(Schema):
    """Confirmatory factor analysis of the reflective dimensions, by maximum likelihood: a second look."""

    chi2: Figure
    df: int
    p_value: Figure
    cfi: Figure
    rmsea: Figure


class BusinessResult(Schema):
    business: Key
    rows: int
    dimensions: list[PathWeight]
    measured: list[MeasuredConstruct]
    r_squared: Figure | None = Field(description="Of the outcomes; null where there are none")
    factor_model: FactorModelFit | None


class PeriodIndex(Schema):
    period: Period
    index: Figure
    ci: Range


class QualityRun(Schema):
    """One estimation. Never changes."""

    id: UUID
    model: Key
    version: int
    ran_at: Timestamp
    periods: list[Period]
    left_out_periods: dict[str, str] = Field(description="Month → why it was left out")
    rows: int
    replicates: int = Field(description="Samples that could be estimated")
    seed: int
    comparable: bool = Field(description="False: branches get an index but neither rank nor standing")
    unreliable: list[str] = Field(description="business/dimension whose reliability is below 0.7")
    shares: list[PathWeight] = Field(description="Businesses in the bank")
    businesses: list[BusinessResult]
    r_squared: Figure | None = Field(description="Of the overall indicators; null where there are none")
    bank: list[PeriodIndex] = Field(description="All observations together; 100 over the whole run")
    code_version: str
    input_hash: str


class Driver(Schema):
    """What moved a branch's index: contribution = 10 × weight × deviation."""

    business: Key
    dimension: DimensionName
    weight: Figure = Field(description="Of the dimension in the bank")
    deviation: Figure = Field(description="From the bank over the run, in standard deviations")
    contribution: Figure = Field(description="Points of the index; with 100 they sum to it")


class BranchQuality(Schema):
    branch: OrgPath
    rows: int
    index: Figure
    ci: Range
    rank: int | None = Field(description="Among all branches of the month; null when not comparable")
    rank_ci: tuple[int, int] | None
    standing: Standing | None = Field(description="Against the bank in the same month, by the interval")
    drivers: list[Driver] = Field(description="The strongest first")
    trend: list[PeriodIndex]


class LeftOutBranch(Schema):
    branch: OrgPath
    detail: str


class QualityIndex(Schema):
    """The index of the reader's branches in one month of the newest run."""

    model: Key
    version: int
    run_id: UUID
    ran_at: Timestamp
    period: Period
    comparable: bool
    withheld: list[str] = Field(description="Why branches are not compared")
    ranked: int | None = Field(description="Branches ranked in the whole bank; null when not comparable")
    bank: list[PeriodIndex]
    branches: list[BranchQuality] = Field(description="By index, the best first; by name when not comparable")
    left_out: list[LeftOutBranch]
