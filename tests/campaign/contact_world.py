"""A bank in which anything may happen to a few customers, while an oracle looks at every contact that is made."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.campaign.channels import OutboundMessage, Submission
from services.campaign.settings import CampaignSettings
from services.campaign.usecases import sending
from services.campaign.usecases.campaigns import approve_campaign, create_campaign, submit_campaign
from services.campaign.usecases.claiming import Claim
from services.campaign.usecases.launch import launch
from services.campaign.usecases.readmodel import store_customers
from services.campaign.usecases.sending import send_due
from shared import clock
from shared.auth import Principal, Role
from shared.contracts.campaign import CampaignWrite
from shared.contracts.customer.addresses import CustomerAddress
from shared.contracts.events import CustomersChanged, CustomerState
from tests.campaign.conftest import OFFER, Bank, a_customer, a_scheme, an_arm, campaign_body
from tests.campaign.contact_oracle import GLOBAL_HOLD_OUT, ZONE, Line, Oracle, Plan, Rules, Way, place
from tests.campaign.desk import JINGAN, PUDONG

PEOPLE = 6
RECEIVER = "N-RECEIVES"
SMS = "letters"
OFFERS = {"steady-r2": 2, "bold-r4": 4}
_AUTHOR, _CHECKER = (
    Principal(id=f"user:{code}", roles=frozenset({role}), org="hq", staff=code)
    for code, role in (("S1", Role.strategist), ("S2", Role.approver))
)
_WE_SEND = ContextVar("we_send", default=False)
"""The service's own sender runs beside the test; what it did, and when, would be left to chance."""
_numbers = count(1)
_versions = count(2)
Action = Callable[[], Awaitable[None]]


@dataclass
class Provider:
    """Takes messages, or not, as it likes; everything it is given is judged."""

    world: "World | None" = None
    batch: int = 3

    async def submit(self, messages: Sequence[OutboundMessage]) -> list[Submission]:
        assert self.world is not None
        return [await self.world.given(message.id) for message in messages]


class Stage:
    """No dataclass: of those hypothesis writes out every field for every example."""

    def __init__(self, bank: Bank, provider: Provider) -> None:
        self.bank = bank
        self.provider = provider


