"""Erasures and what is being written about the erased take turns."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import text

from services.campaign.usecases.contributions import store_contributions
from services.campaign.usecases.erasures import forget
from shared.contracts.events import CustomerErased
from shared.ids import new_id
from tests.campaign.conftest import Bank, a_customer
from tests.campaign.desk import ref
from tests.campaign.test_price_quotes import told


async def test_an_erasure_waits_for_what_is_being_written(empty_bank: Bank) -> None:
    customer = a_customer(0)
    await empty_bank.add_customers([customer])
    database = empty_bank.campaign.runtime.db
    event = CustomerErased(receipt_id=new_id(), customers=[ref(customer)], erased_at=datetime.now(UTC))

    async def erase() -> None:
        async with database.transaction() as session:
            await forget(session, event)

    async with database.transaction() as session:
        await store_contributions(session, told(customer, "3000.00"))
        erasing = asyncio.create_task(erase())
        await asyncio.wait([erasing], timeout=1)
        assert not erasing.done()
    await asyncio.wait_for(erasing, 30)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM known_contribution")) == 0
