"""Every kind of metric is reduced by the store exactly as a loop over customers would."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from services.evaluation.domain.cells import ArmTraits, CellTable
from services.evaluation.domain.moments import Moments, merged, of_values
from services.evaluation.domain.winsor import caps, winsorised
from services.evaluation.store import Store, StoreFeed, TierFeed, open_store
from services.evaluation.store.cells import cell_tables, unit_values
from services.evaluation.store.outcomes import Question
from services.evaluation.store.quantities import Measure
from shared.bus import Delivery
from shared.contracts.base import LocalText
from shared.contracts.events import (
    AssignedContact,
    ContactsAssigned,
    CustomerErased,
    CustomerEventsRecorded,
    CustomerRef,
    EventData,
    HoldingsChanged,
    HoldingState,
    RecordedEvent,
)
from shared.contracts.events.tier import TierChanged
from shared.contracts.metrics import (
    BalanceSource,
    EventSource,
    MetricCreate,
    MetricKind,
    MetricSource,
    Winsorise,
)
from shared.ids import new_id
from tests.evaluation.bank import POSITIONS

# In the morning of the next day where the bank is.
START = datetime(2026, 6, 1, 22, tzinfo=UTC)
DAY = date(2026, 6, 2)
CAMPAIGN = new_id()
NAME = LocalText(zh="指标", en="Metric")
TICKETS = [EventSource(type="transaction.posted", where={"direction": "in"})]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "evaluation.duckdb", memory="512MB", threads=2)
    yield opened
    opened.close()


class Town:
    """Customers assigned to a campaign, and what is told of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.people: dict[UUID, str | None] = {}

    def assign(self, arm: str | None, n: int = 1, manager: str | None = None) -> list[UUID]:
        customers = [new_id() for _ in range(n)]
        contacts = [
            AssignedContact(
                contact_id=new_id(),
                customer_id=customer,
                arm=arm,
                propensity=0.5,
                branch="hq.a",
                segment="s1",
                manager=manager if arm else None,
                primary_manager=manager,
            )
            for customer in customers
        ]
        self.tell("CAMPAIGN", ContactsAssigned(campaign_id=CAMPAIGN, assigned_at=START, contacts=contacts))
        self.people |= dict.fromkeys(customers, arm)
        return customers

    def tell(self, stream: str, *facts: EventData, again: bool = False) -> None:
        feed = TierFeed(self.store) if stream == "SEGMENTATION" else StoreFeed(self.store)
        start = feed.watermark(stream)
        deliveries = [
            Delivery(str(new_id()), fact.type_name(), fact, START, stream, start + i + 1, "x")
            for i, fact in enumerate(facts)
        ]
        asyncio.run(feed.apply(stream, deliveries, start + len(facts)))
        if again:
            asyncio.run(feed.apply(stream, deliveries, start + len(facts)))

    def holds(self, customer: UUID, *days: tuple[int, str], category: str = "demand", **more: object) -> None:
        """Balances at the close of days after the day of assignment, told twice."""
        states = held(customer, *days, category=category, **more)
        self.tell("CUSTOMER", HoldingsChanged(holdings=states), again=True)

    def receives(self, customer: UUID, *amounts: tuple[float, str]) -> None:
        self.tell("CUSTOMER", CustomerEventsRecorded(events=received(customer, *amounts)))

    def table(self, metric: MetricCreate, days: int = 30, lived: int = 100) -> CellTable:
        question = Question(CAMPAIGN, START + timedelta(days=lived))
        measures = [Measure(metric, days)]
        return asyncio.run(self.store.read(lambda cursor: cell_tables(cursor, question, measures)[0]))

    def moments(self, metric: MetricCreate, days: int = 30, lived: int = 100) -> Moments:
        return merged(self.table(metric, days, lived).all_moments())


def held(
    customer: UUID, *days: tuple[int, str], category: str = "demand", **more: object
) -> list[HoldingState]:
    return [
        HoldingState.model_validate(
            {
                "customer_id": customer,
                "ordinal": 1,
                "account": more.get("account", "a"),
                "product": "P1",
                "category": category,
                "balance": balance,
                "currency": more.get("currency", "CNY"),
                "as_of": DAY + timedelta(days=day),
                "closed": more.get("closed", False),
            }
        )
        for day, balance in days
    ]


