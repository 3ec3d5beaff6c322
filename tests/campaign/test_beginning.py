"""The moment a contact begins: every rule is asked once more."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from shared import clock
from shared.contracts.events import (
    CustomerErased,
    CustomersChanged,
    CustomersContacted,
    CustomerState,
    OutgoingInteraction,
)
from shared.ids import new_id
from tests.campaign.conftest import a_scheme, an_arm
from tests.campaign.desk import EVERYBODY, PUDONG, Desk, desk, merged, ref

__all__ = ["desk"]


async def _start(desk: Desk, task: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = await desk.post(f"/v1/tasks/{task['id']}:start", {})
    return answer


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consents": {}}, "consent"),
        ({"consents": {"call": False}}, "consent"),
        ({"risk_level": "C1"}, "suitability"),
        ({"risk_valid_until": clock.today() - timedelta(days=1)}, "suitability"),
        ({"status": "closed"}, "inactive"),
    ],
)
async def test_who_may_not_be_contacted_any_more_is_not(
    desk: Desk, change: dict[str, Any], reason: str
) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    changed, *_others = desk.people
    await desk.tell(CustomersChanged(customers=[changed.model_copy(update={"version": 2, **change})]))
    for task in await desk.tasks():
        begun = await _start(desk, task)
        if task["customer_id"] == str(changed.customer_id):
            assert (begun["state"], begun["reason"]) == ("expired", reason)
        else:
            assert (begun["state"], begun["reason"]) == ("started", None)
    line = (await desk.ledger(campaign_id))[changed.customer_id]
    assert (line["state"], line["reason"], line["attempts"]) == ("expired", reason, 0)
    assert line["evidence"]
    assert len(await desk.audited("refuse_contact")) == 1
    progress = await desk.balanced(campaign_id)
    assert progress["ledger"]["expired"] == 1


async def test_the_cap_counts_what_managers_do_by_hand(desk: Desk) -> None:
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    called, old, *_others = desk.people

    def by_hand(customer: CustomerState, days: int) -> OutgoingInteraction:
        at = clock.now() - timedelta(days=days)
        return OutgoingInteraction(
            interaction_id=new_id(), customer_id=customer.customer_id, at=at, kind="call"
        )

    told = CustomersContacted(
        interactions=[by_hand(called, 1), by_hand(called, 2), by_hand(old, 1), by_hand(old, 40)]
    )
    await desk.tell(told, told)
    for task in await desk.tasks():
        begun = await _start(desk, task)
        capped = task["customer_id"] == str(called.customer_id)
        assert (begun["state"], begun["reason"]) == (("expired", "cap") if capped else ("started", None))
    line = (await desk.ledger(campaign_id))[called.customer_id]
    assert line["evidence"]["contacts"] == 2
    await desk.tell(CustomerErased(receipt_id=new_id(), customers=[ref(called)], erased_at=clock.now()), told)
    async with desk.bank.campaign.runtime.db.transaction() as session:
        kept = await session.scalars(text("SELECT DISTINCT customer_id FROM outside_contact"))
        assert set(kept) == {old.customer_id}


async def test_the_cap_counts_the_other_contacts(desk: Desk) -> None:
    """Two contacts in thirty days: both campaigns may call everybody, whichever begins first."""
    for _ in range(2):
        await desk.bank.launched(scheme=EVERYBODY)
    tasks = await desk.tasks()
    assert len(tasks) == 2 * len(desk.people)
    assert {(await _start(desk, task))["state"] for task in tasks} == {"started"}


async def test_contacts_of_merged_files_count_together(desk: Desk) -> None:
    """Each file had a contact by two campaigns; as one person they have had too many."""
    survivor, loser, *_ = desk.people
    await desk.bank.add_segment("one", [survivor.customer_id])
    await desk.bank.add_segment("other", [loser.customer_id])
    for segment in ("one", "one", "other", "other"):
        await desk.bank.launched(scheme=EVERYBODY, audience={"include": [segment]})
    tasks = {UUID(task["id"]): task for task in await desk.tasks()}
    assert len(tasks) == 4
    await desk.tell(*merged(survivor, loser))
    begun = [await _start(desk, task) for task in tasks.values()]
    # The first two are refused: three others count. When two are left, each has one other besides it.
    assert [each["state"] for each in begun] == ["expired", "expired", "started", "started"]
    assert {each["reason"] for each in begun[:2]} == {"cap"}


async def test_only_the_offer_of_its_own_arm_must_be_suitable(desk: Desk) -> None:
    async with desk.bank.strategist() as author:
        offer = await author.get("/v1/offers/steady-r2")
        body = {k: v for k, v in offer.json().items() if k not in {"created_at", "created_by"}}
        made = await author.post("/v1/offers", json={**body, "key": "bold-r4", "risk": "R4"})
        assert made.status_code == 201, made.text
    scheme = a_scheme(an_arm("calm", 0.5), an_arm("bold", 0.5, offer="bold-r4"), hold_out=0)
    await desk.bank.launched(scheme=scheme)
    lowered = [each.model_copy(update={"version": 2, "risk_level": "C2"}) for each in desk.people]
    await desk.tell(CustomersChanged(customers=lowered))
    for task in await desk.tasks():
        begun = await _start(desk, task)
        assert begun["state"] == ("started" if task["offer"] == "steady-r2" else "expired")


async def test_a_record_needs_a_beginning(desk: Desk) -> None:
    await desk.bank.launched(scheme=EVERYBODY)
    task, *_ = await desk.tasks()
    async with desk.bank.manager("A", PUDONG) as manager:
        path = f"/v1/tasks/{task['id']}:record"
        refused = await manager.post(path, json={"disposition": "refused", "minutes": 1})
    assert refused.status_code == 409
    assert "legal now: accept, start, return, reassign" in refused.json()["detail"]


async def test_what_began_is_asked_again_when_it_is_begun_again(desk: Desk) -> None:
    await desk.bank.launched(scheme=EVERYBODY)
    task, other, *_ = await desk.tasks()
    for each in (task, other):
        begun = [await _start(desk, each) for _ in range(2)]
        assert [each["state"] for each in begun] == ["started", "started"]
        assert begun[0]["version"] == begun[1]["version"]
    said_no = next(each for each in desk.people if str(each.customer_id) == task["customer_id"])
    await desk.tell(CustomersChanged(customers=[said_no.model_copy(update={"version": 2, "consents": {}})]))
    assert (await _start(desk, task))["reason"] == "consent"
    assert (await _start(desk, other))["state"] == "started"


async def test_a_campaign_that_is_over_begins_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.bank.launched(scheme=EVERYBODY)
    task, *_ = await desk.tasks()
    monkeypatch.setattr(clock._clock, "_offset", timedelta(days=31))
    async with desk.bank.manager("A", PUDONG) as manager:
        refused = await manager.post(f"/v1/tasks/{task['id']}:start")
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "window-passed")


async def test_the_cap_counts_when_contacts_are_made_and_not_when_they_were_planned(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two in thirty days: of two that were planned long ago one is called now and one waits; a third is one
    too many for whoever was called, and for whoever may be any moment.
    """
    today = clock.today()
    schedule = {"start": str(today), "end": str(today + timedelta(days=60))}
    old = {await desk.bank.launched(scheme=EVERYBODY, schedule=schedule) for _ in range(2)}
    monkeypatch.setattr(clock._clock, "_offset", timedelta(days=40))
    called, waiting, *_ = (str(each.customer_id) for each in desk.people)
    for task in await desk.tasks():
        if task["customer_id"] == called:
            await desk.record(task["id"], {"disposition": "accepted", "minutes": 1})
    for campaign in old:
        async with desk.bank.strategist() as author:
            lines = {
                line["customer_id"]: line
                for line in await desk.bank.all_of(f"/v1/campaigns/{campaign}/ledger")
            }
            assert (lines[called]["state"], lines[waiting]["state"]) == ("done", "assigned")
            if campaign == min(old):
                told = await author.post(f"/v1/campaigns/{campaign}:complete", json={"expire_open": True})
                assert told.status_code == 200, told.text
    newest = await desk.bank.launched(scheme=EVERYBODY, schedule={**schedule, "start": str(clock.today())})
    lines = {str(key): line for key, line in (await desk.ledger(newest)).items()}
    # Whoever waits has one old contact left besides this one: the other expired untried.
    assert (lines[called]["reason"], lines[waiting]["state"]) == ("cap", "assigned")
