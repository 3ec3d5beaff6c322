"""Channels: who sets them up, what is never shown, what they are tried with, and receipts."""

import time
from typing import Any
from uuid import UUID, uuid5

import httpx
import orjson
import pytest
from sqlalchemy import text

from services.campaign.api import channels as api
from services.campaign.channels import connector_for
from services.campaign.channels.sandbox import Sandbox
from services.campaign.channels.secrets import signing_keys
from services.campaign.models import Channel
from services.campaign.queries.channels import find_channel
from shared.auth import Role
from shared.contracts.campaign.channels import Receipt, ReceiptCounts, SandboxConnector, secret_key
from shared.ids import new_id
from shared.webhooks import signing
from tests.campaign.mail_server import MailServer, serving
from tests.campaign.messages import a_message
from tests.shared.receiver import answer, receiving
from tests.support import Running, eventually

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
OTHER = "whsec_" + "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
PASSWORD = "corr3ct horse"
WEBHOOK = {"type": "webhook", "url": "https://hooks.example.com/messages"}
SMTP = {
    "type": "smtp",
    "host": "mail.example.com",
    "sender": "service@bank.example",
    "username": "mailer",
    "password": PASSWORD,
}


def a_channel(**changes: Any) -> dict[str, Any]:
    values = {
        "key": f"ch-{new_id().hex[-12:]}",
        "kind": "sms",
        "name": {"zh": "短信", "en": "Text messages"},
        "consent": "sms",
        "connector": {"type": "sandbox"},
        "per_minute": 600,
        "daily_capacity": 100_000,
        "cost": "0.05",
    }
    return {**values, **changes}


@pytest.fixture
async def keeper(campaign: Running) -> Any:
    async with campaign.client(Role.strategist) as client:
        yield client


