"""Neighbourhoods, supply chains, company groups and the paths between two customers."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.relations import WORDS
from services.customer.domain.trees import chains, is_circular
from services.customer.domain.vault import Vault
from services.customer.queries.relations import (
    CHILD_OF,
    PARENT_OF,
    STEP,
    SUPPLIED_BY,
    SUPPLIES_TO,
    Neighbourhood,
    Walkable,
    edges_between,
    node_views,
    survivor,
    walk,
)
from shared.contracts.customer.overview import CurrencyTotal
from shared.contracts.customer.relations import (
    ChainLevel,
    EdgeView,
    Group,
    GroupMember,
    Network,
    NodeView,
    Paths,
    PathStep,
    SupplyChain,
)
from shared.db import fetch

GROUP_DEPTH = 20
_EVERY_WAY = Walkable(out_kinds=list(WORDS), in_kinds=list(WORDS))
FRONTIER = 5_000
"""Customers one level of a path search may have before it is cut off."""
_PATHS = 10

_TOTALS = """
SELECT f.member, h.currency,
  coalesce(sum(h.balance) FILTER (WHERE p.category NOT IN ('loan', 'card')), 0)::numeric(20, 2),
  coalesce(sum(h.balance) FILTER (WHERE p.category IN ('loan', 'card')), 0)::numeric(20, 2)
FROM (SELECT i AS home, i AS member FROM unnest(%(members)b::uuid[]) AS i
      UNION ALL SELECT c.id, c.merged_into FROM customer c WHERE c.merged_into = ANY(%(members)b::uuid[])) f
