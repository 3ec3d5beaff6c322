"""Who was erased."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ERASED = text("""
SELECT (customer ->> 'ordinal')::int FROM segmentation_erasure, jsonb_array_elements(customers) AS customer
""")


async def erased_ordinals(session: AsyncSession) -> set[int]:
    """Who must not be written again, whatever a store still has: a replica may be behind."""
    return set(await session.scalars(_ERASED))