async def create(keeper: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    created = await keeper.post("/v1/channels", json=a_channel(**changes))
    assert created.status_code == 201, created.text
    return dict(created.json())


async def patch(keeper: httpx.AsyncClient, key: str, version: int, **changes: Any) -> httpx.Response:
    headers = {"If-Match": f'"v{version}"'}
    return await keeper.patch(f"/v1/channels/{key}", json=changes, headers=headers)


def errors(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {each["pointer"]: each["detail"] for each in response.json()["errors"]}


async def test_a_channel_is_set_up_changed_and_switched(keeper: httpx.AsyncClient, campaign: Running) -> None:
    channel = await create(keeper)
    path = f"/v1/channels/{channel['key']}"
    assert (channel["state"], channel["version"], channel["cost"]) == ("disabled", 1, "0.05")
    assert (channel["has_secret"], channel["has_password"]) == (False, False)
    assert channel["connector"] == {
        "type": "sandbox",
        "delivered": 0.95,
        "failed": 0.03,
        "receipt_seconds": 2,
    }
    again = await keeper.post("/v1/channels", json=a_channel(key=channel["key"]))
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-exists")
    assert (await keeper.patch(path, json={"per_minute": 60})).status_code == 428
    changed = await patch(keeper, channel["key"], 1, per_minute=60, cost="0.04")
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v2"')
    assert (changed.json()["per_minute"], changed.json()["cost"]) == (60, "0.04")
    assert changed.json()["daily_capacity"] == 100_000
    assert (await patch(keeper, channel["key"], 1, per_minute=1)).status_code == 412
    enabled = await keeper.post(f"{path}:enable")
    assert (enabled.json()["state"], enabled.headers["etag"]) == ("enabled", '"v3"')
    assert (await keeper.post(f"{path}:enable")).status_code == 409
    assert (await keeper.post(f"{path}:disable")).json()["state"] == "disabled"
    listed = await keeper.get("/v1/channels", params={"kind": "sms", "state": "disabled", "limit": 1000})
    assert channel["key"] in {each["key"] for each in listed.json()["items"]}
    listed = await keeper.get("/v1/channels", params={"kind": "im", "limit": 1000})
    assert channel["key"] not in {each["key"] for each in listed.json()["items"]}
    statement = text("SELECT action FROM audit_log WHERE object = :object ORDER BY seq")
    async with campaign.runtime.db.transaction() as session:
        found = await session.scalars(statement, {"object": f"channel/{channel['key']}"})
        assert list(found) == ["create_channel", "change_channel", "enable_channel", "disable_channel"]


@pytest.mark.parametrize(
    ("roles", "org", "read", "write"),
    [
        ([Role.strategist], "hq", 200, 201),
        ([Role.strategist], "hq.sh", 200, 403),
        ([Role.approver], "hq", 200, 403),
        ([Role.auditor], "hq", 200, 403),
        ([Role.manager], "hq.sh.pudong", 403, 403),
        ([Role.branch_head], "hq", 403, 403),
        ([], "hq", 401, 401),
    ],
)
async def test_head_office_keeps_them(
    campaign: Running, roles: list[Role], org: str, read: int, write: int
) -> None:
    async with campaign.client(*roles, org=org) as client:
        assert (await client.get("/v1/channels")).status_code == read
        assert (await client.post("/v1/channels", json=a_channel())).status_code == write


@pytest.mark.parametrize(
    ("changes", "pointer", "says"),
    [
        ({"connector": WEBHOOK}, "/secret", "is needed"),
        (
            {"connector": {**WEBHOOK, "url": "https://10.1.2.3/"}, "secret": SECRET},
            "/connector/url",
            "inside the bank",
        ),
        (
            {"connector": {**WEBHOOK, "url": "http://hooks.example.com/"}, "secret": SECRET},
            "/connector/url",
            "needs https",
        ),
        ({"connector": SMTP}, "/connector/type", "mail only"),
        (
            {"kind": "email", "connector": {**SMTP, "host": "192.168.0.5"}},
            "/connector/host",
            "inside the bank",
        ),
        ({"kind": "email", "connector": {**SMTP, "security": "none"}}, "/connector/host", "needs TLS"),
        ({"kind": "email", "connector": {**SMTP, "password": None}}, "/connector/password", "is needed"),
        ({"kind": "email", "connector": {**SMTP, "username": None}}, "/connector/password", "username"),
        ({"connector": {"type": "file", "folder": "../etc"}}, "/connector/folder", "match"),
        (
            {"connector": {"type": "sandbox", "delivered": 0.9, "failed": 0.2}},
            "/connector/failed",
            "no more than 1",
        ),
        ({"connector": {"type": "pigeon"}}, "/connector", "sandbox"),
        ({"secret": "whsec_c2hvcnQ="}, "/secret", "24 to 64 bytes"),
        ({"secret": "geheim" * 6}, "/secret", "base64"),
        ({"cost": "-1"}, "/cost", "greater"),
        ({"per_minute": 10**12}, "/per_minute", "less"),
        ({"consent": "telegraph"}, "/consent", "call"),
    ],
)
async def test_what_is_no_channel(
    keeper: httpx.AsyncClient, changes: dict[str, Any], pointer: str, says: str
) -> None:
    found = errors(await keeper.post("/v1/channels", json=a_channel(**changes)))
    assert says in found[pointer]


async def test_secrets_are_shown_to_nobody(
    keeper: httpx.AsyncClient, campaign: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    body = a_channel(kind="email", connector=SMTP, secret=SECRET)
    key = body["key"]
    with serving(MailServer(login=("mailer", "another"))) as server:
        reached = {**SMTP, "host": "127.0.0.1", "port": server.port, "security": "none"}
        body["connector"] = reached
        idempotent = {"Idempotency-Key": new_id().hex}
        shown = [
            await keeper.post("/v1/channels", json=body, headers=idempotent),
            await keeper.post("/v1/channels", json=body, headers=idempotent),
            await keeper.get(f"/v1/channels/{key}"),
            await keeper.get("/v1/channels", params={"limit": 1000}),
            await patch(keeper, key, 1, secret=OTHER, connector={**reached, "password": PASSWORD + "!"}),
            await keeper.post("/v1/channels", json={**body, "secret": SECRET + "?", "connector": reached}),
            await patch(keeper, key, 2, connector={**reached, "password": 17, "port": -1}),
            await keeper.post(f"/v1/channels/{key}:test", json={"recipient": "z@bank.example", "body": "?"}),
        ]
    assert [each.status_code for each in shown] == [201, 201, 200, 200, 200, 422, 422, 200]
    assert shown[7].json()["detail"] == "the mail server let us not in: 535"
    tables = ("channel", "channel_test", "audit_log", "stored_answer", "outbox")
    async with campaign.runtime.db.transaction() as session:
        kept = [
            str(row)
            for table in tables
            for row in await session.scalars(text(f"SELECT t::text FROM {table} t"))
        ]
        stored = await find_channel(session, key)
        assert signing_keys(stored, campaign.runtime) == [secret_key(OTHER), secret_key(SECRET)]
    everything = "\n".join([*(each.text for each in shown), *kept, *capfd.readouterr()])
    needles = [SECRET[6:30], OTHER[6:30], PASSWORD]
    needles += [secret_key(each).hex() for each in (SECRET, OTHER)] + [PASSWORD.encode().hex()]
    assert [each for each in needles if each in everything] == []
    assert key in everything


async def test_a_password_stays_with_its_server(keeper: httpx.AsyncClient) -> None:
    """Whoever may change the host must not learn the password by it."""
    channel = await create(keeper, kind="email", connector=SMTP)
    key, quiet = channel["key"], {name: value for name, value in SMTP.items() if name != "password"}
    kept = await patch(keeper, key, 1, connector={**quiet, "sender": "other@bank.example"})
    assert (kept.status_code, kept.json()["has_password"]) == (200, True)
    moved = await patch(keeper, key, 2, connector={**quiet, "host": "mail.stranger.example"})
    assert "/connector/password" in errors(moved)
    assert "/connector/password" in errors(
        await patch(keeper, key, 2, connector={**quiet, "security": "tls"})
    )
    assert "/secret" in errors(await patch(keeper, key, 2, connector=WEBHOOK))
    gone = await patch(keeper, key, 2, connector=WEBHOOK, secret=SECRET)
    assert (gone.status_code, gone.json()["has_password"], gone.json()["has_secret"]) == (200, False, True)
    assert gone.json()["previous_secret_until"] is None


async def test_a_test_shows_what_came_of_it(keeper: httpx.AsyncClient) -> None:
    async with receiving() as receiver:
        connector = {"type": "webhook", "url": receiver.url}
        channel = await create(keeper, connector=connector, secret=SECRET)
        path, message = f"/v1/channels/{channel['key']}", {"recipient": "13912345678", "body": "您好"}
        receiver.otherwise = answer(200, '{"reference": "r-1"}')
        first = (await keeper.post(f"{path}:test", json=message)).json()
        receiver.otherwise = answer(400, "no number 13912345678")
        second = (await keeper.post(f"{path}:test", json=message)).json()
    assert (first["outcome"], first["reference"]) == ("accepted", "r-1")
    assert (second["outcome"], second["detail"]) == ("refused", "answered 400 no number …")
    request = receiver.received[0]
    assert request.id == first["id"]
    assert request.signed_by(SECRET)
    assert request.event["test"]
    listed = (await keeper.get(f"{path}/tests")).json()["items"]
    assert listed == [second, first]
    assert (await keeper.post("/v1/channels/no-such:test", json=message)).status_code == 404
    assert (await keeper.get("/v1/channels/no-such/tests")).status_code == 404
    assert "/recipient" in errors(await keeper.post(f"{path}:test", json={**message, "recipient": "a\r\nb"}))


async def test_without_the_installations_key_nothing_goes_out(
    keeper: httpx.AsyncClient, campaign: Running
) -> None:
    channel = await create(keeper, connector=WEBHOOK, secret=SECRET)
    async with campaign.runtime.db.transaction() as session:
        stored = await find_channel(session, channel["key"])
    lost = Channel(key=stored.key, connector=stored.connector, secret=bytes(60))
    (submission,) = await connector_for(lost, campaign.runtime).submit([a_message()])
    assert submission.outcome == "failed"
    assert "set it again" in (submission.detail or "")
    # Nor is anything taken: the provider tries again.
    async with campaign.runtime.db.transaction() as session:
        (await find_channel(session, channel["key"])).secret = bytes(60)
    body = receipts(a_receipt())
    async with campaign.client() as provider:
        path = f"/v1/channels/{channel['key']}/receipts"
        assert (await provider.post(path, content=body, headers=signed(body, SECRET))).status_code == 503


async def test_the_sandbox_takes_once_and_tells_later(keeper: httpx.AsyncClient, campaign: Running) -> None:
    connector = {"type": "sandbox", "delivered": 1, "failed": 0, "receipt_seconds": 0}
    key = (await create(keeper, connector=connector))["key"]
    message = a_message(channel=key)
    async with campaign.runtime.db.transaction() as session:
        channel = await find_channel(session, key)
    first = await connector_for(channel, campaign.runtime).submit([message])
    assert await connector_for(channel, campaign.runtime).submit([message]) == first
    assert (first[0].outcome, first[0].reference) == ("accepted", f"sandbox-{message.id}")
    statement = text("SELECT submissions, length, receipt, receipt_at FROM sandbox_message WHERE id = :id")

    async def told() -> bool:
        async with campaign.runtime.db.transaction() as session:
            row = (await session.execute(statement, {"id": message.id})).one()
        assert (row.submissions, row.length, row.receipt) == (2, len(message.body), "delivered")
        return row.receipt_at is None

    await eventually(told, what="the sandbox's receipt")


@pytest.mark.parametrize("derive", [lambda _number: new_id(), lambda number: uuid5(UUID(int=1), str(number))])
def test_the_sandbox_keeps_its_shares(derive: Any, campaign: Running) -> None:
    config = SandboxConnector(type="sandbox", delivered=0.6, failed=0.3)
    sandbox = Sandbox(config, campaign.runtime.db)
    fates = [sandbox._fate(derive(number)) for number in range(10_000)]
    # Six standard deviations.
    assert abs(fates.count("delivered") - 6_000) < 300
    assert abs(fates.count("failed") - 3_000) < 280
    assert abs(fates.count(None) - 1_000) < 180


def signed(body: bytes, *secrets: str, at: float | None = None, name: str = "r1") -> dict[str, str]:
    keys = [secret_key(each) for each in secrets]
    headers = signing.headers(keys, name, int(time.time() if at is None else at), body)
    return {"content-type": "application/json", **headers}


def receipts(*items: dict[str, Any]) -> bytes:
    return orjson.dumps({"receipts": list(items)})


def a_receipt(**changes: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "state": "delivered", "at": "2026-11-22T09:00:00+08:00", **changes}


async def test_receipts_are_taken_from_whoever_knows_the_secret(
    keeper: httpx.AsyncClient, campaign: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, Receipt]] = []

    async def take(_session: object, channel: str, given: list[Receipt]) -> ReceiptCounts:
        taken.extend((channel, each) for each in given)
        return ReceiptCounts(taken=len(given), unknown=0)

    monkeypatch.setattr(api, "take_receipts", take)
    key = (await create(keeper, connector=WEBHOOK, secret=SECRET))["key"]
    path = f"/v1/channels/{key}/receipts"
    body = receipts(
        a_receipt(),
        {"reference": "r9", "state": "bounced", "at": "2026-11-22T09:00:00Z", "detail": "no 13912345678"},
    )
    async with campaign.client() as provider:
        answered = await provider.post(path, content=body, headers=signed(body, SECRET))
        assert (answered.status_code, answered.json()) == (200, {"taken": 2, "unknown": 0})
        assert [channel for channel, _ in taken] == [key, key]
        assert (taken[1][1].reference, taken[1][1].detail) == ("r9", "no …")
        # While the secret is replaced, either signs; of several signatures one is enough.
        await patch(keeper, key, 1, secret=OTHER)
        for headers in (signed(body, SECRET), signed(body, OTHER), signed(body, "whsec_" + "A" * 32, OTHER)):
            assert (await provider.post(path, content=body, headers=headers)).status_code == 200
        async with campaign.runtime.db.transaction() as session:
            ended = "UPDATE channel SET previous_secret_until = clock_timestamp() WHERE key = :key"
            await session.execute(text(ended), {"key": key})
        late = await provider.post(path, content=body, headers=signed(body, SECRET))
        assert late.status_code == 401


async def test_receipts_that_nobody_signed_are_refused(keeper: httpx.AsyncClient, campaign: Running) -> None:
    key = (await create(keeper, connector=WEBHOOK, secret=SECRET))["key"]
    bare = (await create(keeper))["key"]
    body, other = receipts(a_receipt()), receipts(a_receipt())
    now = time.time()
    fresh = signed(body, SECRET)
    cases: list[tuple[str, dict[str, str]]] = [
        (key, {"content-type": "application/json"}),
        (key, signed(body, OTHER)),
        (key, signed(other, SECRET)),
        (key, signed(body, SECRET, at=now - 310)),
        (key, signed(body, SECRET, at=now + 310)),
        (key, {**fresh, "webhook-id": "r2"}),
        (key, {**fresh, "webhook-timestamp": str(int(now) + 1)}),
        (key, {**fresh, "webhook-timestamp": "٣"}),
        (key, {**fresh, "webhook-timestamp": "1e9"}),
        (key, {**fresh, "webhook-signature": "v1,"}),
        (key, {**fresh, "webhook-signature": fresh["webhook-signature"].replace("v1,", "v1a,")}),
        (bare, fresh),
        ("no-such-channel", fresh),
    ]
    async with campaign.client() as provider:
        for channel, headers in cases:
            encoded = {name: value.encode() for name, value in headers.items()}
            answered = await provider.post(f"/v1/channels/{channel}/receipts", content=body, headers=encoded)
            assert answered.status_code == 401, headers
            assert answered.json()["type"] == "/problems/unauthorized"
        known = await provider.post(f"/v1/channels/{key}/receipts", content=body, headers=fresh)
        assert (known.status_code, known.json()) == (200, {"taken": 0, "unknown": 1})
    # A token instead of a signature opens nothing.
    assert (await keeper.post(f"/v1/channels/{key}/receipts", content=body)).status_code == 401


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"id": None}, "/receipts/1"),
        ({"state": "lost"}, "/receipts/1/state"),
        ({"id": "4711"}, "/receipts/1/id"),
        ({"at": "2026-11-22"}, "/receipts/1/at"),
        ({"detail": "\x00"}, "/receipts/1/detail"),
        ({"reference": "a\nb"}, "/receipts/1/reference"),
        ({"phone": "1"}, "/receipts/1/phone"),
    ],
)
async def test_a_bad_receipt_is_named(
    keeper: httpx.AsyncClient, campaign: Running, bad: dict[str, Any], pointer: str
) -> None:
    key = (await create(keeper, connector=WEBHOOK, secret=SECRET))["key"]
    body = receipts(a_receipt(), a_receipt(**bad))
    async with campaign.client() as provider:
        answered = await provider.post(
            f"/v1/channels/{key}/receipts", content=body, headers=signed(body, SECRET)
        )
    assert pointer in errors(answered)
