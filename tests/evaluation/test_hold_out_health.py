"""The global hold-out and late data, from what the store was told to the check that withholds."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx

from services.campaign.domain.split import GLOBAL_SALT, position
from services.evaluation.domain.catalogue import NET_INFLOW
from services.evaluation.domain.health import Check, Limits, Reserve, Told
from services.evaluation.queries.health import as_contract, checks
from services.evaluation.store import Store
from services.evaluation.store.contacts import exposures
from services.evaluation.store.health import Around, GlobalHoldOut, around
from services.evaluation.store.outcomes import Question
from shared.contracts.base import LocalText
from shared.contracts.evaluation import CampaignResult, Health
from shared.contracts.events import CampaignLaunched, CustomerEventsRecorded
from shared.contracts.events import GlobalHoldOut as Registered
from shared.contracts.events import Registration as Plan
from shared.ids import new_id
from tests.evaluation.bank import Campaign
from tests.evaluation.test_loop import strategist
from tests.evaluation.test_merges import merged
from tests.evaluation.test_store import (
    CAMPAIGN,
    LATER,
    START,
    apply,
    assigned,
    called,
    happened,
    recorded,
    store,
)
from tests.support import Running, eventually

__all__ = ["store", "strategist"]

OTHER, SPARING, UNTOLD = new_id(), new_id(), new_id()
NAMES = {OTHER: (Told("别的", "Other"), 0.3), SPARING: (Told("少留", "Sparing"), 0.1)}
PLAN = Campaign(id=CAMPAIGN).launched().registration


def drawn(low: float, high: float, n: int = 1) -> list[UUID]:
    """New customers at these positions of the global lot."""
    found: list[UUID] = []
    while len(found) < n:
        customer = new_id()
        found += [customer] if low <= position(GLOBAL_SALT, customer) < high else []
    return found


def look(store: Store, until: datetime = LATER, last: datetime | None = None) -> Around:
    question, spared = Question(CAMPAIGN, until), GlobalHoldOut(0.3, GLOBAL_SALT, NAMES)
    return asyncio.run(
        store.read(lambda cursor: around(cursor, question, NET_INFLOW, "customer", last, spared))
    )


def contact(store: Store, campaign: UUID, *customers: UUID, days: float = 1, **how: Any) -> None:
    at = START + timedelta(days=days)
    facts = [called(each, new_id(), campaign_id=campaign, recorded_at=at, **how) for each in customers]
    apply(store, "CAMPAIGN", *facts)


def test_whoever_contacts_the_global_hold_out_is_counted_and_named(store: Store) -> None:
    apply(store, "CAMPAIGN", assigned(drawn(0.3, 1, 2), "call"), assigned(drawn(0.3, 1), None))
    assert look(store).reserve == Reserve(0.3, 0, 0, [])
    spared, twice = drawn(0, 0.3, 3), drawn(0, 0.1)
    contact(store, CAMPAIGN, *drawn(0.3, 1, 4))
    contact(store, OTHER, *spared, *spared, *drawn(0.3, 1, 2))
    contact(store, UNTOLD, *spared[:1])
    contact(store, SPARING, *twice, *drawn(0.1, 0.3, 5))
    # Who was not touched, before the first assignment, or after the last window.
    contact(store, OTHER, *drawn(0, 0.3, 3), state="expired")
    contact(store, OTHER, *drawn(0, 0.3, 3), days=-0.1)
    contact(store, OTHER, *drawn(0, 0.3, 3), days=30)
    found = look(store).reserve
    other, untold, sparing = NAMES[OTHER][0], Told("其他活动", "another campaign"), NAMES[SPARING][0]
    assert found is not None
    assert (found.share, found.contacted, found.held_out) == (0.3, 15, 4)
    assert found.by[0] == (other, 3)
    assert sorted(found.by[1:]) == sorted([(untold, 1), (sparing, 1)])
    assert look(store, START + timedelta(hours=5)).reserve == Reserve(0.3, 0, 0, [])


def test_a_merge_makes_nobody_held_out_who_was_drawn_for_contact(store: Store) -> None:
    (free,), (held,) = drawn(0.3, 1), drawn(0, 0.1)
    apply(store, "CAMPAIGN", assigned([free], "call"))
    contact(store, OTHER, free)
    apply(store, "CUSTOMER", merged(held, free))
    assert look(store).reserve == Reserve(0.3, 1, 0, [])
    contact(store, OTHER, held)
    found = look(store).reserve
    assert found is not None
    assert (found.contacted, found.held_out) == (2, 1)


async def test_another_campaign_that_contacts_the_global_hold_out_withholds_this_ones_verdict(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    held = drawn(0, 0.02, 60)

    @dataclass
    class Sparing(Campaign):
        name: str = "Sound"

        def launched(self) -> CampaignLaunched:
            told = super().launched()
            plan = told.registration.model_copy(
                update={"global_hold_out": Registered(share=0.02, salt=GLOBAL_SALT)}
            )
            called = LocalText(zh=f"活动 {self.name}", en=self.name)
            return told.model_copy(update={"registration": plan, "name": called})

    sound, rogue = Sparing(treated=3, held_out=2), Sparing(treated=60, held_out=0, name="Rogue")
    contacts = [
        each.model_copy(update={"customer_id": customer})
        for each, customer in zip(rogue.contacts(), held, strict=True)
    ]
    calls = [rogue._called(each) for each in contacts]
    await evaluation.publish(*sound.facts(), rogue.launched(), *calls)
    found: dict[str, object] = {}

    async def seen() -> bool:
        answer = await strategist.get(f"/v1/campaigns/{sound.id}/health")
        asked = answer.json().get("checks", [])
        found.update(next((c for c in asked if c["check"] == "global_holdout_contaminated"), {}))
        return "Rogue: 60" in str(found.get("detail"))

    await eventually(seen, what="the contacts of the global hold-out")
    assert (found["ok"], found["withholds"]) == (False, True)
    assert "活动 Rogue：60 位" in str(found["finding"])


def late(store: Store, day: float, last: tuple[float, Check] | None, limits: Limits) -> Check:
    """The check of an evaluation on this day, after one on an earlier day."""
    before = None
    if last is not None:
        health = Health(verdict="ok", checks=[as_contract(last[1])])
        before = cast("CampaignResult", SimpleNamespace(health=health))
    until = START + timedelta(days=day)
    question, plan = Question(CAMPAIGN, until), Plan.model_validate(PLAN.model_dump())
    read_until = START + timedelta(days=last[0]) if last else None
    seen = look(store, until, read_until)
    exposed = asyncio.run(store.read(lambda cursor: exposures(cursor, question, 30)))
    found = checks(plan, exposed, seen, before, limits)
    return next(each for each in found if each.name == "late_data")


def test_what_comes_within_a_day_of_happening_is_not_late_and_what_comes_after_it_is(store: Store) -> None:
    (customer,) = drawn(0.3, 1)
    apply(store, "CAMPAIGN", assigned([customer], "call"))

    def moved(day: float, n: int) -> CustomerEventsRecorded:
        how = {"amount": "5.00", "direction": "in"}
        return recorded(*(happened(customer, "transaction.posted", day, **how) for _ in range(n)))

    limits = Limits(late=0.02)
    apply(store, "CUSTOMER", moved(8, 100), moved(9.5, 50))
    first = late(store, 10, None, limits)
    assert (first.ok, first.observed) == (True, {"events": 150, "settled": 100, "late": 0})
    # Of the last day before that evaluation: delivered overnight.
    apply(store, "CUSTOMER", moved(9.001, 30))
    second = late(store, 11, (10, first), limits)
    assert (second.ok, second.observed) == (True, {"events": 180, "settled": 180, "late": 0})
    # Had happened a day before it: two of 102 are borne, three of 103 are not.
    apply(store, "CUSTOMER", moved(9, 1), moved(3, 1))
    assert late(store, 11, (10, first), limits).observed["late"] == 2
    assert late(store, 11, (10, first), limits).ok
    apply(store, "CUSTOMER", moved(8.999, 1))
    third = late(store, 11, (10, first), limits)
    assert (third.ok, third.observed["late"]) == (False, 3)
    assert "3 of 103" in third.detail.en
    assert "at most 2% may" in third.detail.en
    assert late(store, 11, (10, first), Limits(late=0.03)).ok
    # A later evaluation has them: they are known from then on.
    assert late(store, 12, (11, third), limits).observed["late"] == 0
