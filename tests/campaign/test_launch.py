"""Launch on a real database: the split, the reasons, the books, and a run that is killed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import func, select

from services.campaign.domain.split import (
    GLOBAL_SALT,
    contact_key,
    position,
    salt_of,
    slot_of,
    slots,
    wave_of,
)
from services.campaign.models import Campaign, CampaignWave, Contact, Task
from services.campaign.settings import CampaignSettings
from services.campaign.usecases import release
from services.campaign.usecases.launch import launch, release_due_waves
from shared import clock
from shared.contracts.campaign import Arm
from shared.contracts.events import ContactsAssigned
from shared.db import Outbox
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, Bank, a_customer, a_scheme, an_arm
from tests.support import Running, eventually


async def _silent(_fraction: float, _step: str) -> None: ...


async def test_sql_and_python_split_alike(bank: Bank) -> None:
    ids = [state.customer_id for state in bank.customers]
    campaign_id = new_id()
    async with bank.campaign.runtime.db.transaction() as session:
        values = func.unnest(ids).column_valued("id")
        rows = (
            await session.execute(
                select(
                    values,
                    func.split_position("a salt \\x盐", values),
                    func.contact_key(campaign_id, 3, values),
                )
            )
        ).all()
    assert len(rows) == len(ids)
    for customer, at, key in rows:
        assert at == position("a salt \\x盐", customer)
        assert key == contact_key(campaign_id, 3, customer)
        assert key.version == 8


async def test_the_ledger_is_what_the_hash_says(bank: Bank) -> None:
    arms = [an_arm("call", 0.6), an_arm("visit", 0.3)]
    campaign_id = UUID(await bank.launched(scheme=a_scheme(*arms)))
    entries = await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
    assert len(entries) == 1000
    cut = slots(0.1, [Arm.model_validate(arm) for arm in arms])
    by_customer = {str(state.customer_id): state for state in bank.customers}
    for entry in entries:
        customer = by_customer[entry["customer_id"]]
        assert entry["contact_id"] == str(contact_key(campaign_id, 1, customer.customer_id))
        if position(GLOBAL_SALT, customer.customer_id) < CampaignSettings().global_hold_out:
            assert (entry["state"], entry["reason"]) == ("suppressed", "global_hold_out")
            continue
        slot = slot_of(position(salt_of("arm", campaign_id), customer.customer_id), cut)
        assert entry["arm"] == slot.arm
        assert entry["propensity"] == slot.propensity
        assert entry["state"] == ("held_out" if slot.arm is None else "assigned")
        assert entry["manager"] == (customer.primary_manager if slot.arm else None)
    progress = await bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["balanced"], progress
    ledger = progress["ledger"]
    assert ledger["audience"] == 1000
    assert ledger["audience"] == sum(ledger["suppressed"].values()) + ledger["held_out"] + ledger["assigned"]


async def test_simulation_counts_what_the_launch_then_does(bank: Bank) -> None:
    campaign_id = await bank.approved(scheme=a_scheme(an_arm("call", 0.6), an_arm("visit", 0.3)))
    async with bank.strategist() as author:
        answer = await author.post(f"/v1/campaigns/{campaign_id}:simulate")
        assert answer.status_code == 200, answer.text
        simulated = answer.json()
        job = await author.post(f"/v1/campaigns/{campaign_id}:launch")
    await launch(bank.campaign.runtime.db, CampaignSettings(), UUID(campaign_id), _silent)
    progress = await bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert job.status_code == 202
    assert simulated["audience"] == 1000
    assert simulated["suppressed"] == progress["ledger"]["suppressed"]
    assert simulated["hold_out"] == progress["ledger"]["held_out"]
    assert simulated["arms"] == {tally["key"]: tally["assigned"] for tally in progress["arms"]}
    assert simulated["eligible"] == simulated["hold_out"] + sum(simulated["arms"].values())
    assert simulated["manager_minutes"]["needed"] == 6 * sum(simulated["arms"].values())
    assert 0 < simulated["minimum_detectable_effect"] < 1


async def test_each_reason_is_found_and_explained(empty_bank: Bank) -> None:
    yesterday = clock.today() - timedelta(days=1)
    cases: dict[str, dict[str, Any]] = {
        "inactive": {"status": "closed"},
        "consent": {"consents": {"sms": True}},
        "suitability": {"risk_level": "C1"},
        "suitability expired": {"risk_valid_until": yesterday},
        "suitability unknown": {"risk_level": None},
        "no_manager": {"primary_manager": None, "backup_manager": None},
        "backup": {"primary_manager": None},
        "elsewhere": {"org": "hq.bj.haidian"},
        "do_not_contact": {},
        "excluded": {},
        "passes": {},
    }
    states = {name: a_customer(index, **changes) for index, (name, changes) in enumerate(cases.items())}
    states = {name: _outside_the_global_hold_out(state) for name, state in states.items()}
    await empty_bank.add_customers(list(states.values()))
    # Members the service has never heard of belong to no audience.
    await empty_bank.add_segment(SEGMENT, [*(state.customer_id for state in states.values()), new_id()])
    await empty_bank.add_segment("open-complaint", [states["excluded"].customer_id])
    async with empty_bank.strategist() as author:
        answer = await author.post(
            "/v1/suppressions", json={"customer_id": str(states["do_not_contact"].customer_id)}
        )
        assert answer.status_code == 201, answer.text
    campaign_id = await empty_bank.launched(
        scheme=a_scheme(an_arm("call", 1.0), hold_out=0),
        audience={"include": [SEGMENT], "exclude": ["open-complaint"]},
    )
    ledger = await empty_bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
    found = {entry["customer_id"]: entry for entry in ledger}
    by_name = {
        name: found[str(state.customer_id)]
        for name, state in states.items()
        if str(state.customer_id) in found
    }
    assert set(states) - set(by_name) == {"elsewhere", "excluded"}
    assert {name: entry["reason"] for name, entry in by_name.items()} == {
        "inactive": "inactive",
        "consent": "consent",
        "suitability": "suitability",
        "suitability expired": "suitability",
        "suitability unknown": "suitability",
        "no_manager": "no_manager",
        "backup": None,
        "do_not_contact": "do_not_contact",
        "passes": None,
    }
    assert by_name["suitability"]["evidence"]["required"] == 2
    assert by_name["suitability"]["evidence"]["risk_level"] == 1
    assert by_name["backup"]["manager"] == states["backup"].backup_manager
    decisions = await empty_bank.get(f"/v1/customers/{states['consent'].customer_id}/contact-decisions")
    assert not decisions["contactable"]
    assert [check["rule"] for check in decisions["checks"] if not check["holds"]] == ["consent"]
    assert decisions["decisions"][0]["reason"] == "consent"


def _outside_the_global_hold_out(state: Any) -> Any:
    while position(GLOBAL_SALT, state.customer_id) < CampaignSettings().global_hold_out:
        state = state.model_copy(update={"customer_id": new_id()})
    return state


async def test_the_cap_counts_contacts_of_all_campaigns(bank: Bank) -> None:
    scheme = a_scheme(an_arm("call", 1.0), hold_out=0)
    for _ in range(2):
        await bank.launched(scheme=scheme)
    campaign_id = await bank.launched(scheme=scheme)
    ledger = (await bank.get(f"/v1/campaigns/{campaign_id}/progress"))["ledger"]
    assert ledger["assigned"] == 0
    assert ledger["suppressed"]["cap"] == 1000 - ledger["suppressed"].get("global_hold_out", 0)
    entry = (await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger", state="suppressed"))[0]
    assert entry["reason"] == "global_hold_out" or entry["evidence"]["contacts"] == 2


async def test_the_limit_takes_the_same_members_whatever_the_order(bank: Bank) -> None:
    campaign_id = UUID(await bank.launched(audience={"include": [SEGMENT], "limit": 50}))
    audience = await bank.all_of(f"/v1/campaigns/{campaign_id}/audience")
    ranked = sorted(
        bank.customers, key=lambda state: position(salt_of("limit", campaign_id), state.customer_id)
    )
    assert {row["customer_id"] for row in audience} == {str(state.customer_id) for state in ranked[:50]}


class _KilledError(Exception):
    pass


def _killed_after(chunks: int) -> Callable[[float, str], Awaitable[None]]:
    """A report that ends the run once so many chunks are written."""
    left = iter(range(chunks - 1))

    async def report(_fraction: float, _step: str) -> None:
        if next(left, None) is None:
            raise _KilledError

    return report


async def _dump(running: Running, campaign_id: UUID) -> tuple[list[Any], list[Any]]:
    async with running.runtime.db.transaction() as session:
        contacts = await session.execute(
            select(Contact.__table__).where(Contact.campaign_id == campaign_id).order_by(Contact.customer_id)
        )
        tasks = await session.execute(
            select(Task.__table__).where(Task.campaign_id == campaign_id).order_by(Task.customer_id)
        )
        return list(contacts.all()), list(tasks.all())


async def test_a_launch_killed_between_chunks_goes_on_to_the_same_ledger(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = CampaignSettings(launch_chunk=150)
    database = bank.campaign.runtime.db
    campaign_id = UUID(await bank.approved())
    # Launched by hand, so that no job of the running service takes part.
    async with database.transaction() as session:
        campaign = await session.get_one(Campaign, campaign_id)
        campaign.status = "launching"
    snapshots = []
    for chunks in (1, 2, 3):
        with pytest.raises(_KilledError):
            await launch(database, settings, campaign_id, _killed_after(chunks))
        snapshots.append(await _dump(bank.campaign, campaign_id))
    assert [len(contacts) for contacts, _ in snapshots] == [150, 450, 900]
    # Even if nobody knows how far it came, nobody is decided on twice.
    async with database.transaction() as session:
        (await session.get_one(CampaignWave, (campaign_id, 1))).decided_upto = None

    # Inside a chunk: what it wrote goes with its transaction.
    emit = release.emit_json

    async def killed(*_arguments: Any) -> None:
        raise _KilledError

    monkeypatch.setattr(release, "emit_json", killed)
    with pytest.raises(_KilledError):
        await launch(database, settings, campaign_id, _silent)
    assert await _dump(bank.campaign, campaign_id) == snapshots[-1]
    monkeypatch.setattr(release, "emit_json", emit)

    assert (await launch(database, settings, campaign_id, _silent))["status"] == "running"
    contacts, tasks = await _dump(bank.campaign, campaign_id)
    for before, _ in snapshots:
        assert set(before) <= set(contacts)
    assert len(contacts) == 1000
    assert len({contact.decided_at for contact in contacts}) == 1
    assert len(tasks) == sum(contact.state == "assigned" for contact in contacts)
    # Once more: nothing new, nothing told twice.
    assert (await launch(database, settings, campaign_id, _silent))["status"] == "running"
    assert await _dump(bank.campaign, campaign_id) == (contacts, tasks)
    told = await _told(bank.campaign)
    assert Counter(told).most_common(1)[0][1] == 1
    assert set(told) == {contact.id for contact in contacts if contact.state != "suppressed"}


async def _told(running: Running) -> list[UUID]:
    """Contact ids in all ContactsAssigned events of the outbox."""
    async with running.runtime.db.transaction() as session:
        payloads = await session.scalars(
            select(Outbox.payload).where(Outbox.subject.startswith(ContactsAssigned.SUBJECT))
        )
        events = [ContactsAssigned.model_validate(orjson.loads(payload)["data"]) for payload in payloads]
    assert all(len(event.contacts) <= 500 for event in events)
    assert all((contact.arm is None) == (contact.manager is None) for e in events for contact in e.contacts)
    # Who is held out has a manager too: results compare a manager's customers with each other.
    assert all(contact.primary_manager for e in events for contact in e.contacts)
    return [contact.contact_id for event in events for contact in event.contacts]


async def test_waves_are_released_one_after_another(bank: Bank) -> None:
    today = clock.today()
    campaign_id = UUID(
        await bank.launched(
            schedule={
                "start": today.isoformat(),
                "end": (today + timedelta(days=10)).isoformat(),
                "waves": 2,
                "wave_gap_minutes": 1,
            }
        )
    )
    view = await bank.get(f"/v1/campaigns/{campaign_id}")
    assert [wave["released_at"] is not None for wave in view["waves"]] == [True, False]
    second = {
        str(state.customer_id)
        for state in bank.customers
        if wave_of(position(salt_of("wave", campaign_id), state.customer_id), 2) == 2
    }
    audience = await bank.all_of(f"/v1/campaigns/{campaign_id}/audience")
    assert {row["customer_id"] for row in audience if row["state"] == "planned"} == second
    progress = await bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["planned"] == len(second)
    # Due now: the running service's clock or ours releases it, once.
    async with bank.campaign.runtime.db.transaction() as session:
        wave = await session.get_one(CampaignWave, (campaign_id, 2))
        wave.due_at = datetime.now(UTC) - timedelta(seconds=1)
    await release_due_waves(bank.campaign.runtime.db, CampaignSettings())
    progress = await bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["planned"] == 0
    assert progress["balanced"]
    told = await _told(bank.campaign)
    assert len(told) == len(set(told)) == progress["ledger"]["held_out"] + progress["ledger"]["assigned"]


async def test_changed_segments_void_the_approval_before_the_launch(bank: Bank) -> None:
    campaign_id = await bank.approved()
    await bank.add_segment(SEGMENT, [], version=2)
    async with bank.strategist() as author:
        refused = await author.post(f"/v1/campaigns/{campaign_id}:launch")
        assert refused.status_code == 409
        assert refused.json()["type"] == "/problems/approval-void"
        again = await author.post(f"/v1/campaigns/{campaign_id}:submit")
        assert again.status_code == 200
        assert again.json()["status"] == "in_review"


async def test_a_campaign_of_tomorrow_starts_by_itself(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow: date = clock.today() + timedelta(days=1)
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=5)).isoformat()}
    starting, other, expiring = [await bank.approved(schedule=window) for _ in range(3)]
    async with bank.strategist() as author:
        for campaign_id in (starting, other):
            answer = await author.post(f"/v1/campaigns/{campaign_id}:launch")
            assert answer.status_code == 202
    view = await bank.get(f"/v1/campaigns/{starting}")
    assert (view["status"], view["waves"], view["verbs"]) == ("scheduled", [], ["edit", "abort"])

    async def became(campaign_id: str, status: str) -> bool:
        return bool((await bank.get(f"/v1/campaigns/{campaign_id}"))["status"] == status)

    monkeypatch.setattr(clock._clock, "_offset", timedelta(days=1))
    await eventually(lambda: became(starting, "running"), what="the start")
    await eventually(lambda: became(other, "running"), what="the other start")
    assert (await bank.get(f"/v1/campaigns/{starting}/progress"))["balanced"]
    # Never launched, and its last day passes.
    monkeypatch.setattr(clock._clock, "_offset", timedelta(days=10))
    await eventually(lambda: became(expiring, "expired"), what="the expiry")
    async with bank.strategist() as author:
        assert (await author.post(f"/v1/campaigns/{expiring}:launch")).status_code == 409


async def test_a_segment_that_changed_overnight_sends_the_campaign_back(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow: date = clock.today() + timedelta(days=1)
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=5)).isoformat()}
    campaign_id = await bank.approved(schedule=window)
    async with bank.strategist() as author:
        assert (await author.post(f"/v1/campaigns/{campaign_id}:launch")).status_code == 202
    await bank.add_segment(SEGMENT, [], version=2)
    monkeypatch.setattr(clock._clock, "_offset", timedelta(days=1))

    async def sent_back() -> bool:
        return bool((await bank.get(f"/v1/campaigns/{campaign_id}"))["status"] == "draft")

    await eventually(sent_back, what="the return to draft")
    view = await bank.get(f"/v1/campaigns/{campaign_id}")
    assert (view["approved_by"], view["content_hash"]) == (None, None)
    assert "changed after approval" in view["status_reason"]
    assert (await bank.all_of(f"/v1/campaigns/{campaign_id}/audience")) == []


async def test_two_launches_at_once_keep_the_cap(bank: Bank) -> None:
    settings = CampaignSettings(launch_chunk=100, contact_cap=1)
    database = bank.campaign.runtime.db
    campaigns = [
        UUID(await bank.approved(scheme=a_scheme(an_arm("call", 1.0), hold_out=0))) for _ in range(2)
    ]
    async with database.transaction() as session:
        for campaign_id in campaigns:
            (await session.get_one(Campaign, campaign_id)).status = "launching"
    # Each campaign twice: two workers that both believe the launch is theirs.
    await asyncio.gather(
        *(launch(database, settings, campaign_id, _silent) for campaign_id in [*campaigns, *campaigns])
    )
    async with database.transaction() as session:
        per_customer = (
            await session.execute(
                select(func.count()).where(Contact.arm.is_not(None)).group_by(Contact.customer_id)
            )
        ).scalars()
        assert set(per_customer) == {1}
    books = [(await bank.get(f"/v1/campaigns/{campaign_id}/progress")) for campaign_id in campaigns]
    assert all(book["balanced"] and book["ledger"]["audience"] == 1000 for book in books)
    assert sum(book["ledger"]["assigned"] for book in books) == 1000 - books[0]["ledger"]["suppressed"].get(
        "global_hold_out", 0
    )
