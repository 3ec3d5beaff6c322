"""How customers belong together: edges, neighbourhoods, paths, groups and the leads that follow from them."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import (
    Code,
    LocalText,
    Number,
    OrgPath,
    Problem,
    Schema,
    Timestamp,
)
from shared.contracts.customer.overview import CurrencyTotal
from shared.contracts.customer.vocabulary import (
    CustomerKind,
    ProductCategory,
    SourceIdentity,
    SourceName,
)

RelationKind = Literal[
    "supplies",
    "distributes",
    "parent",
    "shareholder",
    "employs",
    "executive",
    "guarantees",
    "household",
    "associate",
]
Direction = Literal["out", "in", "both"]
Part = Annotated[Number, Field(ge=0, le=1, decimal_places=6)]
Strength = Annotated[Number, Field(ge=0, le=1, decimal_places=4)]
Kinds = Annotated[
    str, StringConstraints(pattern=r"^[a-z]+(,[a-z]+)*$", max_length=200), Field(examples=["supplies,parent"])
]


class RelationKindView(Schema):
    """One word of the vocabulary: `from` <name> `to`; read from the other end it is `inverse`."""

    kind: RelationKind
    name: LocalText
    inverse: LocalText
    symmetric: bool
    from_kind: CustomerKind | None
    to_kind: CustomerKind | None


class RelationKinds(Schema):
    items: list[RelationKindView]


class CustomerEnd(Schema):
    """One end of a relation: by the service's id or by an identity in a source system."""

    customer_id: UUID | None = None
    identity: SourceIdentity | None = None

    @model_validator(mode="after")
    def one_way(self) -> Self:
        if (self.customer_id is None) == (self.identity is None):
            raise ValueError("give customer_id or identity, one of them")
        return self


class RelationshipWrite(Schema):
    """`from` stands in relation `kind` to `to`: a supplier supplies, a mother company is the parent.

    The same four (from, kind, to, valid_from) again are the same relationship: it is changed or unchanged.
    """

    from_: Annotated[CustomerEnd, Field(alias="from")]
    to: CustomerEnd
    kind: RelationKind
    valid_from: date | None = Field(None, description="First day it holds; unknown when absent")
    valid_to: date | None = Field(None, description="First day it no longer holds; open when absent")
    share: Part | None = Field(None, description="Of the capital, of the deliveries: a fraction")
    strength: Strength | None = Field(None, description="How sure or how close, 0 to 1")
    source: SourceName | None = Field(None, description="Who says so; the key's own source by default")

    @model_validator(mode="after")
    def ends_after_it_begins(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must be after valid_from")
        return self


class RelationshipsWrite(Schema):
    """``POST /v1/relationships``."""

    items: Annotated[list[RelationshipWrite], Field(min_length=1, max_length=1000)]


class RelationshipItemResult(Schema):
    index: int
    status: Literal["created", "updated", "unchanged", "rejected"]
    id: UUID | None = None
    problem: Problem | None = None


class RelationshipsResult(Schema):
    """200 when all were taken, 207 otherwise."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    items: list[RelationshipItemResult]


class RelationshipPatch(Schema):
    """``PATCH /v1/relationships/{id}``: absent = unchanged, null = cleared; `valid_to` ends it."""

    valid_to: date | None = None
    share: Part | None = None
    strength: Strength | None = None


class RelationshipView(Schema):
    """`from_id` and `to_id` are the survivors of merges; `hidden` ends belong to another branch."""

    id: UUID
    from_id: UUID
    to_id: UUID
    kind: RelationKind
    valid_from: date | None
    valid_to: date | None
    share: Number | None
    strength: Number | None
    source: str
    version: int
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class NodeView(Schema):
    """A customer in a network. Name and kind are null when it belongs to another branch."""

    customer_id: UUID
    depth: int
    hidden: bool
    name: str | None = Field(description="Masked")
    kind: CustomerKind | None
    org: OrgPath | None
    primary_manager: Code | None


class EdgeView(Schema):
    from_id: UUID
    to_id: UUID
    kind: RelationKind
    share: Number | None = None
    strength: Number | None = None
    valid_from: date | None = None
    valid_to: date | None = None


class Network(Schema):
    """The neighbourhood of a customer. Hidden customers are counted and not walked through."""

    customer_id: UUID
    as_of: date
    nodes: list[NodeView]
    edges: list[EdgeView]
    hidden: int
    truncated: bool = Field(description="There is more than `limit` customers: these are the nearest")


class PathStep(Schema):
    """One edge of a path in walking order; `forward` when it points that way."""

    from_id: UUID
    to_id: UUID
    kind: RelationKind
    forward: bool


class Paths(Schema):
    """The shortest chains of relations from one customer to the other; none when there is no chain."""

    from_id: UUID
    to_id: UUID
    length: int | None
    paths: list[list[PathStep]]
    nodes: list[NodeView]
    truncated: bool = Field(description="The search or the list of paths was cut off")


class ChainLevel(Schema):
    level: int
    customers: list[NodeView]
    hidden: int


class SupplyChain(Schema):
    """Where a company's goods come from (`upstream`) and go to (`downstream`), level by level."""

    customer_id: UUID
    as_of: date
    upstream: list[ChainLevel]
    downstream: list[ChainLevel]
    truncated: bool


class GroupMember(NodeView):
    """`parent_id` is the company above it; `share` how much of it that company holds."""

    parent_id: UUID | None
    share: Number | None
    totals: list[CurrencyTotal]


class Group(Schema):
    """The company tree a customer belongs to; depth 0 is its head. Totals cover visible members."""

    customer_id: UUID
    as_of: date
    head_id: UUID
    members: list[GroupMember]
    totals: list[CurrencyTotal]
    hidden: int
    circular: bool = Field(description="The companies own each other in a circle: each is counted once")
    truncated: bool


class LeadOpening(Schema):
    """A product category the customer lacks; who has it: the core company, which part of its peers."""

    category: ProductCategory
    core_holds: bool
    peers_holding: float = Field(description="Fraction of the same role's customers")


class Lead(Schema):
    """A customer around a core company who lacks what the company or its peers have; best first."""

    customer_id: UUID
    name: str | None = Field(description="Masked")
    kind: CustomerKind
    role: Literal["supplier", "distributor", "employee", "executive", "subsidiary"]
    active: bool = Field(description="Holds an open product; false: not yet active")
    holds: list[ProductCategory]
    openings: list[LeadOpening]
    score: float = Field(description="Sum over the openings of the peers' part, 1 more for each the core has")
    org: OrgPath
    primary_manager: Code | None


class Leads(Schema):
    customer_id: UUID
    as_of: date
    leads: list[Lead]
    existing: int = Field(description="Leads with an open product")
    not_yet_active: int
    hidden: int = Field(description="Related customers of other branches")
