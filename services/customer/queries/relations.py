"""Relations walked in SQL: the same step serves neighbourhoods, supply chains, groups and paths.

Edges lead to the survivors of merges; customers of other branches are counted, not named and not walked
through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.relations import UNKNOWN_BEGINNING, WORDS
from services.customer.domain.vault import Vault
from services.customer.models import Customer, Relationship
from services.customer.queries.customers import opened
from shared.contracts.customer.relations import EdgeView, NodeView, RelationshipView
from shared.db import fetch
from shared.errors import NotFound

WALK_ROWS = 50_000
"""What one walk may visit before it says that it was cut off."""

# One step from the customer `w.node` and all merged into it. `out_kinds` are walked from `from` to `to`,
# `in_kinds` the other way.
STEP = """
CROSS JOIN LATERAL (
  SELECT e.id, e.kind, e.share, e.strength, e.valid_from, e.valid_to, e.forward,
    coalesce(c.merged_into, e.other) AS other, c.id IS NOT NULL AS visible
  FROM (SELECT w.node AS home UNION ALL SELECT m.id FROM customer m WHERE m.merged_into = w.node) f
  CROSS JOIN LATERAL (
    SELECT r.*, true AS forward, r.to_id AS other FROM relationship r
    WHERE r.from_id = f.home AND r.kind = ANY(%(out_kinds)b::text[])
    UNION ALL
    SELECT r.*, false, r.from_id FROM relationship r
    WHERE r.to_id = f.home AND r.kind = ANY(%(in_kinds)b::text[])
  ) e
  LEFT JOIN customer c ON c.id = e.other
  WHERE e.valid_from <= %(as_of)s AND (e.valid_to IS NULL OR e.valid_to > %(as_of)s)
    AND coalesce(c.merged_into, e.other) <> w.node
) s
"""

# Breadth first by nature of the recursion; the outer LIMIT ends it early in a network without end.
_WALK = f"""
WITH RECURSIVE reach(node, depth, visible) AS (
  SELECT %(root)s::uuid, 0, true
  UNION
  SELECT s.other, w.depth + 1, s.visible FROM reach w {STEP}
  WHERE w.visible AND w.depth < %(depth)s
), walked AS MATERIALIZED (SELECT * FROM reach LIMIT %(rows)s)
SELECT node, min(depth), bool_or(visible), (SELECT count(*) FROM walked) FROM walked
GROUP BY node ORDER BY 2, 1 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants

_EDGES = f"""
SELECT DISTINCT ON (1, 2, 3) CASE WHEN s.forward THEN w.node ELSE s.other END,
  CASE WHEN s.forward THEN s.other ELSE w.node END, s.kind, s.share, s.strength, s.valid_from, s.valid_to
FROM unnest(%(nodes)b::uuid[]) AS w(node) {STEP}
WHERE s.other = ANY(%(others)b::uuid[])
ORDER BY 1, 2, 3, s.share DESC NULLS LAST, s.id
"""  # noqa: S608 - put together from constants

_NODES = """
SELECT c.id, c.kind, c.org_path, c.primary_manager, c.pii, k.wrapped_key
FROM unnest(%(nodes)b::uuid[]) AS i(id) JOIN customer c USING (id)
LEFT JOIN customer_key k ON k.customer_id = c.id
"""

_SURVIVOR = "SELECT coalesce(merged_into, id) FROM customer WHERE id = %(customer)s"


@dataclass(frozen=True, slots=True)
class Walkable:
    """Which kinds may be walked along (`out_kinds`) and against (`in_kinds`) their direction."""

    out_kinds: Sequence[str]
    in_kinds: Sequence[str]


