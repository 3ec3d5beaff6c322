"""A running segmentation service whose store follows the stream from where the tests begin."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import make_url

from services.segmentation.store.store import Store, set_watermark
from services.segmentation.usecases.feed import STREAM, CustomerFeed
from shared import clock
from shared.auth import Role
from shared.bus import Bus
from shared.contracts.events import (
    CustomerEventsRecorded,
    CustomersChanged,
    CustomerState,
    HoldingsChanged,
    HoldingState,
    RecordedEvent,
)
from shared.ids import new_id
from shared.migrate import upgrade
from shared.settings import Settings
from tests.support import Running, Servers, environment, eventually, run_service

STORE_FILE = "of-tests.duckdb"  # another instance of the service may run in this session
_ordinals = count(100_000)  # above those the real customer service hands out
_sequences = count(10**9)


async def fill_from_here(servers: Servers, store_file: str = STORE_FILE) -> None:
    """An empty store at the stream's present end: other tests have published before."""
    values = servers.environment("segmentation")
    with environment(values):
        settings = Settings()
        bus = Bus(settings, "test")
        await bus.connect()
        last = await bus.last_sequence(STREAM)
        await bus.close()
    file = settings.data_dir / store_file
    file.unlink(missing_ok=True)
    store = Store(file)
    with store.write() as cursor:
        set_watermark(cursor, STREAM, last)
    store.close()


@pytest.fixture(scope="module")
async def segmentation(servers: Servers) -> AsyncIterator[Running]:
    upgrade(
        "segmentation",
        make_url(servers.postgres.url("segmentation", "segmentation_owner")),
        "segmentation_app",
    )
    await fill_from_here(servers)
    async with run_service(servers, "segmentation", HUANYING_STORE_FILE=STORE_FILE) as running:
        yield running


@dataclass
class Bank:
    """Facts as the customer service would publish them."""

    running: Running
    customers: list[CustomerState] = field(default_factory=list)

    def customer(self, **attributes: Any) -> CustomerState:
        values: dict[str, Any] = {
            "customer_id": new_id(),
            "ordinal": next(_ordinals),
            "version": 1,
            "kind": "person",
            "org": "hq.sh.pudong",
            **attributes,
        }
        state = CustomerState(**values)
        self.customers.append(state)
        return state

    def holding(self, customer: CustomerState, balance: str, **attributes: Any) -> HoldingState:
        values: dict[str, Any] = {
            "customer_id": customer.customer_id,
            "ordinal": customer.ordinal,
            "account": f"A{customer.ordinal}",
            "product": "demand-deposit",
            "category": "demand",
            "balance": Decimal(balance),
            "as_of": clock.today(),
            **attributes,
        }
        return HoldingState(**values)

    def event(
        self, customer: CustomerState, type_: str, data: dict[str, Any] | None = None, *, days_ago: float = 1
    ) -> RecordedEvent:
        sequence = next(_sequences)
        return RecordedEvent(
            seq=sequence,
            event_id=f"tx-{sequence}",
            source="core-banking",
            type=type_,
            customer_id=customer.customer_id,
            ordinal=customer.ordinal,
            time=datetime.now(UTC) - timedelta(days=days_ago),
            data=data or {},
        )

    async def tell(
        self,
        *,
        customers: list[CustomerState] | None = None,
        holdings: list[HoldingState] | None = None,
        events: list[RecordedEvent] | None = None,
    ) -> int:
        """Publish, and wait until the service's store has applied it."""
        last = 0
        for customer in customers or []:
            last = await self.running.publish(CustomersChanged(customers=[customer]))
        for holding in holdings or []:
            last = await self.running.publish(HoldingsChanged(holdings=[holding]))
        for event in events or []:
            last = await self.running.publish(CustomerEventsRecorded(events=[event]))
        feed = self.running.runtime.resource(CustomerFeed)

        async def applied() -> bool:
            return feed.watermark(STREAM) >= last

        await eventually(applied, what="the feed")
        return last


@pytest.fixture
def bank(segmentation: Running) -> Bank:
    return Bank(segmentation)


Live = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def live(segmentation: Running) -> Live:
    """Creates and publishes a rule segment, and waits for its first members."""

    async def make(key: str, sql: str, **extra: Any) -> dict[str, Any]:
        async with segmentation.client(Role.strategist) as client:
            body = {"key": key, "name": {"zh": key, "en": key}, "definition": {"sql": sql}, **extra}
            created = await client.post("/v1/segments", json=body)
            assert created.status_code == 201, created.text
            published = await client.post(f"/v1/segments/{key}:publish")
            assert published.status_code == 200, published.text

            async def evaluated() -> bool:
                view = (await client.get(f"/v1/segments/{key}")).json()
                return bool(view["evaluated_version"] == view["live_version"])

            await eventually(evaluated, what=f"the evaluation of {key}")
            found: dict[str, Any] = (await client.get(f"/v1/segments/{key}")).json()
            return found

    return make


async def members(running: Running, key: str, *, org: str = "hq") -> set[UUID]:
    async with running.client(Role.strategist, org=org) as client:
        answer = await client.get(f"/v1/segments/{key}/members", params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    return {UUID(item["customer_id"]) for item in answer.json()["items"]}
