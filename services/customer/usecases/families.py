"""Customers, whom they were merged into and who was merged into them, locked together in the order of ids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import fetch

_LOCK = """
SELECT id, merged_into FROM customer WHERE id = ANY(%(ids)b::uuid[] || ARRAY(
  SELECT merged_into FROM customer WHERE id = ANY(%(ids)b::uuid[]) AND merged_into IS NOT NULL))
ORDER BY id FOR NO KEY UPDATE
"""

_IDENTIFIED = """
SELECT DISTINCT s.customer_id FROM unnest(%(source)b::text[], %(source_id)b::text[]) AS i(source, source_id)
JOIN source_identity s USING (source, source_id)
"""

_MEMBERS = "SELECT id FROM customer WHERE merged_into = ANY(%(ids)b::uuid[])"

# Whom a merged customer was merged into before: undone to there, its word counts for that one again.
_STATIONS = """
SELECT m.customer_id, m.previous_survivor FROM merge_member m JOIN merge g ON g.id = m.merge_id
WHERE m.customer_id = ANY(%(ids)b::uuid[]) AND m.previous_survivor IS NOT NULL AND g.undone_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Families:
    """What stands as long as the locks are held."""

    locked: frozenset[UUID]
    survivors: dict[UUID, UUID]
    """Of each customer that was merged, the survivor."""
    stations: Sequence[tuple[UUID, UUID]]
    """Merged customers, each with an earlier survivor: undoing makes that one a customer of its own again."""


async def lock_families(
    session: AsyncSession, ids: Iterable[UUID], *, with_members: bool = False
) -> Families:
    """Lock these customers with their present and earlier survivors; `with_members`, with those merged into
    them, who share their owners.

    Who was merged while we waited has a survivor that is not locked yet and may come earlier in the order:
    then everything is let go and locked again, so that nobody waits in a ring.
    """
    named = frozenset(ids)
    wanted = set(named)
    while True:
        async with session.begin_nested() as savepoint:
            rows = await fetch(session, _LOCK, {"ids": list(wanted)})
            survivors = {home: survivor for home, survivor in rows if survivor is not None}
            found = await fetch(session, _STATIONS, {"ids": list(survivors)}) if survivors else []
            stations = [(row[0], row[1]) for row in found]
            locked = frozenset(row[0] for row in rows)
            family = {*survivors.values(), *(station for _, station in stations)}
            if with_members:
                family |= {row[0] for row in await fetch(session, _MEMBERS, {"ids": list(named)})}
            if family <= locked | wanted:
                return Families(locked, survivors, stations)
            await savepoint.rollback()
        wanted |= family


async def lock_identified(session: AsyncSession, identities: Mapping[str, Sequence[str | None]]) -> None:
    """Lock the whole families of those whom these identities (columns source, source_id) name."""
    rows = await fetch(session, _IDENTIFIED, identities)
    if rows:
        await lock_families(session, [row[0] for row in rows], with_members=True)