@dataclass
class World:
    bank: Bank
    rng: Random
    oracle: Oracle
    tally: Counter[str]
    key: str
    plans: list[Plan] = field(default_factory=list)
    begun: set[UUID] = field(default_factory=set)
    taken: set[UUID] = field(default_factory=set)
    """Messages that the provider has, or may have."""
    story: list[str] = field(default_factory=list)
    merges: dict[UUID, UUID] = field(default_factory=dict)
    """By the file that was merged."""
    meanwhile: Action | None = None
    """Happens between the claim of messages and their submission."""
    _clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @property
    def runtime(self) -> Any:
        return self.bank.campaign.runtime

    @property
    def settings(self) -> CampaignSettings:
        assert isinstance(self.runtime.settings, CampaignSettings)
        return self.runtime.settings

    @property
    def managers(self) -> list[str]:
        return [f"{self.key.upper()}-{letter}" for letter in "ABC"]

    def client(self, code: str) -> httpx.AsyncClient:
        if code not in self._clients:
            role = {"HEAD": Role.branch_head, "S1": Role.strategist}.get(code, Role.manager)
            org = "hq" if role is Role.strategist else "hq.sh"
            self._clients[code] = self.bank.client(role, org=org, staff=code)
        return self._clients[code]

    async def end(self) -> None:
        """Its campaigns do nothing in the next world."""
        async with self.runtime.db.transaction() as session:
            await session.execute(text("UPDATE campaign SET status = 'aborted' WHERE status <> 'aborted'"))
        for client in self._clients.values():
            await client.aclose()

    async def call(self, code: str, path: str, body: Any = None, *allowed: int) -> Any:
        """What it answers; None when it refuses as it may."""
        answer = await self.client(code).post(path, json=body or {})
        assert answer.status_code in {200, 201, *allowed}, (path, body, answer.text, self.story)
        return answer.json() if answer.is_success else None

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        async with self.runtime.db.transaction() as session:
            return list(await session.execute(text(statement), values))

    def move(self, by: timedelta) -> None:
        clock._clock._offset += by

    # What begins and what is made.

    async def lines(self, table: str, states: Sequence[str]) -> list[Any]:
        """Tasks or messages of this world's campaigns: id, customer_id, campaign_id, arm, state."""
        columns = "id, customer_id, campaign_id, arm, state" + (", manager" if table == "task" else "")
        found = await self.rows(
            f"SELECT {columns} FROM {table} WHERE campaign_id = ANY(:plans) AND state = ANY(:states) ORDER BY id",
            plans=[plan.id for plan in self.plans],
            states=list(states),
        )
        # Ids are drawn anew in every run: what is chosen follows from customers and campaigns.
        order = {customer: number for number, customer in enumerate(self.oracle.files)}
        plans = {plan.id: number for number, plan in enumerate(self.plans)}
        return sorted(found, key=lambda row: (plans[row.campaign_id], order[row.customer_id]))

    def line(self, row: Any) -> Line:
        plan = next(plan for plan in self.plans if plan.id == row.campaign_id)
        return Line(row.id, row.customer_id, plan, row.arm)

    def judge(self, line: Line, before: datetime, path: str) -> None:
        wrong = self.oracle.forbids(line, before, clock.now())
        assert not wrong, (path, wrong, line, self.oracle.rules, self.story)
        self.tally[path] += 1

    async def begin(self, row: Any) -> bool:
        before = clock.now()
        answer = await self.call(row.manager, f"/v1/tasks/{row.id}:start", None, 409)
        if answer is None:
            # What had begun before has still begun.
            self.tally["refused: not now"] += 1
            return False
        if answer["state"] != "started":
            self.begun.discard(row.id)
            self.tally[f"refused: {answer['reason'] or '?'}"] += 1
            return False
        line = self.line(row)
        self.judge(line, before, "begun")
        self.oracle.contacted(line, clock.now())
        self.begun.add(row.id)
        return True

    async def record(self, row: Any) -> None:
        ending = self.rng.choice(
            ("refused", "accepted", "no_answer", "call_back", "call_back", "do_not_contact", "complaint")
        )
        body: dict[str, Any] = {"disposition": ending, "minutes": 1}
        if ending == "call_back":
            body["next_at"] = (clock.now() + timedelta(minutes=30)).isoformat()
        answer = await self.call(row.manager, f"/v1/tasks/{row.id}:record", body, 409, 422)
        if answer is None:
            return
        assert row.id in self.begun, ("recorded, and never begun", row, self.story)
        self.begun.discard(row.id)
        self.tally["recorded"] += 1
        now = clock.now()
        self.oracle.contacted(self.line(row), now)
        if ending == "refused":
            self.oracle.refused.append((row.customer_id, now))
        if ending in {"do_not_contact", "complaint"}:
            until = now + timedelta(days=90) if ending == "complaint" else None
            self.oracle.suppressed.append((row.customer_id, None, until))

    async def given(self, message: UUID) -> Submission:
        (row,) = await self.rows(
            "SELECT id, customer_id, campaign_id, arm FROM message WHERE id = :id", id=message
        )
        line = self.line(row)
        assert message not in self.taken, ("sent twice", line, self.story)
        self.judge(line, clock.now(), "sent")
        outcome = self.rng.choice(("accepted", "accepted", "delivered", "failed", "refused", "unknown"))
        if outcome in {"accepted", "delivered", "unknown"}:
            self.taken.add(message)
            self.oracle.contacted(line, clock.now())
        return Submission(outcome, f"r-{message}")

    async def send(self) -> None:
        mark = _WE_SEND.set(True)
        try:
            await send_due(self.runtime, self.settings)
        finally:
            _WE_SEND.reset(mark)

    async def addresses(self, customers: Sequence[UUID]) -> dict[UUID, CustomerAddress]:
        """As the customer service would answer that has not heard of anything."""
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return {each: CustomerAddress(customer_id=each, address="+8613912345678") for each in customers}

    async def check(self) -> None:
        """No task has begun but by being begun."""
        found = {row.id for row in await self.lines("task", ["started"])}
        assert found <= self.begun, ("begun by nobody", found - self.begun, self.story)
        self.begun &= found

    # Customers and campaigns.

    async def store(self, *states: CustomerState, tell: bool = True) -> None:
        """The oracle knows it with the bank."""
        changed = [each.model_copy(update={"version": next(_versions)}) for each in states]
        self.oracle.files |= {each.customer_id: each for each in changed}
        if tell:
            async with self.runtime.db.transaction() as session:
                await store_customers(session, CustomersChanged(customers=changed))

    async def launch(self, kind: str) -> None:
        arms, ways = self._arms(kind)
        hold_out = self.rng.choice((0.0, 0.2))
        share = (1 - hold_out) / len(arms)
        waves = self.rng.choice((1, 2)) if kind != "trigger" else 1
        ends_on = clock.today() + timedelta(days=self.rng.randint(3, 40))
        trigger = {"trigger": {"segment": f"{self.key}-moves", "on": "enter"}} if kind == "trigger" else {}
        body = campaign_body(
            scheme={
                **a_scheme(*({**arm, "share": share} for arm in arms), hold_out=hold_out),
                "contact_policy": self.key,
            },
            audience={"include": [self.key], **trigger},
            schedule={
                "start": str(clock.today()),
                "end": str(ends_on),
                "waves": waves,
                "wave_gap_minutes": 60,
            },
        )
        async with self.runtime.db.transaction() as session:
            campaign = await create_campaign(session, _AUTHOR, CampaignWrite.model_validate(body))
            await submit_campaign(session, _AUTHOR, campaign.id)
            await approve_campaign(session, _CHECKER, campaign.id, None)
            campaign.status = "launching"
        await launch(self.runtime.db, self.settings, campaign.id, _silent)
        ways = [Way(way.key, share, way.consent, way.risk) for way in ways]
        self.plans.append(Plan(campaign.id, hold_out, ways, "hq.sh", ends_on))
        await self.look_for_held()

    def _arms(self, kind: str) -> tuple[list[dict[str, Any]], list[Way]]:
        call = [(an_arm(key, 0.5, offer=key), Way(key, 0, "call", risk)) for key, risk in OFFERS.items()]
        letter = {"channel": SMS, "script": "letter@1"}
        sent = [(an_arm("sms", 0.5, **letter), Way("sms", 0, "sms", 2))]
        chosen = {"tasks": call, "messages": sent, "both": [*call, *sent], "trigger": [call[0], *sent]}[kind]
        return [arm for arm, _ in chosen], [way for _, way in chosen]

    async def look_for_held(self) -> None:
        for plan in self.plans:
            found = await self.rows(
                "SELECT customer_id FROM contact WHERE campaign_id = :plan AND state = 'held_out'",
                plan=plan.id,
            )
            plan.held |= {row.customer_id for row in found}


