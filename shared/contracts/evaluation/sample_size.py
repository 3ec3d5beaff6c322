"""How many customers a test needs, or what it can find with those there are."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Schema
from shared.contracts.stopping import FixedStop, StopRule

Positive = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Clustering(Schema):
    """Whole managers or branches are assigned, not single customers."""

    size: Annotated[float, Field(ge=1, le=1e9, allow_inf_nan=False, description="Customers per cluster")]
    icc: Annotated[
        float,
        Field(ge=0, le=1, allow_inf_nan=False, description="Correlation within clusters", examples=[0.05]),
    ]
    size_variation: Annotated[
        float,
        Field(ge=0, le=100, allow_inf_nan=False, description="Coefficient of variation of cluster sizes"),
    ] = 0.0


class Denominator(Schema):
    """Of a ratio: what the outcome is divided by, per customer."""

    mean: Positive
    deviation: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
    correlation: Annotated[
        float, Field(ge=-1, le=1, allow_inf_nan=False, description="With the numerator, over customers")
    ]


class SampleSizeRequest(Schema):
    """Give `effect` to learn how many are needed, or `units` to learn the smallest effect they can show."""

    kind: Literal["mean", "proportion", "ratio"] = "mean"
    effect: Annotated[
        float | None,
        Field(
            ge=-1e15,
            le=1e15,
            allow_inf_nan=False,
            description="Difference to be found, in the metric's unit; of a proportion as 0.01 for one point",
        ),
    ] = None
    units: Annotated[
        int | None, Field(ge=4, le=1_000_000_000, description="Customers, treated and held out together")
    ] = None
    deviation: Annotated[
        Positive | None,
        Field(description="Standard deviation between customers; of a ratio, the numerator's"),
    ] = None
    base: Annotated[
        float | None,
        Field(
            ge=-1e15,
            le=1e15,
            allow_inf_nan=False,
            description="Without treatment: the proportion, or the ratio",
        ),
    ] = None
    denominator: Denominator | None = None
    hold_out: Annotated[
        float, Field(ge=0.001, le=0.999, allow_inf_nan=False, description="Share held out")
    ] = 0.5
    explained: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            allow_inf_nan=False,
            description="Share of the variance that the outcome before assignment explains (CUPED)",
        ),
    ] = 0.0
    goal: Literal["difference", "non_inferiority"] = "difference"
    clusters: Clustering | None = None
    stop: StopRule = Field(
        default_factory=FixedStop,
        description="The answer is by the bound that this rule has when the last window has closed. An"
        " always-valid rule asks for `units`",
    )
    alpha: Annotated[float, Field(ge=1e-6, le=0.5, allow_inf_nan=False)] = 0.05
    power: Annotated[float, Field(ge=0.5, le=0.9999, allow_inf_nan=False)] = 0.8


class SampleSize(Schema):
    """Of a two-sided test at `alpha`; of non-inferiority, of the one side of that interval."""

    effect: float = Field(description="As asked, or the smallest that is found with this power")
    units: int = Field(description="Treated and held out together")
    treated: int
    hold_out: int
    clusters: int | None = Field(None, description="In both groups together")
    design_effect: float = Field(description="By how much clusters inflate the variance; 1 without")
    deviation: float = Field(description="Standard deviation the answer rests on, after CUPED")
    alpha: float
    power: float
    method: str
