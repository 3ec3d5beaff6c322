"""Models, their runs and what came out."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Key, LocalText, Note, Schema, Share, Timestamp
from shared.contracts.segmentation.contrasts import FeatureContrast
from shared.contracts.segmentation.segments import SegmentView


class ModelKind(StrEnum):
    kmeans = "kmeans"


class KMeansParameters(Schema):
    features: Annotated[list[Key], Field(min_length=1, max_length=40)]
    k: int = Field(ge=2, le=30)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    sample: int = Field(50_000, ge=100, le=200_000, description="At most so many customers are fitted on")


class ModelCreate(Schema):
    key: Key
    name: LocalText
    kind: ModelKind
    goal: Note = Field("", description="The business question this model answers")
    parameters: KMeansParameters


class ModelView(Schema):
    id: UUID
    key: Key
    name: LocalText
    kind: ModelKind
    goal: Note
    parameters: KMeansParameters
    created_at: Timestamp
    last_run_id: UUID | None


class RunState(StrEnum):
    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"


class DataWindow(Schema):
    """The facts a run saw."""

    evaluated_at: Timestamp
    stream_sequence: int = Field(description="Applied position in the CUSTOMER stream")
    customers: int


class RunMetrics(Schema):
    silhouette: float = Field(description="On a sample of at most 5,000 customers")
    inertia: float
    fitted_on: int
    iterations: int


class ClusterSize(Schema):
    cluster: int
    size: int
    share: Share


class ModelRunView(Schema):
    id: UUID
    model_id: UUID
    number: int = Field(description="1 for the first run of the model")
    state: RunState
    parameters: KMeansParameters
    window: DataWindow | None
    metrics: RunMetrics | None
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
