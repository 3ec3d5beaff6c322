"""Who writes about customers and who forgets them take turns: either the writer sees who is erased, or the
erasure sees what was written. Taken before any row is locked.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import ErasedCustomer
from shared.errors import Conflict

_WRITES = text("SELECT pg_advisory_xact_lock_shared(hashtext('huanying.forgetting'))")
_FORGETS = text("SELECT pg_advisory_xact_lock(hashtext('huanying.forgetting'))")


async def hold_off_erasures(session: AsyncSession) -> None:
    """Until this transaction ends nobody is erased; writers do not wait for each other."""
    await session.execute(_WRITES)


async def wait_for_writers(session: AsyncSession) -> None:
    """Until this transaction ends nothing new is written about anybody."""
    await session.execute(_FORGETS)


async def require_remembered(session: AsyncSession, customer_id: UUID) -> None:
    """Nothing is written about somebody who was forgotten. After `hold_off_erasures`."""
    if await session.get(ErasedCustomer, customer_id) is not None:
        raise Conflict("the customer was erased", slug="customer-erased")
