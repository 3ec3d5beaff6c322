"""Anybody's own table, analysed: what is asked, and the answer of the shell and of the service alike.

Figures are JSON numbers: they come from somebody's file and are statistics, not amounts that are booked.
`null` means "not computed", and an entry of `warnings` says why: it never means "no effect".
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Schema

Figure = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Range = Annotated[tuple[Figure, Figure], Field(description="Lower and upper end at level 1 − alpha")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Combine = Literal["mean", "sum", "max"]
TableFormat = Literal["csv", "parquet", "arrow"]
MetricKind = Literal["proportion", "mean", "ratio", "quantile"]
DEFAULT_TUNED_FOR = 5000


class AnalyseOptions(Schema):
    """Which columns mean what. Columns are named as the file's header names them."""

    arm: Column = Field(description="Column that says which group a row is in")
    control: str = Field(max_length=500, description="Value of that column for the group compared against")
    metrics: list[Column] = Field(
        min_length=1,
        max_length=100,
        description="Columns of outcomes. `a/b` is a ratio of two columns, `a:p90` a quantile of one, unless "
        "a column has that very name",
    )
    unit: Column | None = Field(None, description="Column that identifies what was randomised")
    cluster: Column | None = Field(
        None, description="Column of what was randomised together, e.g. the manager or the branch"
    )
    covariates: list[Column] = Field(
        default_factory=list, max_length=20, description="Numbers known before the test began"
    )
    dimensions: list[Column] = Field(default_factory=list, max_length=20)
    split: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        None, description="Declared weights by arm, on any scale; equal when left out"
    )
    alpha: float = Field(0.05, gt=0, lt=0.5)
    tuned_for: int = Field(
        DEFAULT_TUNED_FOR,
        ge=1,
        le=10**12,
        description="Units at which the always-valid interval is narrowest; choose before looking",
    )
    winsorise: float | None = Field(
        None, gt=0.5, lt=1, description="Cap values at this quantile, and at its mirror below"
    )
    combine: Combine = Field("mean", description="How rows of one unit become one value")
    format: TableFormat | None = Field(None, description="Of the file; found out by its content if left out")

    @model_validator(mode="after")
    def _weights(self) -> "AnalyseOptions":
        if self.split is not None and sum(weight > 0 for weight in self.split.values()) < 2:
            raise ValueError("split: at least two arms need a weight above 0")
        return self


class AlwaysValid(Schema):
    """Holds however often it is looked at, at a time chosen by looking."""

    ci: Range
    p_value: Probability
    tuned_for: int


class CupedAnalysis(Schema):
    """The difference once more, adjusted by the covariates; θ is pooled within the two groups."""

    difference: Figure | None
    se: Figure | None
    ci: Range | None
    p_value: Probability | None
    theta: dict[str, Figure] = Field(description="By covariate")
    correlation: Figure = Field(description="Of outcome and covariates within groups; multiple if several")
    variance_reduction: Figure = Field(description="Share of the outcome's variance removed")
    applied: bool = Field(description="False when the covariates explain too little to be worth it")


class ClusterMeans(Schema):
    """Difference of the means over clusters, each counting once, by Welch: another question than that of
    units where large clusters respond otherwise than small ones.
    """

    difference: Figure | None
    se: Figure | None
    ci: Range | None
    p_value: Probability | None
    df: Figure | None


class ClusterAnalysis(Schema):
    clusters: int = Field(description="Of the arm")
    clusters_control: int
    icc: Figure | None = Field(description="Intra-cluster correlation")
    design_effect: Figure | None
    df: Figure | None
    means: ClusterMeans | None = Field(
        None, description="The same with every cluster counting once; null where their means do not vary"
    )


class Winsorised(Schema):
    low: Figure
    high: Figure
    values: int = Field(description="How many were capped")