def received(customer: UUID, *amounts: tuple[float, str]) -> list[RecordedEvent]:
    return [
        RecordedEvent(
            seq=next(POSITIONS),
            event_id=str(new_id()),
            source="core",
            type="transaction.posted",
            customer_id=customer,
            ordinal=1,
            time=START + timedelta(days=day),
            data={"amount": amount, "direction": "in"},
        )
        for day, amount in amounts
    ]


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store)


def balance(**options: object) -> MetricCreate:
    source = BalanceSource.model_validate(options.pop("balance", {}))
    return MetricCreate.model_validate(
        {
            "key": "b",
            "name": NAME,
            "kind": "balance",
            "window_days": 30,
            "source": MetricSource(balance=source),
            "covariate": True,
            **options,
        }
    )


def test_a_balance_counts_from_the_close_before_assignment_to_the_close_before_the_end(town: Town) -> None:
    (customer,) = town.assign("call")
    town.holds(customer, (-9, "50.00"), (-1, "100.00"), (0, "150.00"), (29, "175.10"), (30, "900.00"))
    found = town.moments(balance())
    assert (found.n, found.mean_y, found.mean_x) == (1, pytest.approx(75.10, abs=0), 100)
    assert town.moments(balance(), days=31).mean_y == 800
    assert town.moments(balance(), lived=29).n == 0


def test_the_last_word_on_a_day_counts_closed_accounts_are_empty_and_debts_are_no_assets(town: Town) -> None:
    (customer,) = town.assign(None)
    town.holds(customer, (-1, "100.00"), (10, "120.00"))
    town.holds(customer, (10, "130.00"))
    town.holds(customer, (-1, "40.00"), account="b")
    town.holds(customer, (5, "40.00"), account="b", closed=True)
    town.holds(customer, (-1, "0.00"), (5, "70000.00"), account="c", category="loan")
    town.holds(customer, (-1, "0.00"), (5, "5.00"), account="d", currency="USD")
    assert town.moments(balance()).mean_y == 30 - 40
    assert town.moments(balance(balance={"categories": ["loan"]})).mean_y == 70_000
    assert town.moments(balance(balance={"currency": "USD"}, currency="USD")).mean_y == 5
    assert town.moments(balance(balance={"products": ["P2"]})).mean_y == 0


def test_retention_is_what_came_in_and_is_still_there(town: Town) -> None:
    metric = MetricCreate(
        key="r",
        name=NAME,
        kind=MetricKind.RETENTION,
        window_days=60,
        source=MetricSource(events=TICKETS, balance=BalanceSource(inflow_days=30)),
    )
    kept, left, spent, idle = town.assign("call", 4)
    for customer in (kept, left, spent):
        town.receives(customer, (3, "1000.00"), (40, "5000.00"))
    town.holds(kept, (-1, "10.00"), (50, "9999.00"))
    town.holds(left, (-1, "10.00"), (50, "410.00"))
    town.holds(spent, (-1, "10.00"), (50, "0.00"))
    town.holds(idle, (-1, "10.00"), (50, "800.00"))
    found = town.moments(metric, days=60)
    assert found.n == 4
    assert found.mean_y * 4 == pytest.approx(1000 + 400, abs=0)
    assert found.mean_x * 4 == pytest.approx(3000, abs=0)


def test_a_ratio_has_the_denominator_in_the_place_of_the_covariate(town: Town) -> None:
    metric = MetricCreate(
        key="t",
        name=NAME,
        kind=MetricKind.RATIO,
        window_days=30,
        source=MetricSource(events=TICKETS, denominator=TICKETS),
    )
    one, two = town.assign("call", 2)
    town.receives(one, (1, "10.50"), (2, "20.25"), (31, "99.00"))
    town.receives(two, (-1, "7.00"), (5, "1.00"))
    found, expected = town.moments(metric), of_values([30.75, 1.0], [2.0, 1.0])
    assert found.n == 2
    for name in ("mean_y", "m2_y", "mean_x", "m2_x", "c_xy"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)


def test_balances_of_a_hundred_million_keep_nine_digits(town: Town) -> None:
    rng = np.random.default_rng(5)
    outcomes, states = {}, []
    for arm in ("call", None):
        for customer in town.assign(arm, 40):
            before = round(1e8 + float(rng.normal(0, 10)), 2)
            after = round(2e8 + float(rng.normal(0, 10)), 2)
            states += held(customer, (-1, f"{before:.2f}"), (20, f"{after:.2f}"))
            outcomes[customer] = (after - before, before)
    town.tell("CUSTOMER", HoldingsChanged(holdings=states))
    table = town.table(balance())
    for arm, moments in zip(table.columns["arm"].values(), table.all_moments(), strict=True):
        pairs = [outcomes[customer] for customer, of in town.people.items() if (of or "") == arm]
        expected = of_values([y for y, _ in pairs], [x for _, x in pairs])
        for name in ("mean_y", "m2_y", "mean_x", "m2_x", "c_xy"):
            assert getattr(moments, name) == pytest.approx(getattr(expected, name), rel=1e-9), (arm, name)


