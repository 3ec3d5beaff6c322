"""Models, their runs and what came out."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints

from shared.contracts.base import Key, LocalText, Note, Schema, Share, Timestamp
from shared.contracts.segmentation.clusters import KMeansParameters
from shared.contracts.segmentation.contrasts import FeatureContrast
from shared.contracts.segmentation.segments import SegmentView


class ModelKind(StrEnum):
    kmeans = "kmeans"


ModelParameters = KMeansParameters


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


ModelCreate = KMeansModel


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
    problem: str | None
    created_at: Timestamp
    finished_at: Timestamp | None
    job_id: UUID | str | None


class ClusterProfile(Schema):
    cluster: int
    size: int
    share: Share
    description: LocalText
    contrasts: list[FeatureContrast]


class RunProfile(Schema):
    run_id: UUID
    clusters: list[ClusterProfile]


class RunMember(Schema):
    customer_id: UUID
    cluster: int


class PublishRun(Schema):
    """Each cluster becomes a live segment `<prefix>-<cluster>`."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]
    names: list[LocalText] | None = Field(None, description="One per cluster, in order; else made up")


class PublishedClusters(Schema):
    run_id: UUID
    segments: list[SegmentView]
