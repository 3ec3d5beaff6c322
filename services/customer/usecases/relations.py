"""Relations told in batches: resolved, checked and stored as a set; told twice they are one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.relations import UNKNOWN_BEGINNING, WORDS, unfitting_end
from services.customer.models import Customer, Relationship
from services.customer.usecases.publishing import publish_relations
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import Problem, ProblemItem
from shared.contracts.customer.relations import (
    CustomerEnd,
    RelationshipItemResult,
    RelationshipPatch,
    RelationshipsResult,
    RelationshipWrite,
)
from shared.db import fetch
from shared.errors import FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

INVALID = "/problems/relationship-invalid"

Status = Literal["created", "updated", "unchanged", "rejected"]
Edge = tuple[UUID, str, UUID, date]


@dataclass(frozen=True, slots=True)
class Told:
    """One relation as somebody told it; each end by id or by identity."""

    from_id: UUID | None
    from_source: str | None
    from_source_id: str | None
    to_id: UUID | None
    to_source: str | None
    to_source_id: str | None
    kind: str
    source: str
    valid_from: date | None = None
    valid_to: date | None = None
    share: Decimal | None = None
    strength: Decimal | None = None


@dataclass(slots=True)
class Taken:
    """What became of one of them. `end` names the field that is wrong: from, to or kind."""

    status: Status
    id: UUID | None = None
    end: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Batch:
    edges: dict[Edge, Told] = field(default_factory=dict)
    edge_of: dict[int, Edge] = field(default_factory=dict)


_RESOLVE = """
SELECT i.n - 1, c.id, c.kind
FROM unnest(%(id)b::uuid[], %(source)b::text[], %(source_id)b::text[]) WITH ORDINALITY
  AS i(id, source, source_id, n)
LEFT JOIN source_identity s ON s.source = i.source AND s.source_id = i.source_id
JOIN customer c ON c.id = CASE WHEN i.id IS NULL THEN s.customer_id ELSE i.id END
WHERE c.status <> 'erased'
"""

# What is not told stays as it was: a file without shares must not clear them.
_STORE = """
WITH told AS (
  SELECT * FROM unnest(%(id)b::uuid[], %(from_id)b::uuid[], %(kind)b::text[], %(to_id)b::uuid[],
    %(valid_from)b::date[], %(valid_to)b::date[], %(share)b::numeric[], %(strength)b::numeric[],
    %(source)b::text[])
    AS t(id, from_id, kind, to_id, valid_from, valid_to, share, strength, source)
), stored AS (
  INSERT INTO relationship AS r (id, from_id, kind, to_id, valid_from, valid_to, share, strength, source,
    created_by, created_at, updated_at)
  SELECT id, from_id, kind, to_id, valid_from, valid_to, share, strength, source, %(by)s, %(at)s, %(at)s
  FROM told ORDER BY from_id, kind, to_id, valid_from
  ON CONFLICT (from_id, kind, to_id, valid_from) DO UPDATE SET
    valid_to = coalesce(EXCLUDED.valid_to, r.valid_to), share = coalesce(EXCLUDED.share, r.share),
    strength = coalesce(EXCLUDED.strength, r.strength), source = EXCLUDED.source,
    version = r.version + 1, updated_at = EXCLUDED.updated_at
  WHERE (coalesce(EXCLUDED.valid_to, r.valid_to), coalesce(EXCLUDED.share, r.share),
         coalesce(EXCLUDED.strength, r.strength), EXCLUDED.source)
    IS DISTINCT FROM (r.valid_to, r.share, r.strength, r.source)
  RETURNING r.id, r.from_id, r.kind, r.to_id, r.valid_from, r.version
)
SELECT id, from_id, kind, to_id, valid_from, CASE version WHEN 1 THEN 'created' ELSE 'updated' END
FROM stored
UNION ALL
SELECT r.id, r.from_id, r.kind, r.to_id, r.valid_from, 'unchanged'
FROM told t JOIN relationship r USING (from_id, kind, to_id, valid_from)
WHERE NOT EXISTS (SELECT 1 FROM stored s WHERE s.id = r.id)
"""


async def post_relationships(
    session: AsyncSession, principal: Principal, items: Sequence[RelationshipWrite]
) -> RelationshipsResult:
    """Take what is valid; the others are named with their reason."""
    refuse_foreign_ends(principal, items)
    told = [_told(principal, item) for item in items]
    taken = await take_relations(session, told, principal.id, clock.now())
    counts: dict[str, int] = {status: sum(1 for one in taken if one.status == status) for status in _COUNTED}
    if counts["created"] or counts["updated"]:
        audit(session, principal, "relate", "relationships", counts)
    return RelationshipsResult(**counts, items=[_result(index, one) for index, one in enumerate(taken)])


_COUNTED: tuple[Status, ...] = ("created", "updated", "unchanged", "rejected")


def refuse_foreign_ends(principal: Principal, items: Sequence[RelationshipWrite]) -> None:
    """A source system may only name its own ids and speak for itself."""
    if principal.source is None:
        return
    for index, item in enumerate(items):
        named = {
            "from/identity/source": item.from_.identity and item.from_.identity.source,
            "to/identity/source": item.to.identity and item.to.identity.source,
            "source": item.source,
        }
        for pointer, source in named.items():
            if source not in {None, principal.source}:
                raise Forbidden(
                    f"This key may only write source '{principal.source}'",
                    errors=[FieldError(f"/items/{index}/{pointer}", "belongs to another system")],
                    slug="foreign-source",
                )


async def take_relations(session: AsyncSession, told: Sequence[Told], by: str, at: datetime) -> list[Taken]:
    """Store `told`, in their order what became of each. Of the same edge twice the last counts."""
    if not told:
        return []
    ends = await _ends(session, told)
    taken = [Taken("unchanged") for _ in told]
    batch = _Batch()
    for index, (one, start, end) in enumerate(zip(told, *ends, strict=True)):
        wrong = _wrong(one, start, end)
        if wrong or start is None or end is None:
            taken[index] = Taken("rejected", None, *(wrong or ("kind", "")))
            continue
        edge = _edge(one, start[0], end[0])
        batch.edges[edge] = one
        batch.edge_of[index] = edge
    stored = await _store(session, batch.edges, by, at)
    await publish_relations(session, [key for key, status in stored.values() if status != "unchanged"])
    last = {edge: index for index, edge in batch.edge_of.items()}
    for index, edge in batch.edge_of.items():
        relationship_id, status = stored[edge]
        taken[index] = Taken(status if last[edge] == index else "unchanged", relationship_id)
    return taken


async def change_relationship(
    session: AsyncSession, principal: Principal, relationship_id: UUID, body: RelationshipPatch, expected: int
) -> None:
    """End it or correct what it weighs; 404 unless both customers are the caller's."""
    row = await session.get(Relationship, relationship_id, with_for_update=True)
    if row is None or not all([await session.get(Customer, end) for end in (row.from_id, row.to_id)]):
        raise NotFound("There is no such relationship in your organisation")
    check_version(row.version, expected)
    if body.valid_to is not None and body.valid_to <= row.valid_from:
        raise Unprocessable(
            "It cannot end before it begins",
            errors=[FieldError("/valid_to", f"must be after {row.valid_from.isoformat()}")],
        )
    for name in body.model_fields_set:
        setattr(row, name, getattr(body, name))
    row.version += 1
    row.updated_at = clock.now()
    await session.flush()
    await publish_relations(session, [row.id])
    detail = {"fields": sorted(body.model_fields_set)}
    audit(session, principal, "change", f"relationship/{relationship_id}", detail)


