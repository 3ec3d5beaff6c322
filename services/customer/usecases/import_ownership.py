"""One chunk of an ownership file: branch and managers of customers that exist."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.usecases.effects import touch
from services.customer.usecases.families import lock_families
from services.customer.usecases.import_reading import Chunk, ChunkResult, Rejection
from services.customer.usecases.ownership import name_cause
from services.customer.usecases.publishing import publish_customers
from shared.db import fetch

_COLUMNS = ("source", "source_id", "org", "primary_manager", "backup_manager")

# Whose row it is, and whether the unit and the managers are active and visible. An identity of a merged
# customer speaks for the survivor.
_LOOK_UP = """
SELECT i.n - 1, coalesce(c.merged_into, c.id), o.code IS NOT NULL,
  i.primary_manager IS NULL OR p.code IS NOT NULL, i.backup_manager IS NULL OR b.code IS NOT NULL
FROM unnest(%(source)b::text[], %(source_id)b::text[], %(org)b::text[], %(primary_manager)b::text[],
            %(backup_manager)b::text[]) WITH ORDINALITY
  AS i(source, source_id, org, primary_manager, backup_manager, n)
LEFT JOIN source_identity s ON s.source = i.source AND s.source_id = i.source_id
LEFT JOIN customer c ON c.id = s.customer_id
LEFT JOIN org_unit o ON o.code = i.org AND o.active
LEFT JOIN staff p ON p.code = i.primary_manager AND p.active
LEFT JOIN staff b ON b.code = i.backup_manager AND b.active
ORDER BY i.n
"""

_ASSIGN = """
UPDATE customer c SET org_path = i.org, primary_manager = i.primary_manager,
  backup_manager = i.backup_manager
FROM unnest(%(id)b::uuid[], %(org)b::text[], %(primary_manager)b::text[], %(backup_manager)b::text[])
  AS i(id, org, primary_manager, backup_manager)
WHERE (c.id = i.id OR c.merged_into = i.id)
  AND (c.org_path, c.primary_manager, c.backup_manager)
    IS DISTINCT FROM (i.org, i.primary_manager, i.backup_manager)
RETURNING c.id, c.merged_into IS NULL
"""


class _Found(NamedTuple):
    position: int
    customer_id: UUID | None
    org: bool
    primary: bool
    backup: bool

    def wrong(self, chunk: Chunk) -> tuple[str, str] | None:
        primary = chunk.columns["primary_manager"][self.position]
        if self.customer_id is None:
            return "source_id", "is no customer you can see"
        if not self.org:
            return "org", "is not an active unit you can see"
        if not self.primary:
            return "primary_manager", "is not active staff you can see"
        if not self.backup:
            return "backup_manager", "is not active staff you can see"
        if primary is not None and primary == chunk.columns["backup_manager"][self.position]:
            return "backup_manager", "must differ from primary_manager"
        return None


@dataclass(frozen=True, slots=True)
class OwnershipRows:
    """Takes the rows of one ownership file; empty managers are taken away."""

    async def begin(self, session: AsyncSession) -> None:
        """Nothing to know before."""

    def prepare(self, chunk: Chunk) -> Chunk:
        return chunk

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        named = {name: chunk.columns[name] for name in _COLUMNS}
        found = [_Found(*row) for row in await fetch(session, _LOOK_UP, named)]
        wrong = {one.position: reason for one in found if (reason := one.wrong(chunk))}
        # Of several identities of one customer the last row counts.
        last = {one.customer_id: one.position for one in found if one.position not in wrong}
        changed = await _assign(session, chunk, last) if last else 0
        rejected = [Rejection(chunk.rows[position], *reason) for position, reason in sorted(wrong.items())]
        return ChunkResult(
            rejected=[*chunk.rejected, *rejected],
            updated=changed,
            unchanged=len(found) - len(wrong) - changed,
        )


async def _assign(session: AsyncSession, chunk: Chunk, last: dict[UUID | None, int]) -> int:
    parameters: dict[str, Any] = {
        name: [chunk.columns[name][position] for position in last.values()] for name in _COLUMNS[2:]
    }
    parameters["id"] = list(last)
    await name_cause(session, "import")
    await lock_families(session, [one for one in last if one is not None], with_members=True)
    rows = await fetch(session, _ASSIGN, parameters)
    family = [row[0] for row in rows]
    await touch(session, family)
    await publish_customers(session, family)
    return sum(row[1] for row in rows)