JOIN holding h ON h.customer_id = f.home JOIN product p ON p.code = h.product
WHERE h.closed_on IS NULL OR h.closed_on < h.as_of
GROUP BY 1, 2 ORDER BY 1, 2
"""


_NEXT = f"""
SELECT DISTINCT w.node, s.other FROM unnest(%(nodes)b::uuid[]) AS w(node) {STEP} WHERE s.visible ORDER BY 1, 2
"""  # noqa: S608 - put together from constants


async def network(
    session: AsyncSession,
    vault: Vault,
    customer_id: UUID,
    ways: Walkable,
    as_of: date,
    *,
    depth: int,
    limit: int,
) -> Network:
    """Everybody within `depth` steps and all relations among them."""
    root = await survivor(session, customer_id)
    found = await walk(session, root, ways, as_of, depth=depth, limit=limit)
    return Network(
        customer_id=root,
        as_of=as_of,
        nodes=await node_views(session, vault, found.depths, found.hidden),
        edges=await _edges(session, found, ways, as_of),
        hidden=len(found.hidden),
        truncated=found.truncated,
    )


async def supply_chain(
    session: AsyncSession, vault: Vault, customer_id: UUID, as_of: date, *, levels: int, limit: int
) -> SupplyChain:
    """Upstream and downstream separately: who is on both sides appears on both."""
    root = await survivor(session, customer_id)
    up = await walk(session, root, SUPPLIED_BY, as_of, depth=levels, limit=limit)
    down = await walk(session, root, SUPPLIES_TO, as_of, depth=levels, limit=limit)
    return SupplyChain(
        customer_id=root,
        as_of=as_of,
        upstream=await _levels(session, vault, up),
        downstream=await _levels(session, vault, down),
        truncated=up.truncated or down.truncated,
    )


async def group(session: AsyncSession, vault: Vault, customer_id: UUID, as_of: date, *, limit: int) -> Group:
    """The company tree around a customer with what its members hold."""
    root = await survivor(session, customer_id)
    head = await _head(session, root, as_of)
    found = await walk(session, head, PARENT_OF, as_of, depth=GROUP_DEPTH, limit=limit)
    edges = await _edges(session, found, PARENT_OF, as_of)
    above = _parents(edges, found)
    held = await holdings_of(session, list(found.depths))
    members = [
        GroupMember(
            **node.model_dump(),
            parent_id=above[node.customer_id].from_id if node.customer_id in above else None,
            share=above[node.customer_id].share if node.customer_id in above else None,
            totals=held.get(node.customer_id, []),
        )
        for node in await node_views(session, vault, found.depths, found.hidden)
    ]
    return Group(
        customer_id=root,
        as_of=as_of,
        head_id=head,
        members=members,
        totals=sum_up(totals for totals in held.values()),
        hidden=len(found.hidden),
        circular=is_circular((edge.from_id, edge.to_id) for edge in edges),
        truncated=found.truncated,
    )


async def paths(
    session: AsyncSession, vault: Vault, start: UUID, end: UUID, as_of: date, *, max_depth: int
) -> Paths:
    """Every shortest chain of relations, searched level by level from both ends; at most ten are told."""
    start, end = await survivor(session, start), await survivor(session, end)
    near, far = _Search(start), _Search(end)
    while not near.meets(far) and near.level and far.level and near.depth + far.depth < max_depth:
        # The side with less to look at: a hub is met from outside rather than walked out of.
        smaller = min(near, far, key=lambda side: len(side.level))
        await smaller.step_out(session, as_of)
    cut = near.cut or far.cut
    meeting = near.meets(far)
    if not meeting:
        return Paths(from_id=start, to_id=end, length=None, paths=[], nodes=[], truncated=cut)
    ways, more = _joined(near, far, meeting)
    depths = {node: position for way in ways for position, node in enumerate(way)}
    edges_found = await edges_between(session, list(depths), list(depths), _EVERY_WAY, as_of)
    return Paths(
        from_id=start,
        to_id=end,
        length=near.depth + far.depth,
        paths=[_steps(way, edges_found) for way in ways],
        nodes=await node_views(session, vault, depths, {}),
        truncated=cut or more,
    )


class _Search:
    """One side of a path search: who was reached, over whom, and the outermost level."""

    def __init__(self, root: UUID) -> None:
        self.root = root
        self.befores: dict[UUID, list[UUID]] = {root: []}
        self.level = [root]
        self.depth = 0
        self.cut = False

    async def step_out(self, session: AsyncSession, as_of: date) -> None:
        """One level further; of a very wide one only the first customers."""
        reached: dict[UUID, list[UUID]] = {}
        for near, far in await _outward(session, self.level, _EVERY_WAY, as_of):
            if far not in self.befores:
                reached.setdefault(far, []).append(near)
        self.cut = self.cut or len(reached) > FRONTIER
        self.level = sorted(reached)[:FRONTIER]
        self.befores.update({node: reached[node] for node in self.level})
        self.depth += 1

    def meets(self, other: "_Search") -> list[UUID]:
        """Who was reached from both sides."""
        return sorted(self.befores.keys() & other.befores.keys())


def _joined(near: _Search, far: _Search, meeting: Sequence[UUID]) -> tuple[list[list[UUID]], bool]:
    """Whole ways out of their two halves, at most ten; whether there are more."""
    ways: list[list[UUID]] = []
    more = False
    for middle in meeting:
        first, some = chains(near.befores, near.root, middle, _PATHS)
        second, others = chains(far.befores, far.root, middle, _PATHS)
        ways += [[*here, *there[-2::-1]] for here in first for there in second]
        more = more or some or others
    return ways[:_PATHS], more or len(ways) > _PATHS


def sum_up(totals: Iterable[Sequence[CurrencyTotal]]) -> list[CurrencyTotal]:
    """One sum a currency, to the cent."""
    sums: dict[str, list[Decimal]] = {}
    for part in (one for several in totals for one in several):
        pair = sums.setdefault(part.currency, [Decimal("0.00"), Decimal("0.00")])
        pair[0] += part.assets
        pair[1] += part.liabilities
    return [
        CurrencyTotal(currency=currency, assets=assets, liabilities=liabilities)
        for currency, (assets, liabilities) in sorted(sums.items())
    ]


async def _edges(session: AsyncSession, found: Neighbourhood, ways: Walkable, as_of: date) -> list[EdgeView]:
    everybody = [*found.depths, *found.hidden]
    return await edges_between(session, list(found.depths), everybody, ways, as_of)


async def _levels(session: AsyncSession, vault: Vault, found: Neighbourhood) -> list[ChainLevel]:
    nodes = await node_views(session, vault, found.depths, found.hidden)
    by_level: dict[int, list[NodeView]] = {}
    for node in nodes:
        if node.depth:
            by_level.setdefault(node.depth, []).append(node)
    return [
        ChainLevel(level=level, customers=there, hidden=sum(node.hidden for node in there))
        for level, there in sorted(by_level.items())
    ]


async def _head(session: AsyncSession, root: UUID, as_of: date) -> UUID:
    """Up the chain of main parents to the last the caller sees; in a circle the first seen twice ends it."""
    seen = [root]
    while len(seen) <= GROUP_DEPTH:
        above = await walk(session, seen[-1], CHILD_OF, as_of, depth=1, limit=100)
        parents = [node for node, depth in above.depths.items() if depth and node not in seen]
        if not parents:
            break
        edges = await edges_between(session, [seen[-1]], parents, CHILD_OF, as_of)
        main = min(edges, key=lambda edge: (-(edge.share or Decimal(0)), edge.from_id))
        seen.append(main.from_id)
    return seen[-1]


def _parents(edges: Sequence[EdgeView], found: Neighbourhood) -> dict[UUID, EdgeView]:
    """The edge each member hangs on: from the level above, the largest share first."""
    depths = {**found.depths, **found.hidden}
    above: dict[UUID, EdgeView] = {}
    for edge in sorted(edges, key=lambda edge: (-(edge.share or Decimal(0)), edge.from_id)):
        if depths[edge.from_id] == depths[edge.to_id] - 1:
            above.setdefault(edge.to_id, edge)
    return above


async def holdings_of(session: AsyncSession, members: Sequence[UUID]) -> dict[UUID, list[CurrencyTotal]]:
    """What each customer and all merged into it hold in open accounts."""
    totals: dict[UUID, list[CurrencyTotal]] = {}
    rows: list[tuple[Any, ...]] = await fetch(session, _TOTALS, {"members": list(members)})
    for member, currency, assets, liabilities in rows:
        part = CurrencyTotal(currency=currency, assets=assets, liabilities=liabilities)
        totals.setdefault(member, []).append(part)
    return totals


async def _outward(
    session: AsyncSession, level: Sequence[UUID], ways: Walkable, as_of: date
) -> list[tuple[UUID, UUID]]:
    rows = await fetch(
        session,
        _NEXT,
        {"nodes": list(level), "out_kinds": ways.out_kinds, "in_kinds": ways.in_kinds, "as_of": as_of},
    )
    return [(row[0], row[1]) for row in rows]


def _steps(way: Sequence[UUID], edges: Sequence[EdgeView]) -> list[PathStep]:
    """The relation behind each step: the strongest share first, as `edges_between` orders them."""
    forward = {(edge.from_id, edge.to_id): edge for edge in reversed(edges)}
    steps = []
    for near, far in pairwise(way):
        edge = forward.get((near, far))
        back = forward.get((far, near))
        chosen = edge or back
        if chosen is None:
            raise AssertionError("a step without a relation")
        steps.append(PathStep(from_id=near, to_id=far, kind=chosen.kind, forward=edge is not None))
    return steps
