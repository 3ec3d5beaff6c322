"""What is written once: a change is the key's next version."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import ComplianceList, ContactPolicy, Material, PriceList, Script

Versioned = type[Script] | type[Material] | type[ComplianceList] | type[ContactPolicy] | type[PriceList]


async def next_version(session: AsyncSession, table: Versioned, key: str) -> int:
    """Two writers at once wait for each other rather than collide."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1))")
    await session.execute(lock, {"name": f"{table.__tablename__}/{key}"})
    last = await session.scalar(select(func.max(table.version)).where(table.key == key))
    return (last or 0) + 1
