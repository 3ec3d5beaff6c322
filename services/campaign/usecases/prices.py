"""Price lists are written once; the next prices are the list's next version."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import PriceList
from services.campaign.queries.prices import list_view
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.price_lists import PriceListView, PriceListWrite


async def create_price_list(
    session: AsyncSession, principal: Principal, request: PriceListWrite
) -> PriceListView:
    """The next version of the key. Two writers at once wait for each other rather than collide."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 5))"), {"key": request.key}
    )
    last = await session.scalar(select(func.max(PriceList.version)).where(PriceList.key == request.key))
    row = PriceList(
        key=request.key,
        version=(last or 0) + 1,
        content=request.model_dump(mode="json"),
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(row)
    await session.flush()
    await audit(session, principal, "create_price_list", f"price_list/{row.key}@{row.version}")
    return list_view(row)
