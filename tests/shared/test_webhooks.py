"""Registering endpoints: who may, what is shown, and what a change does to deliveries."""

import base64

import httpx
import pytest
from sqlalchemy import text

from shared.auth import Role
from shared.contracts.webhooks import TEST_EVENT
from shared.ids import new_id
from tests.shared.receiver import Receiver
from tests.shared.webhook_world import PAUSED, RESUMED, create, deliveries, emit_paused, settled, sql
from tests.support import Running


async def test_a_replaced_secret_signs_for_a_day_beside_the_new_one(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    rotated = (await owner.post(f"/v1/webhooks/{webhook['id']}:rotate-secret")).json()
    assert rotated["secret"] != webhook["secret"]
    (event_id,) = await emit_paused(probe)
    await settled(owner, webhook, event_id, state="succeeded")
    assert receiver.of(event_id)[0].signed_by(webhook["secret"])
    assert receiver.of(event_id)[0].signed_by(rotated["secret"])
    await sql(probe, "UPDATE webhook_endpoint SET previous_valid_until = clock_timestamp()")
    (event_id,) = await emit_paused(probe)
    await settled(owner, webhook, event_id, state="succeeded")
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
        assert all(raw not in str(row) for row in await sql(probe, f"SELECT {table}::text FROM {table}"))
    sealed = (await sql(probe, "SELECT secret FROM webhook_endpoint WHERE id = :id", id=first["id"]))[0][0]
    assert base64.b64decode(raw) not in sealed


async def test_a_test_event_goes_to_one_endpoint_only(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    other = await create(owner, receiver.url + "/other", "huanying.campaign.*")
    queued = await owner.post(f"/v1/webhooks/{webhook['id']}:test")
    assert queued.status_code == 202
    event_id = queued.json()["event_id"]
    await settled(owner, webhook, event_id, state="succeeded", event_type=TEST_EVENT)
    assert receiver.of(event_id)[0].event["data"] == {"webhook_id": webhook["id"]}
    replay = {"since": queued.json()["occurred_at"]}
    assert (await owner.post(f"/v1/webhooks/{other['id']}:replay", json=replay)).json() == {"queued": 0}


async def test_while_disabled_nothing_is_sent(
    probe: Running, owner: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await create(owner, receiver.url)
    assert (await owner.post(f"/v1/webhooks/{webhook['id']}:disable")).json()[
        "disabled_reason"
    ] == "by_request"
    witness = await create(owner, receiver.url + "/witness")
    (event_id,) = await emit_paused(probe)
    await settled(owner, witness, event_id, state="succeeded")
    assert len(receiver.of(event_id)) == 1
    assert await deliveries(owner, webhook) == []


async def test_change_list_and_delete(probe: Running, owner: httpx.AsyncClient, receiver: Receiver) -> None:
    webhook = await create(owner, receiver.url, description="回调")
    path = f"/v1/webhooks/{webhook['id']}"
    assert (await owner.patch(path, json={"max_in_flight": 2})).status_code == 428
    changed = await owner.patch(path, json={"event_types": [RESUMED]}, headers={"If-Match": '"v1"'})
    assert (changed.json()["event_types"], changed.json()["version"]) == ([RESUMED], 2)
    assert changed.json()["description"] == "回调"
    assert (await owner.patch(path, json={}, headers={"If-Match": '"v1"'})).status_code == 412
    listed = (await owner.get("/v1/webhooks")).json()["items"]
    assert [item["id"] for item in listed] == [webhook["id"]]
    (event_id,) = await emit_paused(probe)
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
    webhook = await create(owner, receiver.url)
    async with probe.client(Role.admin, Role.integrator, org="hq.sh") as branch:
        assert (await branch.get("/v1/webhooks")).status_code == 403
        assert (await branch.get(f"/v1/webhooks/{webhook['id']}/deliveries")).status_code == 403
    async with probe.runtime.db.transaction("hq.sh") as session:
        assert await session.scalar(text("SELECT count(*) FROM webhook_endpoint")) == 0
        assert await session.scalar(text("SELECT count(*) FROM webhook_delivery")) == 0