async def _silent(_share: float, _step: str) -> None:
    """Nobody watches."""


def some_rules(rng: Random) -> Rules:
    quiet = rng.choice((None, None, (time(20, 30), time(9)), (time(12), time(14))))
    today = clock.today()
    holiday = frozenset({today + timedelta(days=rng.randint(0, 4))} if rng.random() < 0.3 else set())
    return Rules(
        rng.randint(1, 4),
        rng.choice((3, 10, 30)),
        rng.choice((0, 5, 45)),
        quiet,
        rng.random() < 0.2,
        holiday,
    )


def some_facts(rng: Random) -> dict[str, Any]:
    return rng.choice(
        [
            {"consents": {"call": rng.random() < 0.5, "sms": rng.random() < 0.5}},
            {"risk_level": f"C{rng.randint(1, 5)}"},
            {"risk_level": None, "risk_valid_until": None},
            {"risk_valid_until": clock.today() + timedelta(days=rng.choice((-30, -1, 0, 1, 30)))},
            {"status": rng.choice(("closed", "active", "active"))},
        ]
    )


async def a_world(bank: Bank, seed: int, tally: Counter[str]) -> World:
    """Customers, most of whom may be contacted, a policy, and no campaign yet; some hour of some week."""
    rng, key = Random(seed), f"w{next(_numbers)}"
    local = clock.now().astimezone(ZONE)
    monday = datetime.combine(local.date() + timedelta(days=7 - local.weekday()), time(0), ZONE)
    hour = rng.randint(0, 23) if rng.random() < 0.2 else rng.randint(9, 19)
    start = monday + timedelta(days=rng.randint(0, 6), hours=hour, minutes=rng.randint(0, 59))
    clock._clock._offset += start - clock.now()
    world = World(bank, rng, Oracle(some_rules(rng)), tally, key)
    for number in range(PEOPLE):
        while True:
            state = a_customer(
                number,
                org=PUDONG,
                primary_manager=world.managers[number % 2],
                backup_manager=world.managers[2],
                **{
                    "consents": {"call": True, "sms": True},
                    **(some_facts(rng) if rng.random() < 0.2 else {}),
                },
            )
            held = place("global-hold-out", state.customer_id) < GLOBAL_HOLD_OUT
            if held == (number == PEOPLE - 1):
                break
        world.oracle.files[state.customer_id] = state
    await bank.add_customers(list(world.oracle.files.values()))
    await bank.add_segment(key, list(world.oracle.files))
    await bank.add_segment(f"{key}-moves", [])
    await world.call("S1", "/v1/contact-policies", world.oracle.rules.body(key))
    return world


