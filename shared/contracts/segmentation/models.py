"""Models, their runs and what came out."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints

from shared.contracts.base import Key, LocalText, Note, Schema, Share, Timestamp
from shared.contracts.segmentation.clusters import (
    EnsembleParameters,
    KMeansParameters,
    RfmParameters,
    TacticalParameters,
)
from shared.contracts.segmentation.contrasts import FeatureContrast
from shared.contracts.segmentation.predictions import ChurnParameters, ClvParameters, PropensityParameters
from shared.contracts.segmentation.segments import SegmentView


class ModelKind(StrEnum):
    rfm = "rfm"
    kmeans = "kmeans"
    ensemble = "ensemble"
    tactical = "tactical"
    churn = "churn"
    propensity = "propensity"
    clv = "clv"


ModelParameters = (
    KMeansParameters
    | EnsembleParameters
    | RfmParameters
    | TacticalParameters
    | ChurnParameters
    | PropensityParameters
    | ClvParameters
)


class ModelDeclaration(Schema):
    """What is said of a model of any kind before it is trained."""

    key: Key
    name: LocalText
    goal: Note = Field("", description="The business question this model answers")
    success: Note = Field("", description="When its answer is good enough to act upon")
    needs_approval: bool = Field(False, description="Its runs are published only after an approval")


class KMeansModel(ModelDeclaration):
    kind: Literal[ModelKind.kmeans]
    parameters: KMeansParameters


class EnsembleModel(ModelDeclaration):
    kind: Literal[ModelKind.ensemble]
    parameters: EnsembleParameters


class RfmModel(ModelDeclaration):
    kind: Literal[ModelKind.rfm]
    parameters: RfmParameters


class TacticalModel(ModelDeclaration):
    kind: Literal[ModelKind.tactical]
    parameters: TacticalParameters


class ChurnModel(ModelDeclaration):
    kind: Literal[ModelKind.churn]
    parameters: ChurnParameters = ChurnParameters()


class PropensityModel(ModelDeclaration):
    kind: Literal[ModelKind.propensity]
    parameters: PropensityParameters


class ClvModel(ModelDeclaration):
    kind: Literal[ModelKind.clv]
    parameters: ClvParameters


ModelCreate = Annotated[
    KMeansModel | EnsembleModel | RfmModel | TacticalModel | ChurnModel | PropensityModel | ClvModel,
    Field(discriminator="kind"),
]
"""A model of any kind, as it is declared."""


class ModelView(ModelDeclaration):
    id: UUID
    kind: ModelKind
    parameters: ModelParameters
    created_at: Timestamp
    last_run_id: UUID | None


class RunState(StrEnum):
    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


class DataWindow(Schema):
    """The facts a run saw."""

    evaluated_at: Timestamp
    stream_sequence: int = Field(description="Applied position in the CUSTOMER stream")
    customers: int


class ClusterSize(Schema):
    cluster: int
    size: int
    share: Share


class Approval(Schema):
    by: str
    at: Timestamp
    note: Note


class ModelRunView(Schema):
    id: UUID
    model_id: UUID
    number: int = Field(description="1 for the first run of the model")
    kind: ModelKind
    state: RunState
    progress: Share = Field(description="How far the training is")
    step: str | None = Field(description="What it does now")
    parameters: ModelParameters
    window: DataWindow | None
    metrics: dict[str, JsonValue] | None = Field(description="Measures of quality, by the kind of the model")
    clusters: list[ClusterSize]
    needs_approval: bool = Field(description="It is published only once it is approved")
    approval: Approval | None
    problem: str | None
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None
    job_id: UUID | str | None


class ApproveRun(Schema):
    note: Note = Field("", description="What was looked at, and what it may be used for")


class Reproduction(Schema):
    """The last time the run was trained again from what it had read."""

    at: Timestamp
    same: bool = Field(description="Every label, score and figure came out the same, bit for bit")
    result_digest: str


class ModelRecord(Schema):
    """The run by the steps of CRISP-DM: why, on which facts, how, how good, and who agreed."""

    run_id: UUID
    model_key: Key
    number: int
    goal: Note
    success: Note
    window: DataWindow
    understanding: dict[str, JsonValue] = Field(
        description="Per table read: rows, and per column the share unknown, mean, deviation, quantiles"
    )
    preparation: dict[str, JsonValue]
    parameters: ModelParameters
    seed: int
    versions: dict[str, str] = Field(description="Libraries it was trained with")
    metrics: dict[str, JsonValue]
    input_digest: str = Field(description="SHA-256 of what it read")
    result_digest: str = Field(description="SHA-256 of all that it says")
    input_kept: bool = Field(description="What it read is still kept: `:reproduce` works")
    reproduction: Reproduction | None
    approval: Approval | None
    segments: list[Key] = Field(description="Segments that were published from it")
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp


class GroupRule(Schema):
    """Precision: share of those the rule takes who are in the group; recall: share of the group it takes."""

    sql: str
    precision: Share
    recall: Share


class ClusterProfile(Schema):
    cluster: int
    name: LocalText | None = None
    size: int
    share: Share
    description: LocalText
    contrasts: list[FeatureContrast]
    rule: GroupRule | None = Field(None, description="The group in the rule language, exactly or nearly")


class RunProfile(Schema):
    run_id: UUID
    clusters: list[ClusterProfile]


class RunMember(Schema):
    customer_id: UUID
    cluster: int = Field(description="The group; of several the first")
    clusters: list[int] = Field(description="All groups the customer is in")
    scores: dict[str, float | None] = Field(description="What the run says: degrees, bands, flags")


class ScoreRow(Schema):
    customer_id: UUID
    cluster: int | None = Field(description="Null where the kind makes no groups or several")
    scores: dict[str, float | None]


class CustomerScore(Schema):
    """What the newest run of a model that succeeded says about a customer."""

    model_id: UUID
    model_key: Key
    kind: ModelKind
    name: LocalText
    run_id: UUID
    finished_at: Timestamp
    cluster: int | None
    cluster_name: LocalText | None
    scores: dict[str, float | None]


class CustomerScores(Schema):
    customer_id: UUID
    models: list[CustomerScore]


class BorderlineCustomer(Schema):
    """Belongs nearly as much to a second group, or hardly to its own."""

    customer_id: UUID
    cluster: int
    degree: float
    second: int | None
    second_degree: float
    cohesion: float
    outlier: bool


class ProjectedCustomer(Schema):
    customer_id: UUID
    x: float
    y: float
    cluster: int
    degree: float | None


class Projection(Schema):
    """A sample of customers on the first two principal components of the prepared features."""

    explained: list[float] = Field(description="Share of the variance on each axis")
    loadings: dict[str, list[float]] = Field(description="Per feature its part in each axis")
    points: list[ProjectedCustomer] = Field(description="Those of the sample who are in your organisation")


class PublishAs(StrEnum):
    """`cluster`: the members of the run. `rule`: whoever meets the group's rule, from now on."""

    cluster = "cluster"
    rule = "rule"


class PublishRun(Schema):
    """Each group becomes a live segment `<prefix>-<number>`; published again it follows the newer run."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]
    names: list[LocalText] | None = Field(None, description="One per group, in order; else made up")
    publish_as: PublishAs = PublishAs.cluster
    min_degree: Share | None = Field(
        None, description="Only customers who belong to the group at least so much; not for rules"
    )


class PublishedClusters(Schema):
    run_id: UUID
    segments: list[SegmentView]