class MetricAnalysis(Schema):
    """One arm against the control in one metric; `difference` to `p_value` are without covariates."""

    metric: str
    arm: str
    control: str
    n: int = Field(description="Units of the arm that have this metric")
    n_control: int
    mean: Figure | None = Field(description="Of a ratio and a quantile: its value")
    mean_control: Figure | None
    difference: Figure | None
    se: Figure | None
    ci: Range | None
    p_value: Probability | None
    relative: Figure | None = Field(
        description="Difference ÷ control's mean; null unless that is above 0 and its own standard error"
    )
    relative_ci: Range | None = None
    relative_p_value: Probability | None = None
    adjusted_p_value: Probability | None = Field(
        None, description="Holm's, over all comparisons of the answer; null when there is one"
    )
    kind: MetricKind
    method: str = Field(examples=["welch", "newcombe", "cr2"])
    always_valid: AlwaysValid | None = None
    cuped: CupedAnalysis | None = Field(None, description="Null without covariates")
    cluster: ClusterAnalysis | None = None
    winsorised: Winsorised | None = None
    missing: int = Field(0, description="Rows of the arm without this metric")
    missing_control: int = 0


class SplitAnalysis(Schema):
    """Did randomisation deliver the split that was declared? An alarm below p = 0.001."""

    chi2: Figure
    df: int
    p_value: Probability
    alarm: bool
    counted: Literal["rows", "units", "clusters"]
    observed: dict[str, int]
    expected: dict[str, Figure]
    undeclared: dict[str, int] = Field(description="Found in arms declared with weight 0, or not at all")


class CellAnalysis(Schema):
    value: str
    n: int
    n_control: int
    raw: Figure | None = Field(description="Difference in the cell alone")
    se: Figure | None
    shrunk: Figure | None = Field(description="Drawn towards the common difference; null for cells left out")
    ci: Range | None = Field(description="Of `shrunk`")


class DimensionAnalysis(Schema):
    """Does the difference differ between the values of a dimension? Cochran's Q."""

    dimension: str
    metric: str
    arm: str
    q: Figure | None
    df: int | None
    p_value: Probability | None
    q_value: Probability | None = Field(description="Benjamini–Hochberg over all of `dimensions`")
    pooled: Figure | None = Field(description="Common difference over the cells")
    tau2: Figure | None = Field(description="Variance of true differences between cells")
    cells: list[CellAnalysis]


RemarkCode = Literal[
    "encoding",
    "left-out",
    "crossed",
    "torn",
    "combined",
    "not-finite",
    "arm-named-null",
    "few",
    "arms-alike",
    "clusters-split",
    "undeclared-arms",
    "sample-ratio-mismatch",
    "missing",
    "missing-unequally",
    "useless-covariate",
    "not-winsorised",
    "no-test",
    "no-p-value",
    "no-adjusted-estimate",
    "not-adjusted",
    "dominated",
    "too-many-values",
    "without-value",
    "cells-left-out",
    "no-q",
]


class AnalysisRemark(Schema):
    """A warning by its kind, and as a sentence for people in Chinese and English."""

    code: RemarkCode
    zh: str
    en: str


class Analysis(Schema):
    """Everything that was found in a table."""

    metrics: list[MetricAnalysis]
    srm: SplitAnalysis
    dimensions: list[DimensionAnalysis]
    warnings: list[str] = Field(description="In English, whoever asks")
    remarks: list[AnalysisRemark] = Field(
        default_factory=list, description="The same, in the same order, with a code and in both languages"
    )
    alpha: float
    rows: int = Field(description="Of the file")
    analysed: int = Field(description="Rows, or units where `unit` was given, that took part")
    control: str = Field(description="Its label as it stands in the file")
    arms: dict[str, int] = Field(description="Rows or units that took part, by arm")


class ColumnDescription(Schema):
    name: str
    numeric: bool = Field(description="Whether it can be a metric or a covariate, by the first rows")
    values: list[str] | None = Field(description="Of the first rows; null when there are more than 20")


class TableDescription(Schema):
    """What a table seems to hold: enough to choose columns by."""

    format: TableFormat
    columns: list[ColumnDescription] = Field(description="The first 500")
    notes: list[str]
