"""Amounts of 1e8 that differ by cents keep nine digits on their way through the store, and managers stay apart."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from services.evaluation.domain.breakdown import Cell, cells_of, compare_cells
from services.evaluation.domain.catalogue import AUM, NET_INFLOW
from services.evaluation.domain.cells import CellTable
from services.evaluation.domain.cluster import Clustered, compare_clusters, of_units
from services.evaluation.domain.effect import Effect
from services.evaluation.domain.moments import merged, of_values
from services.evaluation.domain.winsor import caps, winsorised
from services.evaluation.store import Store, open_store
from services.evaluation.store.cells import cell_tables
from services.evaluation.store.health import around
from services.evaluation.store.outcomes import Question
from services.evaluation.store.parts import Part, parts_of
from services.evaluation.store.quantities import Measure
from shared.contracts.drawing import DrawnUnit
from shared.contracts.events import AssignedContact, ContactsAssigned, HoldingsChanged, HoldingState
from shared.contracts.metrics import Winsorise
from shared.ids import new_id
from tests.evaluation.test_store import CAMPAIGN, LATER, START, apply, happened, recorded


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "evaluation.duckdb", memory="512MB", threads=2)
    yield opened
    opened.close()


class Assigned:
    """Three hundred customers of ten managers, four of them held out; in cents, what each moved in, and when."""

    def __init__(self, rng: np.random.Generator, level: float) -> None:
        self.manager = np.repeat([f"M{i}" for i in range(10)], 30)
        self.treated = np.repeat([True] * 6 + [False] * 4, 30)
        self.cents = rng.integers(-1000, 1001, 300) + rng.integers(-300, 301, 10).repeat(30)
        # Half of them at another level altogether: a cell's mean is far from the campaign's.
        self.level = np.where(np.arange(300) % 2 == 0, level, 0.0)
        self.customers = [new_id() for _ in range(300)]

    def tell(self, store: Store) -> None:
        contacts = [
            AssignedContact(
                contact_id=new_id(),
                customer_id=customer,
                arm="call" if treated else None,
                propensity=0.5,
                branch="hq.a" if level else "hq.b",
                segment="s1",
                primary_manager=str(manager),
            )
            for customer, treated, level, manager in zip(
                self.customers, self.treated, self.level, self.manager, strict=True
            )
        ]
        events = [
            happened(customer, "transaction.posted", 3, amount=f"{level + cents / 100:.2f}", direction="in")
            for customer, level, cents in zip(self.customers, self.level, self.cents, strict=True)
        ]
        apply(store, "CAMPAIGN", ContactsAssigned(campaign_id=CAMPAIGN, assigned_at=START, contacts=contacts))
        apply(store, "CUSTOMER", recorded(*events))


def cells_by(store: Store, unit: DrawnUnit) -> list[Cell]:
    measure = Measure(NET_INFLOW, NET_INFLOW.window_days)
    question = Question(CAMPAIGN, LATER)
    (table,) = asyncio.run(store.read(lambda cursor: cell_tables(cursor, question, [measure])))
    return cells_of(table.by("arm", "segment", "branch", "manager"), unit)


@pytest.mark.parametrize("level", [0.0, 1e8])
def test_moments_of_large_balances_are_exact_to_nine_digits(store: Store, level: float) -> None:
    told = Assigned(np.random.default_rng(20), level)
    told.tell(store)
    for branch, here in (("hq.a", told.level > 0), ("hq.b", told.level == 0)):
        for treated in (True, False):
            those = here & (told.treated == treated)
            if not those.any():
                continue
            parts = [
                cell.moments
                for cell in cells_by(store, "customer")
                if cell.branch == branch and bool(cell.arm) is treated
            ]
            whole, cents = merged(parts), told.cents[those].astype(np.float64)
            assert whole.n == those.sum()
            assert whole.mean_y - told.level[those][0] == pytest.approx(cents.mean() / 100, abs=3e-8)
            assert whole.variance == pytest.approx(cents.var(ddof=1) / 1e4, rel=1e-9)


def test_managers_that_were_drawn_are_counted_and_compared_as_such(store: Store) -> None:
    told = Assigned(np.random.default_rng(21), 0.0)
    told.tell(store)
    cells = cells_by(store, "manager")
    treated, control = ([cell for cell in cells if bool(cell.arm) is side] for side in (True, False))
    effect = compare_cells(treated, control, "sum", 0.05)
    mine, theirs = (
        of_units(told.cents[side] / 100, told.manager[side]) for side in (told.treated, ~told.treated)
    )
    wanted = compare_clusters(mine, theirs, 0.05)
    assert isinstance(effect, Effect)
    assert isinstance(wanted, Clustered)
    assert effect.interval == pytest.approx(wanted.interval, rel=1e-9)
    question = Question(CAMPAIGN, LATER)
    units: tuple[DrawnUnit, ...] = ("customer", "manager", "branch")
    asked = (partial(around, question=question, metric=None, unit=unit, read_until=None) for unit in units)
    found = [asyncio.run(store.read(each)).drawn for each in asked]
    assert found == [None, {"call": 6, "": 4}, {"call": 1, "": 1}]


def test_the_store_caps_at_the_quantiles_of_everybody(store: Store) -> None:
    told = Assigned(np.random.default_rng(22), 0.0)
    told.cents[:3] = [90_000_000, -70_000_000, 80_000_000]
    told.tell(store)
    capped = NET_INFLOW.model_copy(update={"winsorise": Winsorise(lower=0.02, upper=0.98)})
    question = Question(CAMPAIGN, LATER)
    (table,) = asyncio.run(store.read(lambda cursor: cell_tables(cursor, question, [Measure(capped, 30)])))
    by_arm = {cell.arm: cell.moments for cell in cells_of(table.by("arm"))}
    values = winsorised(told.cents / 100, caps(told.cents / 100, 0.02, 0.98))
    for arm, side in (("call", told.treated), ("", ~told.treated)):
        wanted = of_values(values[side])
        # The store's caps are whole cents.
        assert by_arm[arm].mean_y == pytest.approx(wanted.mean_y, abs=0.005)
        assert by_arm[arm].variance == pytest.approx(wanted.variance, rel=0.001)


def test_a_part_at_a_time_gives_the_same_cells_to_the_last_digit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Assigned(np.random.default_rng(23), 1e8)
    told.tell(store)
    held = [
        HoldingState(
            customer_id=customer,
            ordinal=1,
            account="a",
            product="P1",
            category="demand",
            balance=Decimal(int(cents)) / 100 + day,
            as_of=START.date() + timedelta(days=day),
        )
        for customer, cents in zip(told.customers, told.cents, strict=True)
        for day in (-5, 21)
    ]
    for some in (held[::2], held[1::2]):
        apply(store, "CUSTOMER", HoldingsChanged(holdings=some))
    measures = [Measure(metric, metric.window_days) for metric in (NET_INFLOW, AUM)]
    question = Question(CAMPAIGN, LATER)

    def gathered() -> list[CellTable]:
        return asyncio.run(store.read(lambda cursor: cell_tables(cursor, question, measures)))

    whole = gathered()
    assert all(len(table) == 20 for table in whole)
    # Of 15 customers a cell: whole cells to a part where it holds them, and customers where it does not.
    for at_once, wanted in (
        (120, [Part(i, 3) for i in range(3)]),
        (14, [Part(i, 22, True) for i in range(22)]),
    ):
        monkeypatch.setattr("services.evaluation.store.parts.AT_ONCE", at_once)
        assert asyncio.run(store.read(lambda cursor: parts_of(cursor, question))) == wanted
    for parts in ([Part(i, 3) for i in range(3)], [Part(i, 3, splits=True) for i in range(3)]):
        monkeypatch.setattr("services.evaluation.store.cells.parts_of", lambda *_, parts=parts: parts)
        for one, other in zip(whole, gathered(), strict=True):
            assert np.array_equal(one.moments, other.moments)
            assert one.digest() == other.digest()
