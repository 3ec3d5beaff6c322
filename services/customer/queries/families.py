"""A person's file with all files merged into it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import fetch
from shared.errors import NotFound

_FAMILY = """
WITH asked AS (SELECT coalesce(merged_into, id) AS head FROM customer WHERE id = %(id)s)
SELECT c.id, c.ordinal, c.status, c.org_path FROM customer c, asked WHERE c.id = head
UNION ALL
SELECT c.id, c.ordinal, c.status, c.org_path FROM customer c, asked WHERE c.merged_into = head
"""
_LOCK = "SELECT id FROM customer WHERE id = ANY(%(ids)b::uuid[]) ORDER BY id FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Family:
    """`head` is the survivor and the first of `ids`; `ordinals` go with `ids`."""

    head: UUID
    status: str
    org_path: str
    ids: list[UUID]
    ordinals: list[int]


async def family_of(session: AsyncSession, customer_id: UUID, *, lock: bool = False) -> Family:
    """The family of any of its members; 404 when the customer is not visible."""
    rows = await fetch(session, _FAMILY, {"id": customer_id})
    if rows and lock:
        await fetch(session, _LOCK, {"ids": [row[0] for row in rows]})
        rows = await fetch(session, _FAMILY, {"id": customer_id})
    if not rows:
        raise NotFound("There is no such customer in your organisation")
    head, _, status, org_path = rows[0]
    return Family(head, status, org_path, [row[0] for row in rows], [row[1] for row in rows])