def _told(principal: Principal, item: RelationshipWrite) -> Told:
    return Told(
        *_named(item.from_),
        *_named(item.to),
        kind=item.kind,
        source=item.source or principal.source or "bank",
        valid_from=item.valid_from,
        valid_to=item.valid_to,
        share=item.share,
        strength=item.strength,
    )


def _named(end: CustomerEnd) -> tuple[UUID | None, str | None, str | None]:
    if end.identity is None:
        return end.customer_id, None, None
    return None, end.identity.source, end.identity.source_id


End = tuple[UUID, str] | None


async def _ends(session: AsyncSession, told: Sequence[Told]) -> tuple[list[End], list[End]]:
    """The customers at both ends with their kinds; none where nobody the caller sees has that name."""
    columns: Mapping[str, list[Any]] = {
        "id": [t.from_id for t in told] + [t.to_id for t in told],
        "source": [t.from_source for t in told] + [t.to_source for t in told],
        "source_id": [t.from_source_id for t in told] + [t.to_source_id for t in told],
    }
    found = {row[0]: (row[1], row[2]) for row in await fetch(session, _RESOLVE, columns)}
    ends = [found.get(index) for index in range(2 * len(told))]
    return ends[: len(told)], ends[len(told) :]


def _wrong(told: Told, start: End, end: End) -> tuple[str, str] | None:
    if start is None or end is None:
        return "from" if start is None else "to", "is no customer you can see"
    if start[0] == end[0]:
        return "to", "is the same customer"
    unfitting = unfitting_end(told.kind, start[1], end[1])
    if unfitting is not None:
        return unfitting, f"cannot be a {start[1] if unfitting == 'from' else end[1]} in '{told.kind}'"
    return None


def _edge(told: Told, start: UUID, end: UUID) -> Edge:
    if WORDS[told.kind].symmetric and end < start:
        start, end = end, start
    return start, told.kind, end, told.valid_from or UNKNOWN_BEGINNING


async def _store(
    session: AsyncSession, edges: Mapping[Edge, Told], by: str, at: datetime
) -> dict[Edge, tuple[UUID, Status]]:
    if not edges:
        return {}
    starts, kinds, ends, beginnings = (list(column) for column in zip(*edges, strict=True))
    parameters = {
        "id": [new_id() for _ in edges],
        "from_id": starts,
        "kind": kinds,
        "to_id": ends,
        "valid_from": beginnings,
        **{name: [getattr(told, name) for told in edges.values()] for name in _TOLD},
        "by": by,
        "at": at,
    }
    rows = await fetch(session, _STORE, parameters)
    return {(row[1], row[2], row[3], row[4]): (row[0], row[5]) for row in rows}


_TOLD = ("valid_to", "share", "strength", "source")


def _result(index: int, taken: Taken) -> RelationshipItemResult:
    if taken.status != "rejected":
        return RelationshipItemResult(index=index, status=taken.status, id=taken.id)
    items = [ProblemItem(pointer=f"/items/{index}/{taken.end}", detail=taken.detail)]
    problem = Problem(type=INVALID, title="The relationship cannot be taken", status=422, errors=items)
    return RelationshipItemResult(index=index, status="rejected", problem=problem)
