"""The daily series: days exactly as a loop over customers has them, and a band that does not cry wolf."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from scipy import stats

from services.evaluation.domain.catalogue import CONVERSION, NET_INFLOW, TRANSACTIONS
from services.evaluation.domain.effect import Effect, NoEffect
from services.evaluation.domain.moments import Moments, merged, of_values
from services.evaluation.domain.series import effects_by_day
from services.evaluation.store import Store
from services.evaluation.store.health import around
from services.evaluation.store.outcomes import Question
from services.evaluation.store.series import course
from shared.contracts.drawing import DrawnUnit
from shared.contracts.events import ContactsAssigned, EventData
from shared.contracts.metrics import MetricCreate
from shared.ids import new_id
from tests.evaluation.test_merges import at, paid
from tests.evaluation.test_merges import merged as merge
from tests.evaluation.test_store import CAMPAIGN, START, apply, assigned, called, happened, recorded, store

__all__ = ["store"]

UNTIL = START + timedelta(days=34)
BEGINS = {"call": 0.0, "late": 20.5}


def told(store: Store, work: Any) -> Any:
    return asyncio.run(store.read(work))


def lives(rng: np.random.Generator, customers: int) -> tuple[list[EventData], list[dict[str, Any]]]:
    """Two waves over three branches, and what everybody did before and after; also as plain records."""
    facts: list[EventData] = []
    people = []
    for number in range(customers):
        begins, treated = BEGINS["late" if number % 3 else "call"], number % 2 == 0
        person: dict[str, Any] = {"id": new_id(), "begins": begins, "treated": treated, "did": []}
        person["branch"] = f"hq.b{number % 5}"
        one = at(assigned([person["id"]], "call" if treated else None, branch=person["branch"]), begins)
        facts.append(one.model_copy(update={"wave": 1 if begins == 0 else 2}))
        for _ in range(rng.poisson(4)):
            day, amount = float(rng.uniform(-30, 34) + begins), round(float(rng.normal(50, 400)), 2)
            facts.append(paid(person["id"], day, amount))
            person["did"].append((day - begins, amount))
        people.append(person)
    return facts, people


def by_hand(people: list[dict[str, Any]], days: int, kind: str) -> list[dict[tuple[bool, str], Moments]]:
    found = []
    for day in range(1, days + 1):
        groups: dict[tuple[bool, str], list[tuple[float, float]]] = {}
        for person in people:
            if 34 - person["begins"] < day:
                continue
            after = [amount for when, amount in person["did"] if 0 <= when < day]
            before = [amount for when, amount in person["did"] if -30 <= when < 0]
            y, x = {
                "sum": (sum(after), sum(before)),
                "count": (len(after), len(before)),
            }[kind]
            groups.setdefault((person["treated"], person["branch"]), []).append((float(y), float(x)))
        found.append({key: of_values(*zip(*group, strict=True)) for key, group in groups.items()})
    return found


def test_days_are_those_of_a_loop_over_customers(store: Store) -> None:
    facts, people = lives(np.random.default_rng(3), 60)
    apply(store, "CAMPAIGN", *(fact for fact in facts if isinstance(fact, ContactsAssigned)))
    apply(store, "CUSTOMER", *(fact for fact in facts if not isinstance(fact, ContactsAssigned)))
    compare(store, people, NET_INFLOW, "sum", "customer")
    compare(store, people, TRANSACTIONS, "count", "branch")


def compare(
    store: Store, people: list[dict[str, Any]], metric: MetricCreate, kind: str, unit: DrawnUnit
) -> None:
    found = told(store, lambda cursor: course(cursor, Question(CAMPAIGN, UNTIL), metric, unit))
    assert [(wave.number, wave.assigned) for wave in found.waves] == [(1, 20), (2, 40)]
    expected = by_hand(people, 30, kind)
    assert len(found.days) == 30
    for day, groups in zip(found.days, expected, strict=True):
        for side, treated in zip(day, (True, False), strict=True):
            if unit == "customer":
                hand = {"": merged(group for key, group in groups.items() if key[0] == treated)}
            else:
                hand = {key[1]: group for key, group in groups.items() if key[0] == treated}
            assert set(side) == {key for key, group in hand.items() if group.n}
            for key, moments in side.items():
                same(moments, hand[key])


def same(found: Moments, hand: Moments) -> None:
    assert found.n == hand.n
    for name in ("mean_y", "m2_y", "mean_x", "m2_x", "c_xy"):
        assert getattr(found, name) == pytest.approx(getattr(hand, name), rel=1e-9, abs=1e-6), name


def test_a_conversion_counts_from_the_day_it_came_and_who_has_not_lived_is_not_counted(store: Store) -> None:
    one, other, late, control = (new_id() for _ in range(4))
    apply(store, "CAMPAIGN", assigned([one, other], "call"), at(assigned([late], "call"), 30))
    apply(store, "CAMPAIGN", assigned([control], None))
    apply(
        store,
        "CUSTOMER",
        recorded(happened(one, "product.opened", 2.5), happened(one, "product.opened", 9)),
        recorded(happened(late, "product.opened", 33.5)),
    )
    found = told(store, lambda cursor: course(cursor, Question(CAMPAIGN, UNTIL), CONVERSION, "customer"))
    treated = [(day[0][""].n, round(day[0][""].mean_y, 6)) for day in found.days]
    # Three in the first four days, of whom the late one opened on the fourth; two from then on.
    assert treated[:6] == [
        (3, 0.0),
        (3, 0.0),
        (3, round(1 / 3, 6)),
        (3, round(2 / 3, 6)),
        (2, 0.5),
        (2, 0.5),
    ]
    assert {day[1][""].n for day in found.days} == {1}


def test_nobody_has_lived_a_day_and_nobody_is_there(store: Store) -> None:
    soon = Question(CAMPAIGN, START + timedelta(hours=5))
    apply(store, "CAMPAIGN", assigned([new_id()], "call"))
    assert told(store, lambda cursor: course(cursor, soon, NET_INFLOW, "customer")).days == []
    nobody = Question(new_id(), UNTIL)
    empty = told(store, lambda cursor: course(cursor, nobody, NET_INFLOW, "customer"))
    assert (empty.days, empty.waves) == ([], [])


def test_the_band_is_wider_than_the_interval_and_says_why_there_is_none() -> None:
    rng = np.random.default_rng(1)
    days = [({"": of_values(rng.normal(d, 9, 400))}, {"": of_values(rng.normal(0, 9, 300))}) for d in (1, 2)]
    days.append(({"": of_values([1.0])}, {"": of_values(rng.normal(0, 9, 300))}))
    first, second, third = effects_by_day(days, "sum", 3, 0.05, 700)
    for day in (first, second):
        assert isinstance(day.effect, Effect)
        assert day.always_valid is not None
        assert day.always_valid[0] < day.effect.interval[0]
        assert day.effect.interval[1] < day.always_valid[1]
    assert (first.number, first.n, first.n_control) == (1, 400, 300)
    assert isinstance(third.effect, NoEffect)
    assert third.always_valid is None


def alarms(runs: int, seed: int) -> tuple[int, int]:
    """Of `runs` without any difference, those whose band, or whose interval of one day, ever leaves zero out.

    Each customer has a habit, so that their days go together, with busy and idle days.
    """
    rng = np.random.default_rng(seed)
    always = naive = 0
    for _ in range(runs):
        habit = rng.gamma(0.5, 2.0, (300, 1)) + 1
        outcome = (rng.gamma(0.3, 3.0, (300, 30)) * habit).cumsum(axis=1)
        days = [
            ({"": of_values(outcome[:180, day])}, {"": of_values(outcome[180:, day])}) for day in range(30)
        ]
        found = effects_by_day(days, "sum", 30, 0.05, 300)
        always += any(
            not day.always_valid[0] <= 0 <= day.always_valid[1] for day in found if day.always_valid
        )
        naive += any(isinstance(day.effect, Effect) and day.effect.p_value < 0.05 for day in found)
    return always, naive


def test_the_band_does_not_cry_wolf_over_a_window_of_thirty_days() -> None:
    assert alarms(25, 9)[0] <= stats.binom.ppf(0.999, 25, 0.05)


@pytest.mark.slow
def test_the_band_does_not_cry_wolf_over_a_window_of_thirty_days_at_length() -> None:
    always, naive = alarms(1500, 10)
    assert always <= stats.binom.ppf(0.999, 1500, 0.05)
    assert naive > stats.binom.ppf(0.999, 1500, 0.05)


def test_the_health_gate_sees_who_got_into_the_wrong_group(store: Store) -> None:
    held, crossing, twin, treated, elsewhere = (new_id() for _ in range(5))
    other_campaign = assigned([elsewhere], "call").model_copy(update={"campaign_id": new_id()})
    apply(store, "CAMPAIGN", assigned([held, crossing, elsewhere], None, branch="hq.x"))
    apply(store, "CAMPAIGN", at(assigned([twin], "call"), 1), assigned([treated], "call"), other_campaign)
    apply(store, "CAMPAIGN", touched(held), touched(treated), touched(twin))
    apply(
        store, "CAMPAIGN", touched(elsewhere).model_copy(update={"campaign_id": other_campaign.campaign_id})
    )
    apply(store, "CUSTOMER", paid(held, -3, 10), paid(treated, -3, 30), paid(treated, 2, 5), paid(held, 9, 5))
    apply(store, "CUSTOMER", merge(crossing, twin))
    question = Question(CAMPAIGN, UNTIL)
    day_five = START + timedelta(days=5)
    seen = told(store, lambda cursor: around(cursor, question, NET_INFLOW, "customer", day_five))
    assert seen.by_branch == {"hq.x": {"": 3}, "hq.a": {"call": 1}}
    assert (seen.crossed, seen.contacted, seen.elsewhere) == (1, 1, {"": 1})
    assert (seen.before[True].mean_y, seen.before[False].n) == (30.0, 3)
    assert (seen.before[False].mean_y, seen.read, seen.due) == (pytest.approx(10 / 3), 2, 1)
    whole = told(store, lambda cursor: around(cursor, question, NET_INFLOW, "branch", None))
    assert (whole.drawn, whole.due) == ({"": 1, "call": 1}, 0)


def touched(customer: UUID) -> Any:
    return called(customer, new_id(), disposition="interested")
