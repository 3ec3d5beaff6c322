"""Requests and responses of the segmentation service."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Key, LocalText, Name, Note, OrgPath, Schema, Share, Timestamp
from shared.contracts.conditions import Condition, SegmentDefinition


class FeatureType(StrEnum):
    number = "number"
    integer = "integer"
    money = "money"
    text = "text"
    boolean = "boolean"
    date = "date"


class Freshness(StrEnum):
    """How soon a change of the facts shows: within a second, or at the next business date."""

    realtime = "realtime"
    daily = "daily"


class FeatureView(Schema):
    key: Key
    name: LocalText
    type: FeatureType
    unit: str | None = Field(None, examples=["CNY", "day", "month"])
    expression: str = Field(description="What is computed, in SQL over the feature store's columns")
    lineage: list[str] = Field(
        description="Store tables and business event types it is made of",
        examples=[["event:transaction.posted"]],
    )
    freshness: Freshness
    missing: str = Field(description="What a customer without such facts has: `0`, `false` or `unknown`")


class SegmentKind(StrEnum):
    rule = "rule"
    cluster = "cluster"


class Refresh(StrEnum):
    """`realtime`: re-evaluated when facts arrive. `on_demand`: only by `:refresh`."""

    realtime = "realtime"
    on_demand = "on_demand"


class SegmentState(StrEnum):
    draft = "draft"
    live = "live"
    archived = "archived"


class SegmentCreate(Schema):
    key: Key
    name: LocalText
    kind: Literal[SegmentKind.rule] = SegmentKind.rule
    refresh: Refresh = Refresh.realtime
    description: Note = ""
    definition: SegmentDefinition


class SegmentPatch(Schema):
    """A new definition becomes a new version; a live segment keeps its version until `:publish`."""

    name: LocalText | None = None
    refresh: Refresh | None = None
    description: Note | None = None
    definition: SegmentDefinition | None = None


class ClusterRef(Schema):
    """The cluster of a model run that a segment of kind `cluster` was published from."""

    run_id: UUID
    cluster: int


class DefinitionView(Schema):
    """A rule in both its forms, or the cluster it came from."""

    sql: str | None = Field(None, description="Canonical SQL form of the rule")
    tree: Condition | None = Field(None, description="The same rule as a JSON condition tree")
    cluster: ClusterRef | None = None


class SegmentView(Schema):
    id: UUID
    key: Key
    name: LocalText
    kind: SegmentKind
    refresh: Refresh
    description: Note
    state: SegmentState
    version: int = Field(description="Newest version of the definition")
    live_version: int | None = Field(description="Version that decides membership; null while a draft")
    evaluated_version: int | None = Field(
        description="Version the current members come from; equals `live_version` once evaluated"
    )
    definition: DefinitionView = Field(description="Definition of the newest version")
    size: int | None = Field(description="Members, bank wide; null before the first evaluation")
    evaluated_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class PreviewRequest(Schema):
    definition: SegmentDefinition
    sample: int = Field(10, ge=0, le=100)


class LeafPreview(Schema):
    text: str = Field(examples=["aum >= 500000"])
    freshness: Freshness
    passing: int = Field(description="Customers in the caller's scope for whom this condition holds")


class PreviewView(Schema):
    count: int
    of: int = Field(description="Customers in the caller's scope")
    sample: list[UUID]
    evaluated_at: Timestamp
    sql: str = Field(description="Canonical SQL form")
    tree: Condition
    leaves: list[LeafPreview]


class MemberView(Schema):
    customer_id: UUID
    org: OrgPath


class ChangeKind(StrEnum):
    joined = "joined"
    left = "left"


class Cause(StrEnum):
    """Why members moved: facts, an edit, a request or model run, a merge of customers or its undo."""

    events = "events"
    edit = "edit"
    full = "full"
    merge = "merge"


class ChangeView(Schema):
    """One customer entering or leaving a segment."""

    customer_id: UUID
    change: ChangeKind
    at: Timestamp
    version: int
    cause: Cause
    run_id: UUID


class FeatureContrast(Schema):
    """How a group differs from everybody in one feature."""

    feature: Key
    name: LocalText
    unit: str | None
    mean: float | None = Field(description="Mean in the group; the share of true for booleans")
    mean_all: float | None
    deviation_all: float | None = Field(description="Standard deviation over everybody")
    standardised_difference: float | None = Field(description="(mean − mean_all) / deviation_all")
    known: Share = Field(description="Share of the group for whom the feature is known")


class SegmentProfile(Schema):
    segment_id: UUID
    key: Key
    size: int
    of: int
    evaluated_at: Timestamp
    contrasts: list[FeatureContrast] = Field(description="Largest difference first")


class LeafExplained(Schema):
    text: str
    value: float | bool | str | None = Field(description="What the customer has; null is unknown")
    holds: bool | None = Field(description="SQL three-valued logic: null is unknown")
    evidence: list[str] = Field(
        description="Business events behind the value, newest first, at most 50",
        examples=[["core-banking/tx-20261120-000001"]],
    )
    until: datetime | None = Field(None, description="When it stops holding if nothing else happens")


class Explanation(Schema):
    customer_id: UUID
    segment_id: UUID
    key: Key
    member: bool = Field(description="As of the last evaluation")
    holds_now: bool | None = Field(description="What the rule says at `evaluated_at`; null is unknown")
    since: Timestamp | None = Field(description="When the customer last joined; null when not a member")
    version: int
    evaluated_at: Timestamp
    leaves: list[LeafExplained]


class CustomerSegment(Schema):
    segment_id: UUID
    key: Key
    name: LocalText
    kind: SegmentKind
    version: int
    since: Timestamp | None


class CustomerSegments(Schema):
    customer_id: UUID
    segments: list[CustomerSegment]


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


class FeedView(Schema):
    """How far this process has followed the customer stream."""

    stream: Name
    applied: int
    last: int
    lag: int
    evaluated_at: Timestamp | None = Field(description="Last evaluation of the live segments")
