"""Relations and months of value in the store: any order, any repetition, any merge leads to the same."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmentation.store.store import Store
from services.segmentation.usecases.feed import STREAM, write
from shared.contracts.events import (
    CustomerErased,
    CustomersMerged,
    CustomersUnmerged,
    EventData,
    MonthOfCustomer,
    RelationEnd,
    RelationsChanged,
    RelationState,
    ValuesCalculated,
)
from shared.ids import new_id
from tests.segmentation.merge_world import World, id_of, ref

TABLES = {
    "relation": "home_from, ordinal_from, home_to, ordinal_to, version, type, mutual, valid_from, valid_until",
    "value": "home, ordinal, model, month, edition, contribution, potential",
}


def tables(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store.read() as cursor:
        return {
            table: cursor.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()
            for table, columns in TABLES.items()
        }


def end(world: World, home: int) -> RelationEnd:
    return RelationEnd(**world._whose(home))


class Histories:
    """Relations in several versions and months in several editions, among merges and their undoing."""

    def __init__(self, random: Random, size: int) -> None:
        self.random, self.world = random, World(random)
        self.world.start(size)
        self.relations: list[dict[str, Any]] = []
        self.editions: dict[date, int] = {}
        self.told: list[EventData] = []

    def relate(self) -> None:
        one, other = self.random.sample(range(1, len(self.world.homes) + 1), 2)
        self.relations.append({"id": new_id(), "version": 0, "homes": (one, other)})
        self.change(self.relations[-1])

    def change(self, relation: dict[str, Any] | None = None) -> None:
        if not (relation or self.relations):
            return
        chosen = relation or self.random.choice(self.relations)
        chosen["version"] += 1
        start, to = chosen["homes"]
        state = RelationState(
            relation_id=chosen["id"],
            version=chosen["version"],
            type="supplies",
            symmetric=False,
            from_customer=end(self.world, start),
            to_customer=end(self.world, to),
            valid_from=None,
            valid_until=date(2026, 1, chosen["version"] % 28 + 1),
        )
        self.told.append(RelationsChanged(relations=[state]))

    def calculate(self) -> None:
        """A new edition of a month; of some customers nothing is left."""
        month = date(2026, self.random.randint(1, 2), 1)
        edition = self.editions[month] = self.editions.get(month, 0) + 1
        for home in self.world.homes:
            gone = self.random.random() < 0.4
            value = MonthOfCustomer(
                **self.world._whose(home),
                products=0 if gone else 1,
                contribution=Decimal(0 if gone else 100 * home + edition),
                income=Decimal(0),
                net_income=Decimal(0),
                capital_years=Decimal(home),
                raroc=Decimal("0.124187"),
            )
            self.told.append(
                ValuesCalculated(
                    model="default",
                    month=month,
                    run_id=new_id(),
                    edition=edition,
                    currency="CNY",
                    values=[value],
                )
            )

    def live(self, steps: int) -> None:
        acts = [self.relate, self.change, self.calculate, self.world.merge, self.world.undo]
        for _ in range(steps):
            before = len(self.world.told)
            self.random.choices(acts, [4, 3, 2, 2, 1])[0]()
            self.told += self.world.told[before:]

    def shuffled(self) -> list[EventData]:
        """Merges of one customer stay in their order, as one partition keeps them; all else in any."""
        moves = [e for e in self.told if isinstance(e, CustomersMerged | CustomersUnmerged)]
        others = [e for e in self.told if not isinstance(e, CustomersMerged | CustomersUnmerged)]
        mixed = others + self.random.choices(others, k=len(others) // 3)
        self.random.shuffle(mixed)
        places = sorted(self.random.choices(range(len(mixed) + 1), k=len(moves)), reverse=True)
        for place, move in zip(places, reversed(moves), strict=True):
            mixed.insert(place, move)
        return mixed


SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS)
@settings(max_examples=3, deadline=None)
def test_any_order_of_relations_and_values_leads_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    two_orders(tmp_path_factory.mktemp("orders"), seed)


@pytest.mark.slow
@given(seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_many_orders_of_relations_and_values_lead_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    two_orders(tmp_path_factory.mktemp("orders"), seed)


def two_orders(folder: Path, seed: int) -> None:
    random = Random(seed)
    history = Histories(random, 6)
    history.live(16)
    erased = CustomerErased(receipt_id=new_id(), customers=[ref(6)], erased_at=datetime.now(UTC))
    found = []
    for number, told in enumerate((history.told, history.shuffled())):
        told.insert(random.randint(0, len(told)), erased)
        store = Store(folder / f"{number}.duckdb", threads=1)
        size = random.randint(8, 40)
        for start in range(0, len(told), size):
            write(store, STREAM, told[start : start + size], start + size)
        found.append(tables(store))
        store.close()
    assert found[0] == found[1]
    assert all(6 not in (home_from, home_to) for home_from, _, home_to, *_ in found[0]["relation"])
    into = history.world.into
    for home_from, ordinal_from, home_to, ordinal_to, *_ in found[0]["relation"]:
        assert (ordinal_from, ordinal_to) == (into.get(home_from, home_from), into.get(home_to, home_to))
    for row in found[0]["value"]:
        assert row[1] == into.get(row[0], row[0])
        assert row[4] <= history.editions[row[3]]


def test_a_month_taken_back_stays_away_and_an_erased_customer_too(tmp_path: Path) -> None:
    """Edition 2 has nothing of a customer: edition 1, told late, does not return; edition 3 does."""

    def month(edition: int, products: int) -> ValuesCalculated:
        value = MonthOfCustomer(
            customer_id=id_of(1),
            ordinal=1,
            products=products,
            contribution=Decimal(edition * products),
            income=Decimal(0),
            net_income=Decimal(0),
            capital_years=Decimal("0.5"),
        )
        return ValuesCalculated(
            model="m",
            month=date(2026, 1, 1),
            run_id=new_id(),
            edition=edition,
            currency="CNY",
            values=[value],
        )

    store = Store(tmp_path / "store.duckdb", threads=1)

    def contributions() -> list[Decimal]:
        return [row[5] for row in tables(store)["value"]]

    write(store, STREAM, [month(2, 0)], 1)
    write(store, STREAM, [month(1, 1)], 2)
    assert contributions() == []
    write(store, STREAM, [month(3, 1), month(1, 1)], 3)
    assert contributions() == [Decimal("3.00")]
    erased = CustomerErased(receipt_id=new_id(), customers=[ref(1)], erased_at=datetime.now(UTC))
    write(store, STREAM, [erased], 4)
    write(store, STREAM, [month(4, 1)], 5)
    assert contributions() == []
    store.close()