@pytest.fixture
async def stage(empty_bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A bank that sends messages to a provider of ours, and only when it is told to."""
    bank, provider = empty_bank, Provider()

    claims = sending.claim

    async def ours(*given: Any) -> list[Claim]:
        return await claims(*given) if _WE_SEND.get() else []

    async def addresses(_runtime: Any, _kind: Any, customers: list[UUID]) -> Any:
        assert provider.world is not None
        return await provider.world.addresses(customers)

    monkeypatch.setattr(sending, "claim", ours)
    monkeypatch.setattr(sending, "addresses_of", addresses)
    monkeypatch.setattr(sending, "connector_for", lambda *_: provider)
    monkeypatch.setattr(clock._clock, "_offset", timedelta())
    await bank.add_customers([a_customer(0, org=JINGAN, primary_manager=RECEIVER)])
    letter = {"key": "letter", "name": {"zh": "短信", "en": "Letter"}, "steps": [_step()]}
    assert await bank.wording("scripts", letter) == "letter@1"
    channel = {
        "key": SMS,
        "kind": "sms",
        "name": {"zh": "短信", "en": "Letters"},
        "consent": "sms",
        "connector": {"type": "sandbox"},
        "per_minute": 10_000,
        "daily_capacity": 10_000,
        "cost": "0.05",
    }
    async with bank.strategist() as author:
        for path, body in (
            ("/v1/offers", {**OFFER, "key": "bold-r4", "risk": "R4"}),
            ("/v1/quotas", {"offer": "bold-r4", "units": 3}),
            ("/v1/channels", channel),
        ):
            assert (await author.post(path, json=body)).status_code == 201
        assert (await author.post(f"/v1/channels/{SMS}:enable")).status_code == 200
    return Stage(bank, provider)


def _step() -> dict[str, Any]:
    return {"key": "hello", "text": {"zh": "您好", "en": "Good morning"}}
