"""Messages of a campaign, from the plan to the provider and back: real services, a provider of our own."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.campaign.domain.messages import MAX_ATTEMPTS
from services.campaign.usecases.claiming import _DUE
from services.campaign.usecases.erasures import forget
from services.campaign.usecases.message_outcomes import end_leases, take_receipts
from shared import clock
from shared.contracts.campaign.channels import Receipt
from shared.contracts.events import ContactRecorded, CustomerErased, CustomerRef
from shared.db import fetch
from shared.ids import new_id
from tests.campaign.conftest import a_scheme, an_arm, campaign_body
from tests.campaign.post import CHANNEL, TEXT, Post, customer_bank, post
from tests.customer.conftest import Bank as CustomerBank
from tests.customer.conftest import event, source_id
from tests.shared.receiver import Receiver, answer
from tests.support import eventually

__all__ = ["customer_bank", "post"]


def _said(receiver: Receiver) -> Counter[str]:
    return Counter(orjson.loads(each.body)["id"] for each in receiver.received)


async def test_a_campaign_of_messages_from_the_plan_to_the_books(post: Post) -> None:
    campaign_id = await post.launched()
    messages = await post.settled(campaign_id)
    assert {each["state"] for each in messages} == {"accepted"}
    assert _said(post.receiver) == Counter(each["id"] for each in messages)
    sent = orjson.loads(post.receiver.received[0].body)
    assert sent["body"] == "欧阳娜女士好\n\n稳健 2.85%"
    assert sent["recipient"].startswith("138")
    assert (await post.ledger(campaign_id))["sent"] == len(messages)
    progress = await post.bank.get(f"/v1/campaigns/{campaign_id}/progress")
    assert progress["balanced"]
    assert progress["cost"] == f"{len(messages) * 5 / 100:.2f}"
    counts = await post.bank.get(f"/v1/campaigns/{campaign_id}/message-counts")
    assert counts["items"] == [{"channel": "sms", "states": {"accepted": len(messages)}}]
    now = datetime.now(UTC)
    first, second = messages[0]["id"], messages[1]["id"]
    await post.receive(
        Receipt(id=first, state="read", at=now),
        Receipt(id=first, state="delivered", at=now),
        Receipt(id=second, state="failed", at=now, detail="no such number"),
    )
    states = {each["id"]: each["state"] for each in await post.messages(campaign_id)}
    assert (states[first], states[second]) == ("read", "failed")
    found = await post.ledger(campaign_id)
    assert (found["delivered"], found["undelivered"]) == (1, 1)
    # Whoever adds up what was told adds up what was spent.
    told = await _told(post, first)
    assert [(each.disposition, each.cost) for each in told] == [
        ("sent", Decimal("0.05")),
        ("delivered", None),
    ]
    async with post.bank.strategist() as author:
        done = await author.post(f"/v1/campaigns/{campaign_id}:complete", json={})
        assert done.status_code == 200, done.text
    await _nothing_personal(post)
    await _a_batch_is_no_message(post, campaign_id)
    await _nothing_is_said_of_who_is_forgotten(post, campaign_id, messages[1])


async def _a_batch_is_no_message(post: Post, campaign_id: str) -> None:
    """A reference that several messages have does not say which of them came."""
    before = await post.messages(campaign_id)
    async with post.bank.campaign.runtime.db.transaction() as session:
        await session.execute(text("UPDATE message SET reference = 'batch-1' WHERE channel = 'sms'"))
    receipt = Receipt(reference="batch-1", state="read", at=datetime.now(UTC))
    async with post.bank.campaign.runtime.db.transaction() as session:
        assert (await take_receipts(session, "sms", [receipt])).unknown == 1
    assert [each["state"] for each in await post.messages(campaign_id)] == [each["state"] for each in before]


async def _nothing_is_said_of_who_is_forgotten(post: Post, campaign_id: str, message: dict[str, Any]) -> None:
    event = CustomerErased(
        receipt_id=new_id(),
        customers=[CustomerRef(customer_id=message["customer_id"], ordinal=1)],
        erased_at=datetime.now(UTC),
    )

    async def said() -> tuple[str, str | None]:
        found = next(each for each in await post.messages(campaign_id) if each["id"] == message["id"])
        return found["state"], found["detail"]

    assert await said() == ("failed", "no such number")
    async with post.bank.campaign.runtime.db.transaction() as session:
        await forget(session, event)
    assert await said() == ("failed", None)
    await post.receive(Receipt(id=message["id"], state="read", at=datetime.now(UTC), detail="by her son"))
    assert await said() == ("read", None)


async def _told(post: Post, contact_id: str) -> list[ContactRecorded]:
    async with post.bank.campaign.runtime.db.transaction() as session:
        rows = await session.scalars(
            text("SELECT payload FROM outbox WHERE subject LIKE 'campaign.contact_recorded.%' ORDER BY seq")
        )
        events = [ContactRecorded.model_validate(orjson.loads(row)["data"]) for row in rows]
    return [each for each in events if str(each.contact_id) == contact_id]


async def test_a_text_that_cannot_be_sent_is_refused_at_submission(post: Post) -> None:
    step = {
        "zh": "{{ offer.minimum | money }}起 {{ manager.name }}",
        "en": "From {{ offer.minimum | money }}",
    }
    answers = [{"key": "yes", "label": {"zh": "好", "en": "Yes"}, "end": "interested"}]
    wrong = {**TEXT, "key": "wrong", "steps": [{"key": "hello", "text": step, "answers": answers}]}
    ref = await post.bank.wording("scripts", wrong)
    arm = an_arm("sms", 1.0, channel="sms", script=ref, materials=[])
    async with post.bank.strategist() as author:
        draft = await author.post("/v1/campaigns", json=campaign_body(scheme=a_scheme(arm, hold_out=0)))
        refused = await author.post(f"/v1/campaigns/{draft.json()['id']}:submit")
    assert refused.status_code == 422
    found = refused.json()["errors"]
    assert {error["pointer"] for error in found} == {"/scheme/arms/0/script"}
    said = " ".join(error["detail"] for error in found)
    assert "answers" in said
    assert "manager.name" in said
    assert "steady-r2 has none" in said


async def test_a_simulation_tells_what_channels_can_carry_and_what_it_costs(post: Post) -> None:
    """Two days of three messages each, behind eight of a campaign that waits."""
    waits = await post.planned()
    waiting = len(await post.messages(waits))
    begins = clock.today() + timedelta(days=1)
    schedule = {"start": begins.isoformat(), "end": (begins + timedelta(days=1)).isoformat()}
    arms = (an_arm("sms", 0.5, channel="sms", script="text@1"), an_arm("call", 0.5))
    body = campaign_body(
        scheme=a_scheme(*arms, hold_out=0), schedule=schedule, budget={"amount": "0.01", "currency": "CNY"}
    )
    async with post.bank.strategist() as author:
        limited = await author.patch(
            "/v1/channels/sms", json={"daily_capacity": 3}, headers={"If-Match": await _etag(author)}
        )
        assert limited.status_code == 200, limited.text
        draft = (await author.post("/v1/campaigns", json=body)).json()["id"]
        simulated = (await author.post(f"/v1/campaigns/{draft}:simulate")).json()
        ended = await author.post(f"/v1/campaigns/{waits}:abort", json={"reason": "No"})
        assert ended.status_code == 200, ended.text
        dearer = await author.patch(
            "/v1/channels/sms", json={"currency": "USD"}, headers={"If-Match": limited.headers["etag"]}
        )
        assert dearer.status_code == 200, dearer.text
        mixed = (await author.post(f"/v1/campaigns/{draft}:simulate")).json()
        refused = await author.post(f"/v1/campaigns/{draft}:submit")
    (need,) = simulated["channels"]
    messages, calls = simulated["arms"]["sms"], simulated["arms"]["call"]
    assert (need["channel"], need["messages"], need["waiting"]) == ("sms", messages, waiting)
    assert (need["per_day"], need["days"], need["enabled"]) == (3, 2, False)
    assert need["days_needed"] == -(-(messages + waiting) // 3)
    assert need["beyond_capacity"] == min(messages, messages + waiting - 6)
    assert Decimal(need["cost"]) == messages * Decimal("0.05")
    cost = Decimal(need["cost"]) + calls * 6 * Decimal("1.50")
    assert Decimal(simulated["cost"]["amount"]) == cost
    assert Decimal(simulated["cost"]["over"]) == cost - Decimal("0.01")
    assert simulated["expected_value"] is None
    assert mixed["cost"] is None
    assert "/budget/currency" in {error["pointer"] for error in refused.json()["errors"]}


async def _etag(author: httpx.AsyncClient) -> str:
    return (await author.get("/v1/channels/sms")).headers["etag"]


async def _nothing_personal(post: Post) -> None:
    phones = [orjson.loads(each.body)["recipient"] for each in post.receiver.received]
    async with post.bank.campaign.runtime.db.transaction() as session:
        for table in ("message", "outbox", "audit_log", "stored_answer"):
            rows = await session.execute(text(f"SELECT t::text FROM {table} t"))
            kept = " ".join(row[0] for row in rows)
            assert "欧阳" not in kept, table
            assert not any(each in kept for each in phones), table


async def test_an_answer_that_was_lost_is_unknown_and_nobody_is_asked_twice(post: Post) -> None:
    post.receiver.otherwise = answer(500)
    campaign_id = await post.launched()
    messages = await post.settled(campaign_id)
    assert {each["state"] for each in messages} == {"unknown"}
    assert set(_said(post.receiver).values()) == {1}
    first, second, third = (each["id"] for each in messages[:3])
    async with post.bank.strategist() as author:
        for message, outcome in ((first, "delivered"), (second, "not_sent")):
            told = await author.post(f"/v1/messages/{message}:resolve", json={"outcome": outcome})
            assert told.status_code == 200, told.text
            again = await author.post(f"/v1/messages/{message}:resolve", json={"outcome": outcome})
            assert again.status_code == 409
    await post.receive(Receipt(id=third, state="delivered", at=datetime.now(UTC)))
    found = await post.ledger(campaign_id)
    assert (found["delivered"], found["undelivered"]) == (2, 1)
    assert found["unknown"] == len(messages) - 3
    assert (await post.bank.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]


async def test_what_was_certainly_not_taken_is_tried_again_and_at_last_given_up(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.receiver.otherwise = answer(429)
    campaign_id = await post.launched()

    async def tried(times: int) -> bool:
        found = await post.messages(campaign_id)
        # Answered too, so that the wait until the next attempt is counted from now.
        return bool(found) and all(
            each["attempts"] == times and each["state"] in {"planned", "failed"} for each in found
        )

    for attempt in range(1, MAX_ATTEMPTS + 1):
        await eventually(lambda times=attempt: tried(times), what=f"attempt {attempt}")
        monkeypatch.setattr(clock._clock, "_offset", timedelta(hours=attempt))
    messages = await post.settled(campaign_id)
    assert {each["state"] for each in messages} == {"failed"}
    assert set(_said(post.receiver).values()) == {MAX_ATTEMPTS}
    assert float((await post.bank.get(f"/v1/campaigns/{campaign_id}/progress"))["cost"]) == 0


async def test_opting_out_between_plan_and_sending_holds(post: Post, customer_bank: CustomerBank) -> None:
    campaign_id = await post.planned()
    messages = await post.messages(campaign_id)
    said_no, told_here, gone, no_calls = (each["customer_id"] for each in messages[:4])
    # The customer service knows it; the news has not come to the campaign service.
    word = {"data": {"channel": "sms", "granted": False}, "time": clock.now().isoformat()}
    told = await customer_bank.push(event(source_id(post.people[said_no]), "consent.changed", **word))
    assert told.status_code == 200, told.text
    async with post.bank.strategist() as author:
        kept = await author.post(
            "/v1/suppressions", json={"customer_id": told_here, "kind": "do_not_contact"}
        )
        assert kept.status_code == 201, kept.text
        # Nobody calls whoever asked for no calls; their messages go on.
        calls = {"customer_id": no_calls, "kind": "do_not_contact", "channel": "call"}
        assert (await author.post("/v1/suppressions", json=calls)).status_code == 201
    await post.bank.campaign.publish(
        CustomerErased(
            receipt_id=new_id(),
            customers=[CustomerRef(customer_id=gone, ordinal=1)],
            erased_at=datetime.now(UTC),
        )
    )

    async def forgotten() -> bool:
        found = {each["customer_id"]: each["state"] for each in await post.messages(campaign_id)}
        return found[gone] == "expired"

    await eventually(forgotten, what="the erasure")
    await post.open()
    await post.settled(campaign_id)
    found = {each["customer_id"]: each["state"] for each in await post.messages(campaign_id)}
    assert [found[each] for each in (said_no, told_here, gone)] == ["expired"] * 3
    assert set(_said(post.receiver)) == {each["id"] for each in messages[3:]}
    lines = await post.bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
    refused = {line["customer_id"]: line["reason"] for line in lines}
    assert refused[said_no] == "consent"


async def test_a_channel_that_cannot_be_used_holds_up_no_other(post: Post) -> None:
    async with post.bank.strategist() as author:
        broken = {**CHANNEL, "key": "broken", "connector": {"type": "sandbox"}}
        assert (await author.post("/v1/channels", json=broken)).status_code == 201
        assert (await author.post("/v1/channels/broken:enable")).status_code == 200
    arms = [an_arm(key, 0.5, channel=key, script="text@1") for key in ("broken", "sms")]
    campaign_id = await post.bank.approved(scheme=a_scheme(*arms, hold_out=0))
    async with post.bank.campaign.runtime.db.transaction() as session:
        await session.execute(text("UPDATE channel SET connector = '{}' WHERE key = 'broken'"))
    await post.bank.launch(campaign_id)

    async def closed(channel: str) -> list[bool]:
        messages = await post.messages(campaign_id)
        return [each["closed_at"] is not None for each in messages if each["channel"] == channel]

    async def sent() -> bool:
        return all(await closed("sms"))

    await eventually(sent, what="messages of the other channel")
    assert not any(await closed("broken"))


async def test_there_is_no_message_without_a_line_in_a_ledger(post: Post) -> None:
    await post.planned()
    another = (
        "INSERT INTO message (id, campaign_id, customer_id, arm, channel, state, planned_at, due_at)"
        " SELECT gen_random_uuid(), campaign_id, customer_id, arm, channel, state, planned_at, due_at"
        " FROM message"
    )
    with pytest.raises(IntegrityError, match="a message without a contact"):
        async with post.bank.campaign.runtime.db.transaction() as session:
            await session.execute(text(another))


async def test_a_paused_campaign_sends_nothing_and_goes_on(post: Post) -> None:
    campaign_id = await post.planned()
    async with post.bank.strategist() as author:
        paused = await author.post(
            f"/v1/campaigns/{campaign_id}:pause", json={"reason": "the provider moves"}
        )
        assert paused.status_code == 200, paused.text
    await post.open()
    await post.round()
    assert not post.receiver.received
    async with post.bank.strategist() as author:
        assert (await author.post(f"/v1/campaigns/{campaign_id}:resume", json={})).status_code == 200
    messages = await post.settled(campaign_id)
    assert _said(post.receiver) == Counter(each["id"] for each in messages)


async def test_a_campaign_that_drains_sends_what_is_open(post: Post) -> None:
    campaign_id = await post.planned()
    async with post.bank.strategist() as author:
        drained = await author.post(f"/v1/campaigns/{campaign_id}:drain", json={})
        assert (drained.status_code, drained.json()["status"]) == (200, "draining"), drained.text
    await post.open()
    assert {each["state"] for each in await post.settled(campaign_id)} == {"accepted"}


async def test_a_sender_that_dies_sends_nothing_twice(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claims are free again when their lease ends; what it had begun to submit is unknown."""
    campaign_id = await post.planned()
    async with post.bank.campaign.runtime.db.transaction() as session:
        ids = list(await session.scalars(text("SELECT id FROM message ORDER BY id")))
        dead = "fence = fence + 1, lease_until = now() - interval '1 second'"
        await session.execute(
            text(f"UPDATE message SET state = 'claimed', {dead} WHERE id = :id"), {"id": ids[0]}
        )
        await session.execute(
            text(f"UPDATE message SET state = 'submitting', {dead} WHERE id = :id"), {"id": ids[1]}
        )
        await end_leases(session)
    states = {each["id"]: each["state"] for each in await post.messages(campaign_id)}
    assert (states[str(ids[0])], states[str(ids[1])]) == ("planned", "unknown")


