"""Stages against customers whose stage is plain, and the highest balance against a day-by-day sum."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.segmentation.queries.life_cycle import Scheme, stage_counts, stage_transitions, win_back_page
from services.segmentation.store import facts
from services.segmentation.store.store import Store
from shared import clock
from shared.contracts.events import CustomerState, HoldingState, RecordedEvent
from shared.contracts.segmentation.life_cycle import Stage, Thresholds
from shared.pagination import PageRequest

SCHEME = Scheme(0, Thresholds())
TODAY = clock.today()

# (months a customer, [(account, balance or None for closed, days ago)], days ago of activity)
CASES: dict[str, tuple[Stage, int | None, list[tuple[str, str | None, int]], list[int]]] = {
    "never held, never seen": (Stage.prospect, None, [], []),
    "opened last month": (Stage.onboarding, 1, [("a", "5000", 20)], [5]),
    "steady": (Stage.mature, 30, [("a", "5000", 300)], [300, 120, 30, 5]),
    "grew by half": (Stage.growth, 30, [("a", "5000", 300), ("a", "7500", 10)], [100, 30]),
    "money after none": (Stage.growth, 30, [("a", "0", 300), ("a", "7500", 10)], [100, 30]),
    "fell by half": (Stage.decline, 30, [("a", "5000", 300), ("a", "2500", 10)], [30]),
    "went quiet": (Stage.decline, 30, [("a", "5000", 300)], [*range(95, 175, 8), 20]),
    "silent for seven months": (Stage.dormant, 30, [("a", "5000", 300)], [210]),
    "never active but old": (Stage.dormant, 30, [("a", "5000", 300)], []),
    "closed everything": (Stage.lost, 30, [("a", "5000", 300), ("a", None, 40)], [90, 45]),
    "empty and silent for long": (Stage.lost, 60, [("a", "5000", 600), ("a", "3", 390)], [380]),
    "empty but a borrower": (Stage.dormant, 60, [("a", "3", 600), ("loan", "900", 600)], [380]),
    "back after two years": (Stage.won_back, 60, [("a", "5000", 900)], [800, 20, 5]),
    "back one year ago": (Stage.mature, 60, [("a", "5000", 900)], [1200, 350, 100, 5]),
}


def _months_ago(months: int) -> date:
    return TODAY - timedelta(days=31 * months)


def _facts() -> tuple[list[CustomerState], list[HoldingState], list[RecordedEvent]]:
    customers, holdings, events = [], [], []
    for ordinal, (_, months, states, active) in enumerate(CASES.values(), 1):
        who: dict[str, Any] = {"customer_id": UUID(int=ordinal), "ordinal": ordinal}
        since = None if months is None else _months_ago(months)
        customers.append(CustomerState(**who, version=1, kind="person", org="hq.a", customer_since=since))
        for account, balance, age in states:
            category = "loan" if account == "loan" else "demand"
            holdings.append(
                HoldingState(
                    **who,
                    account=f"{account}{ordinal}",
                    product=category,
                    category=category,
                    balance=Decimal(balance or "0"),
                    as_of=TODAY - timedelta(days=age),
                    closed=balance is None,
                )
            )
        for age in active:
            at = datetime.combine(TODAY - timedelta(days=age), time(12), clock.ZONE)
            seq = 10_000 * ordinal + age
            type_ = "transaction.posted"
            events.append(
                RecordedEvent(seq=seq, event_id=str(seq), source="s", type=type_, time=at, data={}, **who)
            )
    return customers, holdings, events


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(Path(tmp_path_factory.mktemp("stages")) / "store.duckdb")
    customers, holdings, events = _facts()
    with store.write() as cursor:
        facts.merge_customers(cursor, facts.customer_table(customers))
        facts.merge_holdings(cursor, facts.holding_table(holdings))
        facts.insert_events(cursor, facts.event_table(events))
    yield store
    store.close()


def test_everybody_is_where_they_belong(store: Store) -> None:
    with store.read() as cursor:
        counts = stage_counts(cursor, SCHEME, TODAY, "hq")
        rows = dict(cursor.execute("SELECT ordinal, stage FROM stage_after").fetchall())
    found = {name: rows[ordinal] for ordinal, name in enumerate(CASES, 1)}
    assert found == {name: str(case[0]) for name, case in CASES.items()}
    assert counts.customers == len(CASES)
    assert {each.stage for each in counts.stages} == set(Stage)
    with store.read() as cursor:
        assert stage_counts(cursor, SCHEME, TODAY, "hq.b").customers == 0


def test_moves_are_told_by_the_facts_of_then(store: Store) -> None:
    with store.read() as cursor:
        moved = stage_transitions(cursor, SCHEME, TODAY - timedelta(days=50), TODAY, "hq")
    moves = {(each.before, each.after): each.customers for each in moved.moves}
    assert moves[Stage.mature, Stage.lost] == 1  # closed everything 40 days ago
    assert moves[None, Stage.onboarding] == 1  # was no customer yet
    assert moves[Stage.dormant, Stage.won_back] == 1
    assert moves[Stage.mature, Stage.growth] == 2
    assert sum(moves.values()) == len(CASES)


def test_other_thresholds_make_other_stages(store: Store) -> None:
    lenient = Scheme(1, Thresholds(growth=0.6, decline=0.6, decline_activity=1.0, dormant_days=300))
    with store.read() as cursor:
        stage_counts(cursor, lenient, TODAY, "hq")
        rows = dict(cursor.execute("SELECT ordinal, stage FROM stage_after").fetchall())
    found = {name: rows[ordinal] for ordinal, name in enumerate(CASES, 1)}
    assert [found[name] for name in ("grew by half", "fell by half", "silent for seven months")] == [
        "mature"
    ] * 3


def test_the_most_they_ever_had(store: Store) -> None:
    with store.read() as cursor:
        first = win_back_page(cursor, SCHEME, "hq", None, PageRequest(1, None))
        second = win_back_page(cursor, SCHEME, "hq", None, PageRequest(1, first.next_cursor))
        nobody = win_back_page(cursor, SCHEME, "hq", "M1", PageRequest(10, None))
    found = [*first.items, *second.items]
    assert second.next_cursor is None
    names = [list(CASES)[each.customer_id.int - 1] for each in found]
    assert names == ["closed everything", "empty and silent for long"]
    assert [each.best_assets for each in found] == [Decimal("5000.00")] * 2
    assert [each.assets for each in found] == [Decimal("0.00"), Decimal("3.00")]
    assert found[0].last_activity_on == TODAY - timedelta(days=45)
    assert nobody.items == []
