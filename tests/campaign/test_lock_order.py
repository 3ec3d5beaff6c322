"""Whoever holds a contact may wait for the audit's chain, and nobody the other way round."""

import asyncio
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text, update

from services.campaign.models import Campaign, Task
from services.campaign.usecases.draining import follow_draining
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from tests.campaign.desk import EVERYBODY, Desk, desk
from tests.support import eventually

__all__ = ["desk"]

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM task%'"


async def test_the_clock_ends_a_campaign_beside_somebody_at_work_on_its_task(desk: Desk) -> None:
    database = desk.bank.campaign.runtime.db
    campaign_id = UUID(await desk.bank.launched(scheme=EVERYBODY))

    async def end() -> None:
        async with database.transaction() as session:
            await follow_draining(session)

    async def waits() -> bool:
        async with database.transaction() as session:
            return bool(await session.scalar(text(_WAITING)))

    async with database.transaction() as worker:
        await worker.execute(select(Task).where(Task.campaign_id == campaign_id).with_for_update())
        async with database.transaction() as session:
            over = clock.today() - timedelta(days=1)
            await session.execute(update(Campaign).where(Campaign.id == campaign_id).values(ends_on=over))
        ending = asyncio.create_task(end())
        await eventually(waits, what="the clock, or this test's own")
        await audit(worker, Principal("user:t", frozenset(), "hq"), "look", f"campaign/{campaign_id}")
    await ending

    async def completed() -> bool:
        async with database.transaction() as session:
            status = await session.scalar(select(Campaign.status).where(Campaign.id == campaign_id))
            return status == "completed"

    await eventually(completed, what="the end")
