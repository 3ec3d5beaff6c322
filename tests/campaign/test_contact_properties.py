"""Random banks, policies and histories: whoever is contacted may be, by rules written down a second time here."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.campaign.domain.split import GLOBAL_SALT, position
from shared import clock
from shared.contracts.events import CustomersChanged, CustomerState
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm
from tests.campaign.desk import PUDONG

PEOPLE, MANAGERS, CAMPAIGNS = 40, 2, 3
RATING = {"steady-r2": 2, "bold-r4": 4}
ENDING = ("refused", "accepted", "no_answer", "do_not_contact", "complaint")


@dataclass
class World:
    """What the test knows by itself."""

    cap: int
    cool_down: int
    people: dict[UUID, CustomerState]
    suppressed: set[UUID] = field(default_factory=set)
    refused: set[UUID] = field(default_factory=set)
    assigned: dict[UUID, set[str]] = field(default_factory=dict)
    """Contact ids of each customer that count against the cap."""

    def may(self, customer: UUID, required: int, but: str | None = None) -> bool:
        state = self.people[customer]
        return (
            state.status == "active"
            and bool(state.consents.get("call"))
            and state.risk_level is not None
            and int(state.risk_level[1]) >= required
            and state.risk_valid_until is not None
            and state.risk_valid_until >= clock.today()
            and customer not in self.suppressed
            and not (self.cool_down and customer in self.refused)
            and len(self.assigned.get(customer, set()) - {but}) < self.cap
            and position(GLOBAL_SALT, customer) >= 0.02
        )


def _random_change(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        [
            {"consents": {"call": rng.random() < 0.5}},
            {"risk_level": f"C{rng.randint(1, 5)}"},
            {"risk_level": None, "risk_valid_until": None},
            {"risk_valid_until": clock.today() + timedelta(days=rng.choice((-30, -1, 0, 30)))},
            {"status": "closed"},
        ]
    )


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))])
async def test_nobody_is_contacted_who_may_not_be(empty_bank: Bank, seed: int) -> None:
    bank, rng = empty_bank, random.Random(seed)
    world = await _open(bank, rng)
    for number in range(CAMPAIGNS):
        before = {one: world.may(one, 4) for one in world.people}
        campaign_id = await bank.launched(scheme=_scheme())
        lines = await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
        assert len(lines) == PEOPLE
        for line in lines:
            customer = UUID(line["customer_id"])
            assert (line["state"] in {"assigned", "held_out"}) == before[customer], line
            if line["state"] == "assigned":
                world.assigned.setdefault(customer, set()).add(line["contact_id"])
        await _history(bank, rng, world, number)
        await _work(bank, rng, world)
        progress = await bank.get(f"/v1/campaigns/{campaign_id}/progress")
        assert progress["balanced"], progress["imbalances"]


def _scheme() -> dict[str, Any]:
    arms = an_arm("calm", 0.5), an_arm("bold", 0.4, offer="bold-r4")
    return {**a_scheme(*arms, hold_out=0.1), "contact_policy": "random"}


async def _open(bank: Bank, rng: random.Random) -> World:
    people = [
        a_customer(number, org=PUDONG, primary_manager=f"M-{number % MANAGERS}", **_start(rng))
        for number in range(PEOPLE)
    ]
    await bank.add_customers(people)
    await bank.add_segment(SEGMENT, [state.customer_id for state in people])
    world = World(rng.randint(1, 3), rng.choice((0, 45)), {each.customer_id: each for each in people})
    policy = {
        "key": "random",
        "name": {"zh": "任意", "en": "Random"},
        "cap": {"contacts": world.cap, "days": 30},
        "cool_down_days": world.cool_down,
    }
    async with bank.strategist() as author:
        assert (await author.post("/v1/contact-policies", json=policy)).status_code == 201
        offer = (await author.get("/v1/offers/steady-r2")).json()
        body = {key: offer[key] for key in ("name", "product", "terms", "value")}
        made = await author.post("/v1/offers", json={**body, "key": "bold-r4", "risk": "R4"})
        assert made.status_code == 201, made.text
    return world


def _start(rng: random.Random) -> dict[str, Any]:
    return _random_change(rng) if rng.random() < 0.3 else {}


async def _history(bank: Bank, rng: random.Random, world: World, number: int) -> None:
    """Between planning and calling: some customers change, some ask to be left alone."""
    chosen = rng.sample(sorted(world.people), 12)
    changed = [
        world.people[one].model_copy(update={"version": number + 2, **_random_change(rng)}) for one in chosen
    ]
    world.people |= {each.customer_id: each for each in changed}
    await bank.campaign.publish(CustomersChanged(customers=changed))
    await bank.campaign.heard("campaign__customers")
    async with bank.strategist() as author:
        for one in rng.sample(sorted(world.people), 3):
            body = {"customer_id": str(one), "channel": rng.choice(("call", None))}
            assert (await author.post("/v1/suppressions", json=body)).status_code == 201
            _leave_alone(world, one)


def _leave_alone(world: World, customer: UUID) -> None:
    world.suppressed.add(customer)


async def _work(bank: Bank, rng: random.Random, world: World) -> None:
    """Managers begin what they like; what begins must be allowed, and what is allowed begins."""
    for code in (f"M-{number}" for number in range(MANAGERS)):
        async with bank.manager(code, PUDONG) as manager:
            tasks = (await manager.get("/v1/tasks?limit=1000&state=assigned")).json()["items"]
            rng.shuffle(tasks)
            for task in tasks[: len(tasks) * 2 // 3]:
                customer = UUID(task["customer_id"])
                allowed = world.may(customer, RATING[task["offer"]], but=task["id"])
                answer = await manager.post(f"/v1/tasks/{task['id']}:start")
                if answer.status_code == 409:
                    # Closed meanwhile by another of the customer's answers.
                    assert customer in world.suppressed, answer.text
                    continue
                assert (answer.json()["state"] == "started") == allowed, (answer.json(), world)
                if not allowed:
                    world.assigned[customer].discard(task["id"])
                    continue
                ending = rng.choice(ENDING)
                body: dict[str, Any] = {"disposition": ending, "minutes": 1}
                recorded = await manager.post(f"/v1/tasks/{task['id']}:record", json=body)
                assert recorded.status_code == 200, recorded.text
                if ending == "refused":
                    world.refused.add(customer)
                if ending in {"do_not_contact", "complaint"}:
                    _leave_alone(world, customer)
    await _forget_untried(bank, world)


async def _forget_untried(bank: Bank, world: World) -> None:
    """Contacts that expired without an attempt count nothing."""
    for task in await bank.all_of("/v1/tasks", state="expired"):
        if task["attempts"] == 0:
            world.assigned.get(UUID(task["customer_id"]), set()).discard(task["id"])
