"""The feature store following the customer stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import duckdb
import httpx
import structlog

from services.segmentation.settings import SegmentationSettings
from services.segmentation.store import facts, families, relations, touched, values
from services.segmentation.store.store import Store, set_watermark
from services.segmentation.usecases.bootstrap import bootstrap
from shared.bus import Delivery
from shared.contracts.events import (
    CustomerErased,
    CustomerEventsRecorded,
    CustomerRef,
    CustomersChanged,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    EventData,
    HoldingsChanged,
    HoldingState,
    RecordedEvent,
    RelationsChanged,
    RelationState,
    ValuesCalculated,
)
from shared.service import Runtime

logger = structlog.get_logger()

STREAM = "CUSTOMER"
EVENTS = (
    CustomersChanged,
    HoldingsChanged,
    CustomerEventsRecorded,
    RelationsChanged,
    ValuesCalculated,
    CustomersMerged,
    CustomersUnmerged,
    CustomerErased,
)


class CustomerFeed:
    """Applies the customer stream to this process's store, and says when facts have changed."""

    def __init__(self, runtime: Runtime, store: Store) -> None:
        self._runtime = runtime
        self.store = store
        self.changed = asyncio.Event()
        self._filled = asyncio.Event()
        self._applied = 0

    def watermark(self, stream: str) -> int:  # noqa: ARG002 - there is one stream
        """0 until the store is filled."""
        return self._applied

    async def wait_filled(self) -> None:
        await self._filled.wait()

    async def fill(self) -> None:
        """Make sure that the store holds everything up to some position, by export if it is empty."""
        pause = 0.5
        while True:
            try:
                await self._fill()
            except (httpx.HTTPError, OSError, duckdb.Error) as error:
                logger.warning("store_not_filled", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, 15)
            else:
                self._filled.set()
                self.changed.set()
                return

    async def _fill(self) -> None:
        stored = await asyncio.to_thread(self.store.watermark, STREAM)
        if stored is None:
            stored = await self._runtime.bus.last_sequence(STREAM)
            # Nothing was ever published: the stream will tell everything.
            if stored > 0:
                await bootstrap(self.store, self._runtime.client("customer"), STREAM, stored)
            else:
                await asyncio.to_thread(self._mark, stored)
        self._applied = stored

    def _mark(self, sequence: int) -> None:
        with self.store.write() as cursor:
            set_watermark(cursor, STREAM, sequence)

    async def apply(self, stream: str, deliveries: Sequence[Delivery], last_seq: int) -> None:
        """Rows and watermark in one transaction."""
        fresh = [delivery for delivery in deliveries if delivery.seq > self._applied]
        if last_seq <= self._applied:
            return
        await asyncio.to_thread(write, self.store, stream, [each.data for each in fresh], last_seq)
        self._applied = last_seq
        if fresh:
            self.changed.set()


def write(store: Store, stream: str, told: Iterable[EventData], last_seq: int) -> None:
    """One batch in one transaction. Who is whom comes first: whose a fact of the same batch is then follows
    as if it had come later.
    """
    customers: list[CustomerState] = []
    holdings: list[HoldingState] = []
    events: list[RecordedEvent] = []
    related: list[RelationState] = []
    calculated: list[ValuesCalculated] = []
    pointers: list[families.Pointer] = []
    erased: list[CustomerRef] = []
    for data in told:
        match data:
            case CustomersChanged(customers=items):
                customers += items
            case HoldingsChanged(holdings=states):
                holdings += states
            case CustomerEventsRecorded(events=recorded):
                events += recorded
            case RelationsChanged(relations=told_relations):
                related += told_relations
            case ValuesCalculated():
                calculated.append(data)
            case CustomersMerged() | CustomersUnmerged():
                pointers += families.pointers_of(data)
            case CustomerErased(customers=refs):
                erased += refs
    with store.write() as cursor:
        families.regroup(cursor, pointers, last_seq)
        told_of = touched.named(customers, holdings, events, related, calculated, erased)
        touched.note(cursor, told_of, last_seq)
        families.erase(cursor, erased, last_seq)
        facts.merge_customers(cursor, facts.customer_table(customers))
        facts.merge_holdings(cursor, facts.holding_table(holdings))
        facts.insert_events(cursor, facts.event_table(events))
        relations.merge_relations(cursor, relations.relation_table(related))
        values.merge_values(cursor, values.value_table(calculated))
        set_watermark(cursor, stream, last_seq)


@asynccontextmanager
async def open_store(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    """The process's store and its feed; an empty store is filled in the background."""
    settings = runtime.settings
    if not isinstance(settings, SegmentationSettings):
        raise TypeError(f"not the settings of this service: {type(settings)}")
    store = await asyncio.to_thread(
        lambda: Store(
            settings.data_dir / settings.store_file,
            threads=settings.store_threads,
            memory=settings.store_memory,
        )
    )
    feed = CustomerFeed(runtime, store)
    filling = asyncio.create_task(feed.fill(), name="fill the feature store")
    try:
        yield {Store: store, CustomerFeed: feed}
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await filling
        await asyncio.to_thread(store.close)