def test_outcomes_beyond_declared_quantiles_of_everybody_are_capped(town: Town) -> None:
    amounts = [float(10 * i) for i in range(1, 21)]
    amounts[-1] = 1e9
    customers = [*town.assign("call", 10), *town.assign(None, 10)]
    events = [
        event
        for customer, amount in zip(customers, amounts, strict=True)
        for event in received(customer, (1, f"{amount:.2f}"))
    ]
    town.tell("CUSTOMER", CustomerEventsRecorded(events=events))
    metric = MetricCreate(
        key="w",
        name=NAME,
        kind=MetricKind.SUM,
        window_days=30,
        source=MetricSource(events=TICKETS),
        winsorise=Winsorise(lower=0.05, upper=0.9),
    )
    found = town.moments(metric)
    expected = of_values(winsorised(amounts, caps(amounts, 0.05, 0.9)))
    # Caps are rounded to hundredths.
    assert found.mean_y == pytest.approx(expected.mean_y, abs=0.01)
    assert found.m2_y == pytest.approx(expected.m2_y, rel=1e-3)


def test_quantiles_get_the_values_of_each_arm_in_order(town: Town) -> None:
    metric = MetricCreate(
        key="q",
        name=NAME,
        kind=MetricKind.QUANTILE,
        quantile=0.5,
        window_days=30,
        source=MetricSource(events=TICKETS),
    )
    treated, (held_out,) = town.assign("call", 3), town.assign(None)
    for customer, amount in zip(treated, ("30.00", "10.50", "20.00"), strict=True):
        town.receives(customer, (1, amount))
    town.receives(held_out, (1, "7.00"))
    question = Question(CAMPAIGN, START + timedelta(days=31))
    found = asyncio.run(town.store.read(lambda cursor: unit_values(cursor, question, Measure(metric, 30))))
    assert {arm: values.tolist() for arm, values in found.items()} == {"": [7.0], "call": [10.5, 20.0, 30.0]}


def tier_moves(*customers: UUID, to: str | None, day: float, scheme: str = "value", kind: str = "value"):
    return TierChanged.model_validate(
        {
            "scheme_id": new_id(),
            "scheme_key": scheme,
            "kind": kind,
            "list_id": new_id(),
            "cause": "applied",
            "from_tier": None,
            "to_tier": to,
            "effective_at": START + timedelta(days=day),
            "customers": list(customers),
        }
    )


def test_the_tier_is_that_of_the_assignment_whenever_it_is_told(town: Town) -> None:
    rising, none, late, gone = town.assign("call", 4, manager="S1")
    (held_out,) = town.assign(None, manager="S2")
    town.tell("SEGMENTATION", tier_moves(rising, late, gone, to="silver", day=-90))
    # Another scheme that began later does not decide; what is told after the assignment and was before, does.
    town.tell("SEGMENTATION", tier_moves(rising, to="vip", day=-80, scheme="other"))
    town.tell("SEGMENTATION", tier_moves(rising, to="gold", day=2), tier_moves(late, to="gold", day=-1))
    town.tell("SEGMENTATION", tier_moves(held_out, to="gold", day=-200, kind="management", scheme="m"))
    town.tell(
        "CUSTOMER",
        CustomerErased(
            customers=[CustomerRef(customer_id=gone, ordinal=1)], receipt_id=new_id(), erased_at=START
        ),
    )
    table = town.table(balance()).of_arms({"call": ArmTraits("manager_task", "w@1")})
    found = table.by("tier", "manager", "arm", "channel")
    names = ["tier", "manager", "arm", "channel"]
    rows = list(
        zip(*(found.columns[name].values() for name in names), found.moments[0].tolist(), strict=True)
    )
    assert rows == [
        ("", "S1", "call", "manager_task", 1.0),
        ("", "S2", "", "", 1.0),
        ("gold", "S1", "call", "manager_task", 1.0),
        ("silver", "S1", "call", "manager_task", 1.0),
    ]
    assert none in town.people
