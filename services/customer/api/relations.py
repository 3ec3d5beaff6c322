"""How customers belong together."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from services.customer.api.access import CustomerRead, CustomerWrite
from services.customer.api.customers import CustomerId, VaultOfProcess
from services.customer.domain.relations import WORDS
from services.customer.models import Relationship
from services.customer.queries import networks
from services.customer.queries import relations as queries
from services.customer.queries.leads import leads
from services.customer.usecases import relations as usecases
from shared import clock
from shared.contracts.base import LocalText, Page
from shared.contracts.customer.relations import (
    Direction,
    Group,
    Kinds,
    Leads,
    Network,
    Paths,
    RelationKind,
    RelationKinds,
    RelationKindView,
    RelationshipPatch,
    RelationshipsResult,
    RelationshipsWrite,
    RelationshipView,
    SupplyChain,
)
from shared.errors import FieldError, Unprocessable
from shared.pagination import PageParams, paginate
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["relationships"])

RelationshipId = Annotated[UUID, Path(description="Id of the relationship")]
AsOf = Annotated[date | None, Query(description="Relations that hold on this day; today by default")]
Most = Annotated[int, Query(ge=1, le=1000, description="Customers at most; the nearest are kept")]


@router.get("/relationship-kinds")
async def list_relationship_kinds(principal: CustomerRead) -> RelationKinds:
    """The vocabulary: every kind with its names from both ends and what the ends must be."""
    return RelationKinds(
        items=[
            RelationKindView.model_validate(
                {
                    "kind": kind,
                    "name": LocalText(zh=word.zh, en=word.en),
                    "inverse": LocalText(zh=word.inverse_zh, en=word.inverse_en),
                    "symmetric": word.symmetric,
                    "from_kind": word.from_kind,
                    "to_kind": word.to_kind,
                }
            )
            for kind, word in WORDS.items()
        ]
    )


@router.post(
    "/relationships",
    responses={207: {"model": RelationshipsResult, "description": "Some items were refused"}},
)
async def post_relationships(
    session: Session, principal: CustomerWrite, body: RelationshipsWrite, response: Response
) -> RelationshipsResult:
    """Up to 1,000 relations between customers you see. Told again they change or stay; never double."""
    result = await usecases.post_relationships(session, principal, body.items)
    response.status_code = 207 if result.rejected else 200
    return result


@router.get("/relationships/{relationship_id}", responses=problem_responses(404))
async def get_relationship(
    session: Session, principal: CustomerRead, relationship_id: RelationshipId, response: Response
) -> RelationshipView:
    """One relationship."""
    view = await queries.relationship_view(session, relationship_id)
    set_etag(response, view.version)
    return view


@router.patch("/relationships/{relationship_id}", responses=problem_responses(404, 412, 428))
async def change_relationship(
    session: Session,
    principal: CustomerWrite,
    relationship_id: RelationshipId,
    body: RelationshipPatch,
    expected: IfMatch,
    response: Response,
) -> RelationshipView:
    """End a relationship or correct its weight. Both customers must be of your organisation."""
    await usecases.change_relationship(session, principal, relationship_id, body, expected)
    view = await queries.relationship_view(session, relationship_id)
    set_etag(response, view.version)
    return view


@router.get("/customers/{customer_id}/relationships", responses=problem_responses(400, 404))
async def list_customer_relationships(
    session: Session,
    principal: CustomerRead,
    customer_id: CustomerId,
    page: PageParams,
    kind: Annotated[RelationKind | None, Query(description="Of this kind only")] = None,
    as_of: Annotated[
        date | None, Query(description="Only those that hold on this day; all by default")
    ] = None,
) -> Page[RelationshipView]:
    """The relations of a customer and of all merged into it, past ones too."""
    statement = await queries.relationships_of(session, customer_id, kind, as_of)
    rows: Page[Relationship] = await paginate(session, statement, [Relationship.id], page, lambda row: row[0])
    views = await queries.relationship_views(session, rows.items)
    return Page[RelationshipView](items=views, next_cursor=rows.next_cursor)


@router.get("/customers/{customer_id}/network", responses=problem_responses(404))
async def get_customer_network(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    depth: Annotated[int, Query(ge=1, le=4, description="Steps from the customer")] = 1,
    kinds: Annotated[Kinds | None, Query(description="Comma separated; all by default")] = None,
    direction: Annotated[Direction, Query(description="Along the relations, against them, or both")] = "both",
    as_of: AsOf = None,
    limit: Most = 200,
) -> Network:
    """The customers around one and the relations among them. Those of other branches are counted only."""
    ways = queries.walkable(_chosen(kinds), direction)
    day = as_of or clock.today()
    return await networks.network(session, vault, customer_id, ways, day, depth=depth, limit=limit)


@router.get("/customers/{customer_id}/paths", responses=problem_responses(404))
async def get_customer_paths(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    to: Annotated[UUID, Query(description="The other customer")],
    max_depth: Annotated[int, Query(ge=1, le=6, description="Longest chain to look for")] = 6,
    as_of: AsOf = None,
) -> Paths:
    """How two customers are connected: the shortest chains of relations between them."""
    day = as_of or clock.today()
    return await networks.paths(session, vault, customer_id, to, day, max_depth=max_depth)


@router.get("/customers/{customer_id}/supply-chain", responses=problem_responses(404))
async def get_customer_supply_chain(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    levels: Annotated[int, Query(ge=1, le=4, description="Levels to each side")] = 2,
    as_of: AsOf = None,
    limit: Most = 200,
) -> SupplyChain:
    """Suppliers and their suppliers, buyers and distributors and theirs, level by level."""
    day = as_of or clock.today()
    return await networks.supply_chain(session, vault, customer_id, day, levels=levels, limit=limit)


@router.get("/customers/{customer_id}/group", responses=problem_responses(404))
async def get_customer_group(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    as_of: AsOf = None,
    limit: Most = 500,
) -> Group:
    """The company tree from its head down, with balances of every member and of all together."""
    return await networks.group(session, vault, customer_id, as_of or clock.today(), limit=limit)


@router.get("/customers/{customer_id}/leads", responses=problem_responses(404))
async def list_customer_leads(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    as_of: AsOf = None,
    limit: Most = 100,
) -> Leads:
    """Linked marketing: who around a core company lacks what the company or its peers have, best first."""
    return await leads(session, vault, customer_id, as_of or clock.today(), limit=limit)


def _chosen(kinds: str | None) -> list[str] | None:
    if kinds is None:
        return None
    chosen = list(dict.fromkeys(kinds.split(",")))
    unknown = [kind for kind in chosen if kind not in WORDS]
    if unknown:
        raise Unprocessable(
            "There are no such kinds", errors=[FieldError("/query/kinds", f"unknown: {', '.join(unknown)}")]
        )
    return chosen
