"""A bank that goes on living: facts of all kinds, told in any order, while its clock moves."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from shared.contracts.events import (
    CustomerErased,
    CustomerEventsRecorded,
    CustomersChanged,
    CustomerState,
    EventData,
    HoldingsChanged,
    MonthOfCustomer,
    RelationEnd,
    RelationsChanged,
    RelationState,
    ValuesCalculated,
)
from shared.ids import new_id
from tests.segmentation.merge_world import World, id_of, ref
from tests.segmentation.rules_oracle import ZONE
from tests.segmentation.rules_random import NOW, RELATIONS, TEXTS, TODAY, Customer, customer

STEPS = (
    timedelta(0),
    timedelta(seconds=1),
    timedelta(seconds=30),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=13),
    timedelta(days=1),
    timedelta(days=2, hours=1),
    timedelta(days=29),
    timedelta(days=90),
)


class LivingBank(World):
    """`clock` is the time of what happens next; what is told has happened before, now or not yet."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.clock = NOW
        self.versions: dict[int, int] = {}
        self.related: dict[str, RelationState] = {}
        self.gone: set[int] = set()

    @property
    def today(self) -> date:
        return self.clock.astimezone(ZONE).date()

    def now(self) -> datetime:
        self.minutes += 1
        return self.clock + timedelta(microseconds=self.minutes)

    def move(self) -> None:
        self.clock += self.random.choices(STEPS, [4, 6, 6, 3, 3, 2, 2, 1, 0.7, 0.5])[0]

    def begin(self, count: int) -> None:
        for ordinal in range(1, count + 1):
            self.homes[ordinal] = Customer({}, [], [])
            self.profile(ordinal)

    def happen(self, steps: int) -> list[EventData]:
        """What is told of these steps, sometimes with something that was told before."""
        before = len(self.told)
        kinds = [self.fact, self.profile, self.merge, self.undo, self.relation, self.value, self.erasure]
        for _ in range(steps):
            self.random.choices(kinds, [5, 4, 2, 2, 4, 1, 0.3])[0]()
        told = self.told[before:]
        if self.random.random() < 0.3:
            told = [*self.told[max(0, before - 3) : before], *told]
        return told

    def fact(self) -> None:
        home = self._someone()
        drawn = customer(self.random)
        for each in drawn.holdings[:1]:
            moved = replace(
                each,
                as_of=self._shifted(each.as_of),
                matures_on=each.matures_on and self._shifted(each.matures_on),
            )
            self.told.append(HoldingsChanged(holdings=[self._holding(home, moved)]))
        for event in drawn.events[:2]:
            soon = timedelta(seconds=self.random.choice([0, 0, 1, 29]))
            late = replace(event, time=event.time + (self.clock - NOW) + soon)
            self.told.append(CustomerEventsRecorded(events=[self._event(home, late)]))

    def profile(self, ordinal: int | None = None) -> None:
        ordinal = ordinal or self._someone()
        drawn = dict(customer(self.random).attributes)
        for name in ("birth_date", "customer_since"):
            drawn[name] = drawn[name] and self._shifted(drawn[name])
        values: dict[str, Any] = {
            "kind": "person",
            "org": self.random.choice(["hq.test", "hq.east.a", "hq.east.b"]),
            "status": "active" if self.random.random() < 0.9 else "closed",
            "consents": {"sms": drawn.pop("consent_sms")},
            "industry": self.random.choice(TEXTS),
            **drawn,
        }
        self.versions[ordinal] = self.versions.get(ordinal, 0) + 1
        state = CustomerState(
            customer_id=id_of(ordinal), ordinal=ordinal, version=self.versions[ordinal], **values
        )
        self.told.append(CustomersChanged(customers=[state]))

    def relation(self) -> None:
        """A new one, or another end or time of one that is known."""
        first, second = (self._someone() for _ in range(2))
        known = self.random.choice([None, *self.related.values()])
        day = self.today + timedelta(days=self.random.choice([-30, -1, 0, 1, 2]))
        state = RelationState(
            relation_id=known.relation_id if known else new_id(),
            version=known.version + 1 if known else 1,
            type=known.type if known else self.random.choice(RELATIONS),
            symmetric=known.symmetric if known else self.random.random() < 0.3,
            from_customer=self._end(first),
            to_customer=self._end(second),
            valid_from=self.random.choice([None, day]),
            valid_until=self.random.choice([None, None, day + timedelta(days=1)]),
        )
        self.related[str(state.relation_id)] = state
        self.told.append(RelationsChanged(relations=[state]))

    def value(self) -> None:
        home = self._someone()
        month = self.today.replace(day=1) - timedelta(days=self.random.choice([0, 1, 40]))
        amounts: dict[str, Any] = {
            name: Decimal(self.random.choice(["-1.00", "0.00", "2.00"]))
            for name in ("contribution", "income", "net_income")
        }
        figures = MonthOfCustomer(
            **self._whose(home), products=self.random.choice([0, 1]), capital_years=Decimal(1), **amounts
        )
        told = ValuesCalculated(
            model="standard",
            month=month.replace(day=1),
            run_id=new_id(),
            edition=self.random.choice([1, 2, 3]),
            currency="CNY",
            values=[figures],
        )
        self.told.append(told)

    def erasure(self) -> None:
        """Of a customer with all files merged into it."""
        root = self._someone()
        root = self.into.get(root, root)
        family = {home for home in self.homes if self.into.get(home, home) == root}
        if len(self.homes) - len(family) < 3:
            return
        for home in family:
            del self.homes[home]
            self.into.pop(home, None)
        self.gone |= family
        self.merges = [each for each in self.merges if not {each[1], *each[2]} & self.gone]
        self.told.append(
            CustomerErased(
                receipt_id=new_id(), customers=[ref(home) for home in family], erased_at=self.now()
            )
        )

    def _someone(self) -> int:
        return self.random.choice(list(self.homes))

    def _shifted(self, day: date) -> date:
        return day + (self.today - TODAY)

    def _end(self, home: int) -> RelationEnd:
        return RelationEnd(**self._whose(home))
