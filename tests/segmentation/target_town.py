"""A town whose newcomers and contacts drift from a target profile, and the profile."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.segmentation.domain.drift import Period, months
from services.segmentation.store.store import Store
from shared import clock
from shared.contracts.events import (
    ContactRecorded,
    CustomerEventsRecorded,
    CustomersChanged,
    CustomerState,
    HoldingsChanged,
    RecordedEvent,
)
from shared.ids import new_id
from tests.segmentation.conftest import Bank
from tests.support import Running, eventually

EAST, WEST = "hq.td.east", "hq.td.west"
CAMPAIGN = new_id()
RULE = "occupation = 'engineer' and aum >= 1000"


def body(**given: Any) -> dict[str, Any]:
    values = {
        "name": {"zh": "工程师", "en": "Engineers"},
        "org": "hq.td",
        "definition": {"sql": RULE},
        "tolerances": {"new_customers": 0.6, "contacts": 0.6},
        "valid_from": "2020-01-01",
    }
    return values | given


async def declared(client: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await client.post("/v1/target-profiles", json=body(**given))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


class Town:
    """Customers who came in a month, with their money, and contacts with them."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.customers: list[CustomerState] = []
        self.holdings: list[Any] = []
        self.events: list[RecordedEvent] = []

    def came(self, count: int, on: date, org: str, *, inside: bool) -> list[CustomerState]:
        occupation = "engineer" if inside else "poet"
        new = [self.bank.customer(org=org, occupation=occupation, customer_since=on) for _ in range(count)]
        self.customers += new
        self.holdings += [self.bank.holding(each, "5000.00", as_of=on) for each in new]
        return new

    def contacted(self, customers: list[CustomerState], at: datetime, *, times: int = 1, **data: Any) -> None:
        for customer in customers:
            for _ in range(times):
                sent = self.bank.event(
                    customer, "interaction.recorded", {"kind": "call", "direction": "out", **data}
                )
                self.events.append(sent.model_copy(update={"time": at}))

    async def campaigned(
        self, customers: list[CustomerState], at: datetime, *, cost: str, times: int = 1
    ) -> list[ContactRecorded]:
        """Attempts of a campaign, each told twice; and for each customer a step that is no attempt."""
        told = []
        for customer in customers:
            first = ContactRecorded(
                campaign_id=CAMPAIGN,
                contact_id=new_id(),
                customer_id=customer.customer_id,
                version=1,
                state="call_back",
                minutes=Decimal(3),
                cost=Decimal(cost),
                recorded_at=at,
                recorded_by="rm-1",
            )
            told += [first.model_copy(update={"version": n + 1}) for n in range(times)]
            closed = {"version": times + 1, "state": "expired", "minutes": None, "cost": None}
            told.append(first.model_copy(update=closed))
        await self.bank.running.publish(*told, *told)
        return told

    async def settle(self) -> None:
        """Told in three messages; what comes last says when all is there."""
        publish = self.bank.running.publish
        await publish(CustomersChanged(customers=self.customers), HoldingsChanged(holdings=self.holdings))
        if self.events:
            await publish(CustomerEventsRecorded(events=self.events))
        await self.bank.tell(customers=self.customers[:1])


@pytest.fixture(scope="module")
def periods() -> list[Period]:
    """Two months that are over, and the present one."""
    return months(clock.now(), clock.ZONE, 3)


@pytest.fixture(scope="module")
async def town(segmentation: Running, periods: list[Period]) -> Town:
    """Before last month: all as declared. Last month: in the east mostly others came and were contacted,
    in the west as declared; who came in the east has taken the money away since.
    """
    town = Town(Bank(segmentation))
    earlier, last, _ = periods
    day, other = earlier.first + timedelta(days=4), last.first + timedelta(days=4)
    town.came(1, earlier.first - timedelta(days=100), WEST, inside=True)
    good = town.came(12, day, EAST, inside=True)
    west = town.came(12, other, WEST, inside=True)
    few = town.came(3, other, EAST, inside=True)
    many = town.came(17, other, EAST, inside=False)
    town.contacted(good, earlier.start + timedelta(days=9), minutes=10)
    town.contacted(many, last.start + timedelta(days=9), minutes=30)
    town.contacted(few, last.start + timedelta(days=9), times=20, minutes=1)
    town.contacted(many, last.start + timedelta(days=10), direction="in")
    town.contacted(west, last.stop - timedelta(hours=1))
    # Two campaigns' worth of attempts in the east: 34 with 17 outside at 10.00, 6 with 3 inside at 20.00.
    await town.campaigned(many, last.start + timedelta(days=9), cost="10.00", times=2)
    sent = await town.campaigned(few, last.start + timedelta(days=9), cost="20.00", times=2)
    gone = [town.bank.holding(each, "0.00", as_of=clock.today()) for each in few]
    town.holdings += gone
    await town.settle()
    store = segmentation.runtime.resource(Store)
    last_told = str(sent[-2].contact_id)

    async def heard() -> bool:
        known = "SELECT count(*) FROM campaign_contact WHERE contact_id = ?::UUID"
        found = await store.run(lambda cursor: cursor.execute(known, [last_told]).fetchall())
        return found == [(2,)]

    await eventually(heard, what="the campaign")
    return town
