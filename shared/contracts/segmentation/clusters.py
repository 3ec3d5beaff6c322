"""What models that group customers are asked for."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Key, LocalText, Schema, Share

Features = Annotated[list[Key], Field(min_length=1, max_length=40)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Sample = Annotated[int, Field(ge=100, le=200_000, description="At most so many customers are fitted on")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
StabilityLevel = Literal["stable", "moderate", "shifted"]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
CutOffs = Annotated[list[Finite], Field(min_length=1, max_length=8)]


K = Annotated[int, Field(ge=2, le=30)] | Literal["auto"]
KMax = Annotated[int, Field(ge=3, le=20, description="The table of K goes from 2 to here")]
_AUTO = "`auto` takes the number of groups the table of K recommends, and shows the table"


class KMeansParameters(Schema):
    features: Features
    k: K = Field(description=_AUTO)
    k_max: KMax = 10
    seed: Seed = 0
    sample: Sample = 50_000


class KRange(Schema):
    """Both ends included."""

    low: int = Field(2, ge=2, le=1_000)
    high: int = Field(20, ge=2, le=1_000, description="The root of the customers where that is less")


class EnsembleParameters(Schema):
    """Many k-means partitions over random features and starts, and the partition they agree on."""

    features: Features
    k: K = Field("auto", description=_AUTO)
    k_max: KMax = 10
    partitions: int = Field(20, ge=5, le=100, description="Base partitions of the ensemble")
    k_range: KRange = Field(
        default=KRange(),
        description="Clusters of a base partition, drawn for each. Few keep groups whole that are round and "
        "differ in size; up to the root of the customers follow groups of odd shapes, and take longer",
    )
    seed: Seed = 0
    sample: Sample = 50_000


class RfmCuts(Schema):
    """Fixed cut-offs, worst first: falling for recency (days since), rising for the others."""

    recency: CutOffs
    frequency: CutOffs
    monetary: CutOffs


class RfmWeights(Schema):
    recency: Weight = 1.0
    frequency: Weight = 1.0
    monetary: Weight = 1.0


class RfmParameters(Schema):
    """`rfm` scores transactions; `afr` is a bank's: assets first, then frequency and recency."""

    variant: Literal["rfm", "afr"] = "rfm"
    recency: Key = Field("last_txn_days", description="Feature: days since the last activity, less is better")
    frequency: Key = Field("txn_count_90d", description="Feature: how often")
    monetary: Key = Field(description="Feature: how much; for `afr` the assets", examples=["aum"])
    bands: int = Field(5, ge=2, le=9, description="Quantile bands; not used with `cuts`")
    cuts: RfmCuts | None = Field(None, description="Fixed cut-offs instead of quantiles")
    weights: RfmWeights = RfmWeights()


class TacticalSplit(Schema):
    """One way to look at the members of a strategic segment."""

    name: Key
    features: Features
    k: int = Field(3, ge=2, le=12, description="Parts")


class TacticalParameters(Schema):
    """Strategic segments, each split again by the dimensions of a campaign."""

    strategic: Annotated[list[Key], Field(min_length=1, max_length=10)] = Field(
        description="Keys of live segments"
    )
    splits: Annotated[list[TacticalSplit], Field(min_length=1, max_length=6)]
    threshold: float = Field(
        0.3,
        gt=0,
        le=1,
        description="A member is in every part to which it belongs at least so much, and in its best one",
    )
    partitions: int = Field(20, ge=5, le=100, description="Base partitions of each split's ensemble")
    seed: Seed = 0


class KRow(Schema):
    """Evidence for one number of groups; `mean_rank` over the criteria there are, 1 is best on all."""

    k: int
    silhouette: float = Field(description="−1..1, better when high")
    calinski_harabasz: float = Field(description="Better when high")
    davies_bouldin: float = Field(description="Better when low")
    eigengap: float | None = Field(description="0..1, better when high; null without an ensemble")
    stability: float = Field(
        description="Mean adjusted Rand index over bootstrapped ensembles, or customers for k-means, ≤ 1"
    )
    mean_rank: float


class KTableView(Schema):
    chosen: int
    recommended: int
    runner_up: int | None
    rows: list[KRow]


class GroupDrift(Schema):
    cluster: int
    size: int
    size_before: int | None = Field(description="Null for a group the run before did not have")
    stayed: Share | None = Field(description="Share of its customers of then who are still in it")


class FeatureDrift(Schema):
    """Population stability index: below 0.1 stable, above 0.25 another population."""

    feature: Key
    name: LocalText
    psi: float
    level: StabilityLevel


class DriftView(Schema):
    """Against the run before of the same model; groups keep the number of the one they overlap most."""

    previous_run: int = Field(description="Its number")
    customers: int = Field(description="With a group in both runs")
    moved: Share = Field(description="Share of them in another group now")
    joined: int = Field(description="With a group only now")
    left: int = Field(description="With a group only then")
    groups: list[GroupDrift]
    features: list[FeatureDrift] = Field(description="Largest index first")