async def test_what_is_asked_wrongly_is_named(post: Post) -> None:
    nobody = str(new_id())
    async with post.bank.strategist() as author:
        campaign = (await author.post("/v1/campaigns", json=campaign_body())).json()["id"]
        for path, status, pointer in (
            (f"/v1/campaigns/{campaign}/messages?state=lost", 422, "/query/state"),
            (f"/v1/campaigns/{campaign}/messages?cursor=x", 400, None),
            (f"/v1/campaigns/{nobody}/messages", 404, None),
            (f"/v1/campaigns/{nobody}/message-counts", 404, None),
        ):
            answer = await author.get(path)
            assert answer.status_code == status, answer.text
            assert pointer in {None, *(error["pointer"] for error in answer.json().get("errors", []))}
        resolved = await author.post(f"/v1/messages/{nobody}:resolve", json={"outcome": "perhaps"})
        assert (resolved.status_code, resolved.json()["errors"][0]["pointer"]) == (422, "/outcome")
        resolved = await author.post(f"/v1/messages/{nobody}:resolve", json={"outcome": "delivered"})
        assert resolved.status_code == 404


async def test_a_channel_keeps_its_currency_while_budgets_count_in_it(post: Post) -> None:
    campaign_id = await post.planned()
    async with post.bank.strategist() as author:
        campaign = (await author.get(f"/v1/campaigns/{campaign_id}")).json()
        etag = (await author.get("/v1/channels/sms")).headers["etag"]

        async def change() -> httpx.Response:
            return await author.patch(
                "/v1/channels/sms", json={"currency": "EUR"}, headers={"If-Match": etag}
            )

        refused = await change()
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"] == [
            {"pointer": "/currency", "detail": f"stays CNY: budgets of {campaign['key']} count in it"}
        ]
        ended = await author.post(f"/v1/campaigns/{campaign_id}:abort", json={"reason": "No"})
        assert ended.status_code == 200, ended.text
        assert (await change()).json()["currency"] == "EUR"


async def test_a_paused_campaign_holds_up_no_other(post: Post) -> None:
    """What is next is found campaign by campaign: what waits in a paused one may be a million."""
    asked = {"channel": "sms", "now": clock.now(), "today": clock.today(), "limit": 10}
    async with post.bank.campaign.runtime.db.transaction() as session:
        await fetch(session, "SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await fetch(session, f"EXPLAIN {_DUE}", asked))
    conditions = ("channel = 'sms'", "campaign_id = k.id", "due_at <=")
    found = [line for line in plan.splitlines() if "Index Cond" in line and conditions[1] in line]
    assert found, plan
    assert all(each in found[0] for each in conditions), plan