SUPPLIED_BY = Walkable(out_kinds=["distributes"], in_kinds=["supplies"])
"""Upstream: whose goods come here."""
SUPPLIES_TO = Walkable(out_kinds=["supplies"], in_kinds=["distributes"])
PARENT_OF = Walkable(out_kinds=["parent"], in_kinds=[])
CHILD_OF = Walkable(out_kinds=[], in_kinds=["parent"])


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Depth of every customer found, those not visible apart."""

    depths: dict[UUID, int]
    hidden: dict[UUID, int]
    truncated: bool


def walkable(kinds: Sequence[str] | None, direction: str) -> Walkable:
    """Symmetric relations are walked both ways whatever the direction."""
    chosen = list(kinds or WORDS)
    symmetric = [kind for kind in chosen if WORDS[kind].symmetric]
    return Walkable(
        out_kinds=chosen if direction in {"out", "both"} else symmetric,
        in_kinds=chosen if direction in {"in", "both"} else symmetric,
    )


async def survivor(session: AsyncSession, customer_id: UUID) -> UUID:
    """Whose relations are read: the customer itself or who it was merged into. 404 when not visible."""
    rows = await fetch(session, _SURVIVOR, {"customer": customer_id})
    if not rows:
        raise NotFound("There is no such customer in your organisation")
    found: UUID = rows[0][0]
    return found


async def walk(
    session: AsyncSession, root: UUID, ways: Walkable, as_of: date, *, depth: int, limit: int
) -> Neighbourhood:
    """Everybody within `depth` steps of `root`, the nearest first, at most `limit`."""
    parameters = {
        "root": root,
        "depth": depth,
        "limit": limit + 1,
        "rows": WALK_ROWS,
        **_ways(ways, as_of),
    }
    rows = await fetch(session, _WALK, parameters)
    shown = rows[:limit]
    return Neighbourhood(
        depths={row[0]: row[1] for row in shown if row[2]},
        hidden={row[0]: row[1] for row in shown if not row[2]},
        truncated=len(rows) > limit or rows[0][3] >= WALK_ROWS,
    )


async def edges_between(
    session: AsyncSession, nodes: Sequence[UUID], others: Sequence[UUID], ways: Walkable, as_of: date
) -> list[EdgeView]:
    """The relations from `nodes` to `others`, each once."""
    parameters = {"nodes": list(nodes), "others": list(others), **_ways(ways, as_of)}
    return [
        EdgeView(
            from_id=row[0],
            to_id=row[1],
            kind=row[2],
            share=row[3],
            strength=row[4],
            valid_from=_known(row[5]),
            valid_to=row[6],
        )
        for row in await fetch(session, _EDGES, parameters)
    ]


async def node_views(
    session: AsyncSession, vault: Vault, depths: dict[UUID, int], hidden: dict[UUID, int]
) -> list[NodeView]:
    """The customers with masked names, the hidden ones by id alone; nearest first."""
    rows = await fetch(session, _NODES, {"nodes": list(depths)})
    views = [
        NodeView(
            customer_id=row[0],
            depth=depths[row[0]],
            hidden=False,
            name=opened(vault, row[0], row[5], row[4], reveal=False)["name"],
            kind=row[1],
            org=row[2],
            primary_manager=row[3],
        )
        for row in rows
    ]
    views += [
        NodeView(
            customer_id=customer_id,
            depth=depth,
            hidden=True,
            name=None,
            kind=None,
            org=None,
            primary_manager=None,
        )
        for customer_id, depth in hidden.items()
    ]
    return sorted(views, key=lambda view: (view.depth, view.customer_id))


def _ways(ways: Walkable, as_of: date) -> dict[str, object]:
    return {"out_kinds": list(ways.out_kinds), "in_kinds": list(ways.in_kinds), "as_of": as_of}


async def relationships_of(
    session: AsyncSession, customer_id: UUID, kind: str | None, as_of: date | None
) -> Select[Relationship]:
    """The relations of the customer's whole family, all of them or those that hold on a day."""
    whose = await survivor(session, customer_id)
    family = select(Customer.id).where(or_(Customer.id == whose, Customer.merged_into == whose))
    statement = select(Relationship).where(
        or_(Relationship.from_id.in_(family), Relationship.to_id.in_(family))
    )
    if kind is not None:
        statement = statement.where(Relationship.kind == kind)
    if as_of is not None:
        open_then = or_(Relationship.valid_to.is_(None), Relationship.valid_to > as_of)
        statement = statement.where(Relationship.valid_from <= as_of, open_then)
    return statement


async def relationship_view(session: AsyncSession, relationship_id: UUID) -> RelationshipView:
    row = await session.get(Relationship, relationship_id)
    if row is None:
        raise NotFound("There is no such relationship in your organisation")
    return (await relationship_views(session, [row]))[0]


async def relationship_views(session: AsyncSession, rows: Sequence[Relationship]) -> list[RelationshipView]:
    ends = {end for row in rows for end in (row.from_id, row.to_id)}
    merged = await session.execute(
        select(Customer.id, Customer.merged_into).where(
            Customer.id.in_(ends), Customer.merged_into.is_not(None)
        )
    )
    survivors = {row.id: row.merged_into for row in merged}
    return [
        RelationshipView.model_validate(
            {
                "from_id": survivors.get(row.from_id, row.from_id),
                "to_id": survivors.get(row.to_id, row.to_id),
                "valid_from": _known(row.valid_from),
                **{name: getattr(row, name) for name in _PLAIN},
            }
        )
        for row in rows
    ]


_PLAIN = (
    "id",
    "kind",
    "valid_to",
    "share",
    "strength",
    "source",
    "version",
    "created_by",
    "created_at",
    "updated_at",
)


def _known(day: date) -> date | None:
    return None if day == UNKNOWN_BEGINNING else day
