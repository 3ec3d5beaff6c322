"""Customers whose facts, merges and separations come in any order."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from shared.contracts.events import (
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
    SeparatedCustomer,
)
from shared.ids import new_id
from tests.segmentation.rules_random import Customer, Event, Holding, customer


def id_of(ordinal: int) -> UUID:
    return UUID(f"00000000-0000-7000-8000-{ordinal:012d}")


def ref(ordinal: int) -> CustomerRef:
    return CustomerRef(customer_id=id_of(ordinal), ordinal=ordinal)


@dataclass
class World:
    """Customers whose facts and merges come in any order, as the customer service would tell of them."""

    random: Random
    homes: dict[int, Customer] = field(default_factory=dict)
    into: dict[int, int] = field(default_factory=dict)
    merges: list[tuple[UUID, int, dict[int, int | None]]] = field(default_factory=list)
    told: list[EventData] = field(default_factory=list)
    minutes: int = 0

    def now(self) -> datetime:
        self.minutes += 1
        return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=self.minutes)

    def start(self, count: int) -> None:
        for ordinal in range(1, count + 1):
            drawn = customer(self.random)
            self.homes[ordinal] = Customer(drawn.attributes, [], [])
            self.told.append(CustomersChanged(customers=[self._state(ordinal)]))

    def _state(self, ordinal: int) -> CustomerState:
        attributes = dict(self.homes[ordinal].attributes)
        consents = {"sms": attributes.pop("consent_sms")}
        values: dict[str, Any] = {"kind": "person", "org": "hq.test", "consents": consents, **attributes}
        return CustomerState(customer_id=id_of(ordinal), ordinal=ordinal, version=1, **values)

    def fact(self) -> None:
        home = self.random.choice(list(self.homes))
        drawn = customer(self.random)
        for each in drawn.holdings[:1]:
            self.homes[home].holdings.append(each)
            self.told.append(HoldingsChanged(holdings=[self._holding(home, each)]))
        for event in drawn.events[:1]:
            self.homes[home].events.append(event)
            self.told.append(CustomerEventsRecorded(events=[self._event(home, event)]))

    def _whose(self, home: int) -> dict[str, Any]:
        owner = self.into.get(home, home)
        merged = {"home_id": id_of(home), "home_ordinal": home} if owner != home else {}
        return {"customer_id": id_of(owner), "ordinal": owner, **merged}

    def _holding(self, home: int, each: Holding) -> HoldingState:
        return HoldingState(
            **self._whose(home),
            account=each.account,
            product=each.product,
            category=each.category,
            balance=each.balance,
            as_of=each.as_of,
            matures_on=each.matures_on,
            closed=each.closed,
        )

    def _event(self, home: int, each: Event) -> RecordedEvent:
        return RecordedEvent(
            **self._whose(home),
            seq=len(self.told) + 1,
            event_id=f"e{len(self.told)}",
            source="core",
            type=each.type,
            time=each.time,
            data=each.data,
        )

    def merge(self) -> None:
        roots = [home for home in self.homes if home not in self.into]
        if len(roots) < 2:
            return
        survivor, loser = self.random.sample(roots, 2)
        moved: dict[int, int | None] = {loser: None}
        moved |= {home: loser for home, into in self.into.items() if into == loser}
        self.into |= dict.fromkeys(moved, survivor)
        merge_id = new_id()
        self.merges.append((merge_id, survivor, moved))
        self.told.append(
            CustomersMerged(
                merge_id=merge_id,
                survivor=ref(survivor),
                merged=[ref(home) for home in moved],
                merged_at=self.now(),
                merged_by="user:t",
            )
        )

    def undo(self, place: int | None = None) -> None:
        """Of a merge that no later one has built upon."""
        free = [
            number
            for number, (_, survivor, moved) in enumerate(self.merges)
            if all(self.into.get(home) == survivor for home in moved)
        ]
        if not free:
            return
        merge_id, survivor, moved = self.merges.pop(self.random.choice(free) if place is None else place)
        for home, before in moved.items():
            if before is None:
                del self.into[home]
            else:
                self.into[home] = before
        self.told.append(
            CustomersUnmerged(
                merge_id=merge_id,
                survivor=ref(survivor),
                separated=[
                    SeparatedCustomer(
                        customer_id=id_of(home), ordinal=home, merged_into=ref(before) if before else None
                    )
                    for home, before in moved.items()
                ],
                unmerged_at=self.now(),
                unmerged_by="user:t",
            )
        )

    def live(self, steps: int) -> None:
        for _ in range(steps):
            self.random.choices([self.fact, self.merge, self.undo], [5, 2, 2])[0]()

    def families(self) -> dict[int, Customer]:
        """What is known of each customer who is not merged, in one place."""
        found = {}
        for root in self.homes:
            if root in self.into:
                continue
            family = [home for home in self.homes if self.into.get(home, home) == root]
            found[root] = Customer(
                self.homes[root].attributes,
                [event for home in family for event in self.homes[home].events],
                [
                    replace(each, account=f"{home}/{each.account}")
                    for home in family
                    for each in self.homes[home].holdings
                ],
            )
        return found
