"""The feature store following what campaigns tell."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog

from services.segmentation.store import campaigns
from services.segmentation.store.store import Store, set_watermark
from services.segmentation.usecases.feed import CustomerFeed
from shared.bus import Delivery
from shared.contracts.events import CampaignCompleted, CampaignLaunched, ContactRecorded, EventData
from shared.service import Runtime

logger = structlog.get_logger()

STREAM = "CAMPAIGN"
EVENTS = (CampaignLaunched, CampaignCompleted, ContactRecorded)


class CampaignFeed:
    """Applies the campaign stream to this process's store, from what the stream remembers when it begins."""

    def __init__(self, runtime: Runtime, customers: CustomerFeed) -> None:
        self._runtime = runtime
        self._customers = customers
        self._applied = 0
        self._begun = asyncio.Event()

    def watermark(self, stream: str) -> int:  # noqa: ARG002 - there is one stream
        return self._applied

    async def wait_begun(self) -> None:
        """Customers and campaigns are both there."""
        await self._begun.wait()

    async def begin(self) -> None:
        """After the customers are there: of those erased before, nothing may be taken."""
        await self._customers.wait_filled()
        pause = 0.5
        while not self._begun.is_set():
            try:
                await self._begin()
            except Exception:
                logger.exception("campaigns_not_followed")
                await asyncio.sleep(pause)
                pause = min(2 * pause, 15)

    async def _begin(self) -> None:
        store = self._customers.store
        stored = await asyncio.to_thread(store.watermark, STREAM)
        if stored is None:
            stored = await self._runtime.bus.forgotten(STREAM, 0)
            await asyncio.to_thread(_begin_at, store, stored)
        self._applied = stored
        self._begun.set()

    async def apply(self, stream: str, deliveries: Sequence[Delivery], last_seq: int) -> None:
        """Rows and watermark in one transaction."""
        fresh = [delivery.data for delivery in deliveries if delivery.seq > self._applied]
        if last_seq <= self._applied:
            return
        await asyncio.to_thread(_write, self._customers.store, stream, fresh, last_seq)
        self._applied = last_seq


@asynccontextmanager
async def following_campaigns(
    runtime: Runtime, resources: Mapping[type, object]
) -> AsyncIterator[CampaignFeed]:
    """Begins in the background, beside the customers of these resources."""
    customers = resources[CustomerFeed]
    if not isinstance(customers, CustomerFeed):
        raise TypeError(f"not the customers' feed: {type(customers)}")
    feed = CampaignFeed(runtime, customers)
    beginning = asyncio.create_task(feed.begin(), name="begin to follow campaigns")
    try:
        yield feed
    finally:
        beginning.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beginning


def _begin_at(store: Store, forgotten: int) -> None:
    with store.write() as cursor:
        campaigns.begin(cursor, whole=forgotten == 0)
        set_watermark(cursor, STREAM, forgotten)


def _write(store: Store, stream: str, told: Iterable[EventData], last_seq: int) -> None:
    recorded: list[ContactRecorded] = []
    launched: list[CampaignLaunched] = []
    completed: list[CampaignCompleted] = []
    for data in told:
        match data:
            case ContactRecorded():
                recorded.append(data)
            case CampaignLaunched():
                launched.append(data)
            case CampaignCompleted():
                completed.append(data)
    with store.write() as cursor:
        campaigns.add_contacts(cursor, recorded)
        campaigns.add_campaigns(cursor, launched, completed)
        set_watermark(cursor, stream, last_seq)
