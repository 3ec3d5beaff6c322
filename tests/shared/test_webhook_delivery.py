"""From an event on the stream to a real HTTP receiver, and all that can go wrong between."""

import asyncio
import contextlib

import httpx

from shared.ids import new_id
from shared.webhooks.deliverer import Deliverer
from tests.shared.receiver import Receiver, answer, receiving
from tests.shared.webhook_world import (
    PAUSED,
    RESUMED,
    create,
    deliveries,
    due_now,
    emit_paused,
    emitting,
    settled,
    sql,
)
from tests.support import Running, eventually


async def test_an_event_arrives_once_signed_as_the_cloudevent(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    other = await create(owner, receiver.url + "/other", RESUMED)
    (event_id,) = await emit_paused(probe)
    done = await settled(owner, webhook, event_id, state="succeeded")
    assert done["attempts"] == 1
    assert done["response_status"] == 204
    (request,) = receiver.of(event_id)
    assert request.signed_by(webhook["secret"])
    assert not request.signed_by(other["secret"])
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.event["id"] == str(event_id)
    assert request.event["type"] == PAUSED
    assert await deliveries(owner, other) == []


async def test_all_events_by_one_pattern(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url, "huanying.campaign.*")
    (event_id,) = await emit_paused(probe)
    await settled(owner, webhook, event_id, state="succeeded")


async def test_the_same_event_twice_on_the_stream_is_one_delivery(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    (event_id,) = await emit_paused(probe)
    await settled(owner, webhook, event_id, state="succeeded")
    payload = receiver.of(event_id)[0].body
    for number in range(3):
        await probe.runtime.bus.js.publish(
            f"campaign.campaign_paused.{new_id()}", payload, headers={"Nats-Msg-Id": f"{event_id}-{number}"}
        )
    (later,) = await emit_paused(probe)
    await settled(owner, webhook, later, state="succeeded")
    assert len(receiver.of(event_id)) == 1


async def test_a_failure_is_tried_again_with_the_same_id(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    async with emitting(probe) as (event_id,):
        receiver.answer_to(
            event_id, answer(500, "database\x00 down\n" * 900), answer(302, location=receiver.url)
        )
    failed = await settled(owner, webhook, event_id, state="pending", attempts=1, response_status=500)
    assert failed["last_error"].startswith("answered 500 database down")
    assert len(failed["last_error"]) == 500
    waits = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM webhook_delivery WHERE event_id = :id"
    assert 2 < (await sql(probe, waits, id=event_id))[0][0] <= 5.5
    assert (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()["failing_since"] is not None
    await due_now(probe, event_id)
    redirected = await settled(owner, webhook, event_id, state="pending", attempts=2, response_status=302)
    assert 290 < (await sql(probe, waits, id=event_id))[0][0] <= 330
    assert redirected["next_attempt_at"] is not None
    await due_now(probe, event_id)
    await settled(owner, webhook, event_id, state="succeeded", attempts=3, last_error=None)
    assert len(receiver.of(event_id)) == 3
    assert len({request.body for request in receiver.of(event_id)}) == 1
    assert (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()["failing_since"] is None


async def test_a_busy_receiver_is_given_the_time_it_asks_for(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    async with emitting(probe) as (event_id,):
        receiver.answer_to(event_id, answer(429, retry_after="4000"))
    await settled(owner, webhook, event_id, state="pending", response_status=429)
    waits = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM webhook_delivery WHERE event_id = :id"
    assert 3900 < (await sql(probe, waits, id=event_id))[0][0] <= 4400


async def test_gone_disables_and_replay_brings_what_was_missed(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    async with emitting(probe) as (first,):
        receiver.answer_to(first, answer(410))
    await settled(owner, webhook, first, state="failed", response_status=410)
    shown = (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "gone")
    audited = await sql(
        probe,
        "SELECT principal, detail FROM audit_log WHERE object = :o AND action = 'disable'",
        o=f"webhook/{webhook['id']}",
    )
    assert audited == [("system:webhooks", {"reason": "gone"})]
    missed = await emit_paused(probe, 3)

    async def kept() -> bool:
        rows = await sql(probe, "SELECT count(*) FROM webhook_message WHERE event_id = ANY(:ids)", ids=missed)
        return bool(rows[0][0] == 3)

    await eventually(kept, what="events kept")
    assert len(await deliveries(owner, webhook)) == 1
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:test")).status_code == 409
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:enable")).status_code == 200
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:enable")).status_code == 409
    since = (await deliveries(owner, webhook))[0]["occurred_at"]
    replayed = await owner.post(f"/v1/webhooks/{webhook['id']}:replay", json={"since": since})
    assert replayed.json() == {"queued": 4}
    for event_id in (first, *missed):
        done = await settled(owner, webhook, event_id, state="succeeded")
        assert done["attempts"] == 1
    assert done["replays"] == 0
    assert (await deliveries(owner, webhook))[-1]["replays"] == 1


async def test_replay_by_id_and_of_what_failed(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    path = f"/v1/webhooks/{webhook['id']}:replay"
    one, two = await emit_paused(probe, 2)
    for event_id in (one, two):
        await settled(owner, webhook, event_id, state="succeeded")
    await sql(
        probe, "UPDATE webhook_delivery SET state = 'failed', attempts = 10 WHERE event_id = :id", id=two
    )
    assert (await owner.post(path, json={"failed": True})).json() == {"queued": 1}
    await settled(owner, webhook, two, state="succeeded", replays=1)
    assert (await owner.post(path, json={"event_ids": [str(one)]})).json() == {"queued": 1}
    await settled(owner, webhook, one, state="succeeded", replays=1)
    assert len(receiver.of(one)) == len(receiver.of(two)) == 2
    unknown = await owner.post(path, json={"event_ids": [str(one), str(new_id())]})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/event_ids/1"
    for wrong in ({}, {"until": "2026-01-01T00:00:00Z"}, {"failed": True, "event_ids": [str(one)]}):
        assert (await owner.post(path, json=wrong)).status_code == 422


async def test_after_the_last_attempt_a_webhook_that_never_worked_is_disabled(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    broken, flaky = await create(owner, receiver.url), await create(owner, receiver.url + "/flaky")
    receiver.otherwise = answer(500)
    (event_id,) = await emit_paused(probe)
    for webhook in (broken, flaky):
        await settled(owner, webhook, event_id, attempts=1)
    await sql(
        probe,
        "UPDATE webhook_endpoint SET failing_since = clock_timestamp() - interval '75 hours' WHERE id = :id",
        id=broken["id"],
    )
    await sql(probe, "UPDATE webhook_delivery SET attempts = 9 WHERE event_id = :id", id=event_id)
    await due_now(probe, event_id)
    for webhook, state in ((broken, "disabled"), (flaky, "enabled")):
        last = await settled(owner, webhook, event_id, state="failed", attempts=10)
        assert last["next_attempt_at"] is None
        assert (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()["state"] == state
    assert (await owner.get("/readyz")).status_code == 200


async def test_a_worker_that_dies_in_between_loses_nothing(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    """Sent and not written down: another worker sends it again, under the same id, when the lease has ended."""
    receiver.gate = asyncio.Event()
    webhook = await create(owner, receiver.url)
    (event_id,) = await emit_paused(probe)

    async def arrived() -> bool:
        return len(receiver.of(event_id)) == 1

    await eventually(arrived, what="first attempt")
    # The worker of the fixture is still waiting for its answer: as good as dead once its lease is over.
    receiver.gate, stuck = None, receiver.gate
    await due_now(probe, event_id)
    done = await settled(owner, webhook, event_id, state="succeeded")
    assert done["attempts"] == 2
    assert len(receiver.of(event_id)) == 2
    stuck.set()
    await asyncio.sleep(0.2)
    assert (await settled(owner, webhook, event_id, state="succeeded"))["attempts"] == 2


async def test_two_workers_share_the_work_and_the_limit(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.gate = asyncio.Event()
    webhook = await create(owner, receiver.url, max_in_flight=3)
    second = Deliverer(probe.runtime)
    tasks = [asyncio.create_task(second.deliver()), asyncio.create_task(second.follow())]
    events = await emit_paused(probe, 60)

    async def full() -> bool:
        return receiver.open == 3

    await eventually(full, what="three at once")
    await asyncio.sleep(1.5)
    assert receiver.most_open == 3
    receiver.gate.set()
    receiver.gate = None

    async def done() -> bool:
        return len(await deliveries(owner, webhook, state="succeeded")) == 60

    await eventually(done, what="all delivered")
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert [len(receiver.of(event_id)) for event_id in events] == [1] * 60
    assert receiver.most_open <= 3


async def test_a_dead_endpoint_does_not_hold_up_another(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    async with receiving() as silent:
        silent.gate = asyncio.Event()
        await create(owner, silent.url, max_in_flight=20)
        webhook = await create(owner, receiver.url)
        events = await emit_paused(probe, 30)
        for event_id in events:
            await settled(owner, webhook, event_id, state="succeeded")

        async def full() -> bool:
            return silent.open == 20

        await eventually(full, what="as many as the limit")


async def test_old_events_are_forgotten(probe: Running, owner: httpx.AsyncClient, receiver: Receiver) -> None:
    webhook = await create(owner, receiver.url)
    old, young = await emit_paused(probe, 2)
    for event_id in (old, young):
        await settled(owner, webhook, event_id, state="succeeded")
    await sql(
        probe,
        "UPDATE webhook_message SET occurred_at = occurred_at - interval '15 days' WHERE event_id = :id",
        id=old,
    )
    purge = asyncio.create_task(Deliverer(probe.runtime).purge())

    async def forgotten() -> bool:
        return [item["event_id"] for item in await deliveries(owner, webhook)] == [str(young)]

    await eventually(forgotten, what="purge")
    purge.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await purge
