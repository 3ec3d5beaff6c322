"""Segments and their definitions."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, Note, Schema, Timestamp
from shared.contracts.conditions import Condition, SegmentDefinition
from shared.contracts.segmentation.features import Freshness


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
    revision: int = Field(description="Grows with every edit: the ETag, to be sent as If-Match")
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
