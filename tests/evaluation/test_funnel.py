"""The last stage of the funnel: who still holds what they opened, told only where it is known."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.evaluation.domain.catalogue import AUM, COMPLAINTS, CONVERSION
from services.evaluation.domain.exposure import FunnelCounts, Stages, retention_windows
from services.evaluation.queries.boards import funnel_group
from services.evaluation.store import Store, open_store
from shared import clock
from shared.contracts.events import HoldingsChanged, HoldingState
from shared.ids import new_id
from tests.evaluation.test_merges import at, merged, unmerged
from tests.evaluation.test_store import START, apply, assigned, called, funnel_of, happened, recorded, vars_of

FIRST_DAY = START.astimezone(clock.ZONE).date()
WINDOWS = [30, 60, 90]
Told = tuple[int, str] | tuple[int, str, bool]
"""Days after assignment, the balance, whether it was closed."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "evaluation.duckdb", memory="256MB", threads=1)
    yield opened
    opened.close()


def holds(store: Store, customer: UUID, *told: Told, product: str = "fund-a", category: str = "fund") -> None:
    """One account of `product`."""
    states = [
        HoldingState.model_validate(
            {
                "customer_id": customer,
                "ordinal": 1,
                "account": f"{product}-1",
                "product": product,
                "category": category,
                "balance": balance,
                "as_of": FIRST_DAY + timedelta(days=day),
                "closed": bool(closed),
            }
        )
        for day, balance, *closed in told
    ]
    apply(store, "CUSTOMER", HoldingsChanged(holdings=states))


def opens(store: Store, customer: UUID, *told: Told, product: str = "fund-a", category: str = "fund") -> None:
    """An account of `product`, two days after assignment."""
    apply(store, "CUSTOMER", recorded(happened(customer, "product.opened", 2, product=product)))
    holds(store, customer, (2, "0.00"), *told, product=product, category=category)


def seen(store: Store, days: float) -> FunnelCounts:
    """So many days after the first assignment."""
    return funnel_of(store, START + timedelta(days=days), WINDOWS)


def retained(store: Store, days: float) -> tuple[int | None, int, int]:
    """The window that was looked at; who is retained of the arm, and of the hold-out."""
    found = seen(store, days)
    return found.retained_days, found.by_arm["call"].retained, found.by_arm[""].retained


def test_retained_is_who_still_holds_what_they_opened(store: Store) -> None:
    treated, control = [new_id() for _ in range(9)], [new_id() for _ in range(3)]
    apply(store, "CAMPAIGN", assigned(treated, "call"), assigned(control, None))
    keeps, never_told, closes, empties, refills, revives, pays_off, elsewhere, _ = treated
    opens(store, keeps, (20, "500.00"))
    opens(store, never_told)
    opens(store, closes, (5, "80.00"), (45, "0.00", True), (59, "0.00"))
    opens(store, empties, (5, "80.00"), (40, "0.00"))
    opens(store, refills, (5, "80.00"), (40, "0.00"), (70, "30.00"))
    opens(store, revives, (10, "0.00", True), (50, "25.00"))
    opens(store, pays_off, (5, "90.00"), (25, "0.00"), product="card-b", category="card")
    opens(store, elsewhere, (5, "0.00", True))
    holds(store, elsewhere, (-90, "9.00"), (60, "9.00"), product="fund-b")
    opens(store, control[0], (5, "70.00"))
    opens(store, control[1], (5, "70.00"), (80, "0.00", True))
    stages = seen(store, 31).by_arm
    assert (stages["call"].assigned, stages["call"].converted) == (9, 8)
    assert (stages[""].assigned, stages[""].converted) == (3, 2)
    # The day on which the window ends has to be over.
    assert retained(store, 30.2)[0] is None
    assert retained(store, 31) == (30, 6, 2)  # but for `revives` and `elsewhere`
    assert retained(store, 60.2) == (30, 6, 2)
    assert retained(store, 61) == (60, 4, 2)  # keeps, never_told, revives, pays_off
    assert retained(store, 91) == (90, 5, 1)  # and refills


def test_nobody_is_retained_before_everybody_could_be(store: Store) -> None:
    early, late, control = new_id(), new_id(), new_id()
    apply(store, "CAMPAIGN", assigned([early], "call"), assigned([control], None))
    opens(store, early, (5, "10.00"))
    assert retained(store, 31) == (30, 1, 0)
    apply(store, "CAMPAIGN", at(assigned([late], "call"), 40))
    assert seen(store, 69).retained_days is None
    assert retained(store, 71) == (30, 1, 0)
    assert funnel_of(store, START + timedelta(days=400)).retained_days is None
    assert funnel_group(Stages(3, 2, 2, 1, 1, 1), None).retained is None
    assert funnel_group(Stages(3, 2, 2, 1, 1, 1), 30).retained == 1


def test_a_funnel_of_an_earlier_moment_knows_nothing_of_what_came_since(store: Store) -> None:
    """A report is of the moment of its result, whenever it is made."""
    early, late = new_id(), new_id()
    apply(store, "CAMPAIGN", assigned([early], "call"), at(assigned([late], "call"), 40))
    apply(store, "CAMPAIGN", called(early, new_id(), disposition="interested"))
    assert vars_of(seen(store, 0.5).by_arm["call"]) == (1, 0, 0, 0, 0)
    assert vars_of(seen(store, 2).by_arm["call"]) == (1, 1, 1, 1, 0)
    assert vars_of(seen(store, 41).by_arm["call"]) == (2, 1, 1, 1, 0)


def test_accounts_that_nobody_told_of_are_unknown_and_not_lost(store: Store) -> None:
    customer, control = new_id(), new_id()
    apply(store, "CAMPAIGN", assigned([customer], "call"), assigned([control], None))
    assert retained(store, 31) == (30, 0, 0)  # nobody opened anything, so nobody kept it
    apply(store, "CUSTOMER", recorded(happened(customer, "product.opened", 2, product="fund-a")))
    holds(store, control, (3, "5.00"))
    assert seen(store, 31).by_arm["call"].converted == 1
    assert retained(store, 31)[0] is None
    holds(store, customer, (3, "5.00"))
    assert retained(store, 31) == (30, 1, 0)


def test_of_one_person_the_files_are_read_together(store: Store) -> None:
    exposed, survivor, control = new_id(), new_id(), new_id()
    apply(store, "CAMPAIGN", assigned([exposed], "call"), assigned([control], None))
    opens(store, exposed, (5, "10.00"), (20, "0.00", True))
    holds(store, survivor, (6, "40.00"))
    assert retained(store, 31) == (30, 0, 0)
    merge = merged(survivor, exposed)
    apply(store, "CUSTOMER", merge)
    assert retained(store, 31) == (30, 1, 0)
    apply(store, "CUSTOMER", unmerged(merge))
    assert retained(store, 31) == (30, 0, 0)


def test_a_window_registered_and_long_enough_to_convert_in_is_looked_at() -> None:
    assert retention_windows([AUM, COMPLAINTS], 45, CONVERSION) == [30, 45, 60, 90]
    week = COMPLAINTS.model_copy(update={"window_days": 7, "windows": [14]})
    assert retention_windows([week], 7, CONVERSION) == []
