"""Webhooks end to end: from an event on the stream to a real HTTP receiver, and all that can go wrong between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from nats.js.errors import NotFoundError
from sqlalchemy import text

from shared import clock
from shared.auth import Role
from shared.contracts.events import CampaignPaused, CampaignResumed
from shared.contracts.webhooks import TEST_EVENT
from shared.ids import new_id
from shared.outbox import emit
from shared.topology import webhooks_of
from shared.webhooks.deliverer import Deliverer
from tests.shared.receiver import Receiver, answer, receiving
from tests.support import Running, eventually

PAUSED = CampaignPaused.type_name()
RESUMED = CampaignResumed.type_name()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def owner(probe: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Head office's integrator; its webhooks go with the test, and it gets no events of the test before."""

    async def quiet() -> bool:
        unsent = await _sql(probe, "SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        try:
            waiting = await probe.runtime.bus.backlog(webhooks_of("campaign"))
        except NotFoundError:
            waiting = 0
        return unsent[0][0] + waiting == 0

    await eventually(quiet, what="the end of earlier events")
    async with probe.client(Role.integrator) as client:
        yield client
    await _sql(probe, "DELETE FROM webhook_endpoint")


async def _sql(probe: Running, statement: str, **parameters: object) -> list[Any]:
    async with probe.runtime.db.transaction() as session:
        result = await session.execute(text(statement), parameters)
        return list(result.all()) if result.returns_rows else []


async def _create(owner: httpx.AsyncClient, url: str, *types: str, **more: Any) -> dict[str, Any]:
    answered = await owner.post(
        "/v1/webhooks", json={"url": url, "event_types": list(types or [PAUSED]), **more}
    )
    assert answered.status_code == 201, answered.text
    return dict(answered.json())


async def _emit(probe: Running, count: int = 1) -> list[UUID]:
    """Ids of new events, published the way every event is."""
    campaigns = [new_id() for _ in range(count)]
    async with probe.runtime.db.transaction() as session:
        await emit(session, *(CampaignPaused(campaign_id=one, at=clock.now()) for one in campaigns))
        subjects = [f"campaign.campaign_paused.{one}" for one in campaigns]
        rows = await session.execute(
            text("SELECT event_id FROM outbox WHERE subject = ANY(:subjects) ORDER BY seq"),
            {"subjects": subjects},
        )
        return [row.event_id for row in rows]


async def _deliveries(
    owner: httpx.AsyncClient, webhook: dict[str, Any], **query: Any
) -> list[dict[str, Any]]:
    answered = await owner.get(f"/v1/webhooks/{webhook['id']}/deliveries", params=query)
    assert answered.status_code == 200, answered.text
    return list(answered.json()["items"])


async def _settled(
    owner: httpx.AsyncClient, webhook: dict[str, Any], event_id: UUID, **wanted: Any
) -> dict[str, Any]:
    """The delivery once it is as `wanted`."""
    found: dict[str, Any] = {}

    async def check() -> bool:
        for item in await _deliveries(owner, webhook):
            if item["event_id"] == str(event_id) and wanted.items() <= item.items():
                found.update(item)
        return bool(found)

    await eventually(check, what=f"delivery {wanted}")
    return found


async def _due_now(probe: Running, event_id: UUID) -> None:
    """As if the wait were over."""
    await _sql(
        probe,
        "UPDATE webhook_delivery SET next_attempt_at = clock_timestamp(), leased_until = NULL WHERE event_id = :id",
        id=event_id,
    )


async def test_an_event_arrives_once_signed_as_the_cloudevent(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    other = await _create(owner, receiver.url + "/other", RESUMED)
    (event_id,) = await _emit(probe)
    done = await _settled(owner, webhook, event_id, state="succeeded")
    assert done["attempts"] == 1
    assert done["response_status"] == 204
    (request,) = receiver.of(event_id)
    assert request.signed_by(webhook["secret"])
    assert not request.signed_by(other["secret"])
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.event["id"] == str(event_id)
    assert request.event["type"] == PAUSED
    assert await _deliveries(owner, other) == []


async def test_all_events_by_one_pattern(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url, "huanying.campaign.*")
    (event_id,) = await _emit(probe)
    await _settled(owner, webhook, event_id, state="succeeded")


async def test_the_same_event_twice_on_the_stream_is_one_delivery(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    (event_id,) = await _emit(probe)
    await _settled(owner, webhook, event_id, state="succeeded")
    payload = receiver.of(event_id)[0].body
    for number in range(3):
        await probe.runtime.bus.js.publish(
            f"campaign.campaign_paused.{new_id()}", payload, headers={"Nats-Msg-Id": f"{event_id}-{number}"}
        )
    (later,) = await _emit(probe)
    await _settled(owner, webhook, later, state="succeeded")
    assert len(receiver.of(event_id)) == 1


async def test_a_failure_is_tried_again_with_the_same_id(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    receiver.answers = [answer(500, "database\x00 down\n" * 900), answer(302, location=receiver.url)]
    (event_id,) = await _emit(probe)
    failed = await _settled(owner, webhook, event_id, state="pending", attempts=1, response_status=500)
    assert failed["last_error"].startswith("answered 500 database down")
    assert len(failed["last_error"]) == 500
    waits = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM webhook_delivery WHERE event_id = :id"
    assert 2 < (await _sql(probe, waits, id=event_id))[0][0] <= 5.5
    assert (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()["failing_since"] is not None
    await _due_now(probe, event_id)
    redirected = await _settled(owner, webhook, event_id, state="pending", attempts=2, response_status=302)
    assert 290 < (await _sql(probe, waits, id=event_id))[0][0] <= 330
    assert redirected["next_attempt_at"] is not None
    await _due_now(probe, event_id)
    await _settled(owner, webhook, event_id, state="succeeded", attempts=3, last_error=None)
    assert len(receiver.of(event_id)) == 3
    assert len({request.body for request in receiver.of(event_id)}) == 1
    assert (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()["failing_since"] is None


async def test_a_busy_receiver_is_given_the_time_it_asks_for(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    receiver.answers = [answer(429, retry_after="4000")]
    (event_id,) = await _emit(probe)
    await _settled(owner, webhook, event_id, state="pending", response_status=429)
    waits = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM webhook_delivery WHERE event_id = :id"
    assert 3900 < (await _sql(probe, waits, id=event_id))[0][0] <= 4400


async def test_gone_disables_and_replay_brings_what_was_missed(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    receiver.answers = [answer(410)]
    (first,) = await _emit(probe)
    await _settled(owner, webhook, first, state="failed", response_status=410)
    shown = (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "gone")
    audited = await _sql(
        probe,
        "SELECT principal, detail FROM audit_log WHERE object = :o AND action = 'disable'",
        o=f"webhook/{webhook['id']}",
    )
    assert audited == [("system:webhooks", {"reason": "gone"})]
    missed = await _emit(probe, 3)

    async def kept() -> bool:
        rows = await _sql(
            probe, "SELECT count(*) FROM webhook_message WHERE event_id = ANY(:ids)", ids=missed
        )
        return bool(rows[0][0] == 3)

    await eventually(kept, what="events kept")
    assert len(await _deliveries(owner, webhook)) == 1
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:test")).status_code == 409
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:enable")).status_code == 200
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:enable")).status_code == 409
    since = (await _deliveries(owner, webhook))[0]["occurred_at"]
    replayed = await owner.post(f"/v1/webhooks/{webhook['id']}:replay", json={"since": since})
    assert replayed.json() == {"queued": 4}
    for event_id in (first, *missed):
        done = await _settled(owner, webhook, event_id, state="succeeded")
        assert done["attempts"] == 1
    assert done["replays"] == 0
    assert (await _deliveries(owner, webhook))[-1]["replays"] == 1


async def test_replay_by_id_and_of_what_failed(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    path = f"/v1/webhooks/{webhook['id']}:replay"
    one, two = await _emit(probe, 2)
    for event_id in (one, two):
        await _settled(owner, webhook, event_id, state="succeeded")
    await _sql(
        probe, "UPDATE webhook_delivery SET state = 'failed', attempts = 10 WHERE event_id = :id", id=two
    )
    assert (await owner.post(path, json={"failed": True})).json() == {"queued": 1}
    await _settled(owner, webhook, two, state="succeeded", replays=1)
    assert (await owner.post(path, json={"event_ids": [str(one)]})).json() == {"queued": 1}
    await _settled(owner, webhook, one, state="succeeded", replays=1)
    assert len(receiver.of(one)) == len(receiver.of(two)) == 2
    unknown = await owner.post(path, json={"event_ids": [str(one), str(new_id())]})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/event_ids/1"
    for wrong in ({}, {"until": "2026-01-01T00:00:00Z"}, {"failed": True, "event_ids": [str(one)]}):
        assert (await owner.post(path, json=wrong)).status_code == 422


async def test_after_the_last_attempt_a_webhook_that_never_worked_is_disabled(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    broken, flaky = await _create(owner, receiver.url), await _create(owner, receiver.url + "/flaky")
    receiver.answers = [answer(500)] * 100  # however many attempts come in between
    (event_id,) = await _emit(probe)
    for webhook in (broken, flaky):
        await _settled(owner, webhook, event_id, attempts=1)
    await _sql(
        probe,
        "UPDATE webhook_endpoint SET failing_since = clock_timestamp() - interval '75 hours' WHERE id = :id",
        id=broken["id"],
    )
    await _sql(probe, "UPDATE webhook_delivery SET attempts = 9 WHERE event_id = :id", id=event_id)
    await _due_now(probe, event_id)
    for webhook, state in ((broken, "disabled"), (flaky, "enabled")):
        last = await _settled(owner, webhook, event_id, state="failed", attempts=10)
        assert last["next_attempt_at"] is None
        assert (await owner.get(f"/v1/webhooks/{webhook['id']}")).json()["state"] == state
    assert (await owner.get("/readyz")).status_code == 200


async def test_a_worker_that_dies_in_between_loses_nothing(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    """Sent and not written down: another worker sends it again, under the same id, when the lease has ended."""
    receiver.gate = asyncio.Event()
    webhook = await _create(owner, receiver.url)
    (event_id,) = await _emit(probe)

    async def arrived() -> bool:
        return len(receiver.of(event_id)) == 1

    await eventually(arrived, what="first attempt")
    # The worker of the fixture is still waiting for its answer: as good as dead once its lease is over.
    receiver.gate, stuck = None, receiver.gate
    await _due_now(probe, event_id)
    done = await _settled(owner, webhook, event_id, state="succeeded")
    assert done["attempts"] == 2
    assert len(receiver.of(event_id)) == 2
    stuck.set()
    await asyncio.sleep(0.2)
    assert (await _settled(owner, webhook, event_id, state="succeeded"))["attempts"] == 2


async def test_two_workers_share_the_work_and_the_limit(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.gate = asyncio.Event()
    webhook = await _create(owner, receiver.url, max_in_flight=3)
    second = Deliverer(probe.runtime)
    tasks = [asyncio.create_task(second.deliver()), asyncio.create_task(second.follow())]
    events = await _emit(probe, 60)

    async def full() -> bool:
        return receiver.open == 3

    await eventually(full, what="three at once")
    await asyncio.sleep(1.5)
    assert receiver.most_open == 3
    receiver.gate.set()
    receiver.gate = None

    async def done() -> bool:
        return len(await _deliveries(owner, webhook, state="succeeded")) == 60

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
        await _create(owner, silent.url, max_in_flight=20)
        webhook = await _create(owner, receiver.url)
        events = await _emit(probe, 30)
        for event_id in events:
            await _settled(owner, webhook, event_id, state="succeeded")
        assert silent.open == 20


async def test_a_replaced_secret_signs_for_a_day_beside_the_new_one(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    rotated = (await owner.post(f"/v1/webhooks/{webhook['id']}:rotate-secret")).json()
    assert rotated["secret"] != webhook["secret"]
    (event_id,) = await _emit(probe)
    await _settled(owner, webhook, event_id, state="succeeded")
    assert receiver.of(event_id)[0].signed_by(webhook["secret"])
    assert receiver.of(event_id)[0].signed_by(rotated["secret"])
    await _sql(probe, "UPDATE webhook_endpoint SET previous_valid_until = clock_timestamp()")
    (event_id,) = await _emit(probe)
    await _settled(owner, webhook, event_id, state="succeeded")
    assert not receiver.of(event_id)[0].signed_by(webhook["secret"])
    assert receiver.of(event_id)[0].signed_by(rotated["secret"])


async def test_the_secret_is_shown_once_and_kept_nowhere_in_clear(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    body = {"url": receiver.url, "event_types": [PAUSED]}
    key = {"Idempotency-Key": f"hook-{new_id()}"}
    first = (await owner.post("/v1/webhooks", json=body, headers=key)).json()
    second = await owner.post("/v1/webhooks", json=body, headers=key)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json() == {**first, "secret": None}
    assert "secret" not in (await owner.get(f"/v1/webhooks/{first['id']}")).json()
    raw = first["secret"].removeprefix("whsec_")
    for table in ("webhook_endpoint", "stored_answer", "audit_log"):
        assert all(raw not in str(row) for row in await _sql(probe, f"SELECT {table}::text FROM {table}"))
    sealed = (await _sql(probe, "SELECT secret FROM webhook_endpoint WHERE id = :id", id=first["id"]))[0][0]
    import base64

    assert base64.b64decode(raw) not in sealed


async def test_a_test_event_goes_to_one_endpoint_only(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    other = await _create(owner, receiver.url + "/other", "huanying.campaign.*")
    queued = await owner.post(f"/v1/webhooks/{webhook['id']}:test")
    assert queued.status_code == 202
    event_id = queued.json()["event_id"]
    await _settled(owner, webhook, event_id, state="succeeded", event_type=TEST_EVENT)
    assert receiver.of(event_id)[0].event["data"] == {"webhook_id": webhook["id"]}
    replay = {"since": queued.json()["occurred_at"]}
    assert (await owner.post(f"/v1/webhooks/{other['id']}:replay", json=replay)).json() == {"queued": 0}


async def test_while_disabled_nothing_is_sent(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await _create(owner, receiver.url)
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:disable")).json()[
        "disabled_reason"
    ] == "by_request"
    witness = await _create(owner, receiver.url + "/witness")
    (event_id,) = await _emit(probe)
    await _settled(owner, witness, event_id, state="succeeded")
    assert len(receiver.of(event_id)) == 1
    assert await _deliveries(owner, webhook) == []


async def test_change_list_and_delete(probe: Running, owner: httpx.AsyncClient, receiver: Receiver) -> None:
    webhook = await _create(owner, receiver.url, description="回调")
    path = f"/v1/webhooks/{webhook['id']}"
    assert (await owner.patch(path, json={"max_in_flight": 2})).status_code == 428
    changed = await owner.patch(path, json={"event_types": [RESUMED]}, headers={"If-Match": '"v1"'})
    assert (changed.json()["event_types"], changed.json()["version"]) == ([RESUMED], 2)
    assert changed.json()["description"] == "回调"
    assert (await owner.patch(path, json={}, headers={"If-Match": '"v1"'})).status_code == 412
    listed = (await owner.get("/v1/webhooks")).json()["items"]
    assert [item["id"] for item in listed] == [webhook["id"]]
    (event_id,) = await _emit(probe)
    assert (await owner.delete(path, headers={"If-Match": changed.headers["etag"]})).status_code == 204
    assert (await owner.get(path)).status_code == 404
    assert receiver.of(event_id) == []


@pytest.mark.parametrize(
    ("client", "status"),
    [((Role.manager,), 403), ((Role.strategist,), 403), ((Role.auditor,), 403), ((Role.admin,), 200)],
)
async def test_who_may_have_webhooks(probe: Running, client: tuple[Role, ...], status: int) -> None:
    async with probe.client(*client) as caller:
        assert (await caller.get("/v1/webhooks")).status_code == status


async def test_a_branch_has_no_webhooks(probe: Running, owner: httpx.AsyncClient, receiver: Receiver) -> None:
    webhook = await _create(owner, receiver.url)
    async with probe.client(Role.admin, Role.integrator, org="hq.sh") as branch:
        assert (await branch.get("/v1/webhooks")).status_code == 403
        assert (await branch.get(f"/v1/webhooks/{webhook['id']}/deliveries")).status_code == 403
    async with probe.runtime.db.transaction("hq.sh") as session:
        assert await session.scalar(text("SELECT count(*) FROM webhook_endpoint")) == 0
        assert await session.scalar(text("SELECT count(*) FROM webhook_delivery")) == 0


async def test_old_events_are_forgotten(probe: Running, owner: httpx.AsyncClient, receiver: Receiver) -> None:
    webhook = await _create(owner, receiver.url)
    old, young = await _emit(probe, 2)
    for event_id in (old, young):
        await _settled(owner, webhook, event_id, state="succeeded")
    await _sql(
        probe,
        "UPDATE webhook_message SET occurred_at = occurred_at - interval '15 days' WHERE event_id = :id",
        id=old,
    )
    purge = asyncio.create_task(Deliverer(probe.runtime).purge())

    async def forgotten() -> bool:
        return [item["event_id"] for item in await _deliveries(owner, webhook)] == [str(young)]

    await eventually(forgotten, what="purge")
    purge.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await purge
