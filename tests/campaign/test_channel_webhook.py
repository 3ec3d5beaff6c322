"""Messages by webhook to a real HTTP server: every answer, and every way not to get one."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.compose_secrets import self_signed
from services.campaign.channels import OutboundMessage, Submission, webhook
from services.campaign.channels.carriers import Carriers
from services.campaign.channels.connector import TEST_CAMPAIGN
from services.campaign.channels.webhook import Webhook
from shared.contracts.campaign.channels import WebhookConnector
from shared.webhooks.signing import show_secret
from tests.campaign.messages import PHONE, a_message, carriers
from tests.shared.receiver import answer, receiving

KEY = b"k" * 32
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Submit:
    def __init__(self, found: Carriers) -> None:
        self._pool = found.pool

    async def __call__(
        self, url: str, *messages: OutboundMessage, batch: int = 1, keys: tuple[bytes, ...] = (KEY,)
    ) -> list[Submission]:
        config = WebhookConnector(type="webhook", url=url, batch=batch)
        return list(await Webhook(config, keys, self._pool).submit(messages))


@pytest.fixture(scope="module")
async def submit() -> AsyncIterator[Submit]:
    async with carriers() as found:
        yield Submit(found)


@asynccontextmanager
async def peer(behaviour: Peer) -> AsyncIterator[str]:
    """A server that reads a request and then does what it likes."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        await behaviour(reader, writer)
        writer.close()
        ended.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/messages"
        await ended.wait()
    finally:
        server.close()


async def test_one_message_is_one_signed_request_that_can_be_repeated(submit: Submit) -> None:
    message = a_message()
    async with receiving() as receiver:
        receiver.otherwise = answer(202, '{"reference": 4711, "more": "ignored"}')
        submitted = await submit(receiver.url, message, keys=(KEY, b"o" * 32))
        await submit(receiver.url, message)
    assert submitted == [Submission("accepted", "4711")]
    first, second = receiver.received
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == str(message.id)
    assert first.id == str(message.id)
    assert first.signed_by(show_secret(KEY))
    assert first.signed_by(show_secret(b"o" * 32))
    assert not second.signed_by(show_secret(b"o" * 32))
    assert first.event == {
        "id": str(message.id),
        "campaign_id": str(message.campaign_id),
        "channel": "probe",
        "kind": "sms",
        "recipient": PHONE,
        "subject": None,
        "body": message.body,
        "language": "zh",
        "test": False,
    }


async def test_a_batch_is_answered_message_by_message(submit: Submit) -> None:
    messages = [a_message(), a_message(), a_message(), a_message(campaign_id=TEST_CAMPAIGN)]
    results = [
        {"id": str(messages[2].id), "outcome": "delivered", "reference": "r2"},
        {"id": str(messages[1].id), "outcome": "refused", "detail": f"no such number {PHONE}"},
        {"id": str(messages[3].id), "outcome": "perhaps"},
    ]
    async with receiving() as receiver:
        receiver.otherwise = answer(200, orjson.dumps({"results": results}).decode())
        submitted = await submit(receiver.url, *messages, batch=10)
        await submit(receiver.url, *reversed(messages), batch=10)
        alone = await submit(receiver.url, messages[0], batch=10)
    assert [each.outcome for each in submitted] == ["unknown", "refused", "delivered", "unknown"]
    assert submitted[2].reference == "r2"
    assert submitted[1].detail == "no such number …"
    assert alone[0].outcome == "unknown"
    first, again, third = receiver.received
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"]
    assert third.headers["idempotency-key"] != first.headers["idempotency-key"]
    assert [each["id"] for each in first.event["messages"]] == [str(each.id) for each in messages]
    assert first.event["messages"][3]["test"]
    assert first.event["messages"][3]["campaign_id"] is None


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("", "accepted"),
        ("<html>", "accepted"),
        ("[1, 2]", "accepted"),
        ('{"status": "ok"}', "accepted"),
        ('{"outcome": "refused"}', "refused"),
        ('{"outcome": "never"}', "unknown"),
        ('{"reference": "a\\nb"}', "unknown"),
    ],
)
async def test_what_success_may_say_besides(submit: Submit, body: str, outcome: str) -> None:
    async with receiving() as receiver:
        receiver.otherwise = answer(200, body)
        (submission,) = await submit(receiver.url, a_message())
    assert submission.outcome == outcome


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "waits"),
    [
        (302, {"location": "http://127.0.0.1:1/"}, "failed", None),
        (400, {}, "refused", None),
        (404, {"retry-after": "5"}, "refused", None),
        (408, {}, "failed", None),
        (422, {}, "refused", None),
        (429, {}, "failed", None),
        (429, {"retry-after": "30"}, "failed", 30.0),
        (503, {"retry-after": "7"}, "failed", 7.0),
        (503, {"retry-after": "soon"}, "unknown", None),
        (503, {}, "unknown", None),
        (500, {"retry-after": "7"}, "unknown", None),
        (502, {}, "unknown", None),
    ],
)
async def test_what_other_answers_mean(
    submit: Submit, status: int, headers: dict[str, str], outcome: str, waits: float | None
) -> None:
    async with receiving() as receiver:
        receiver.otherwise = answer(status, f"not for {PHONE}, tell zhang@example.com", **headers)
        (submission,) = await submit(receiver.url, a_message())
    assert submission.outcome == outcome
    assert submission.retry_after == waits
    assert submission.detail == f"answered {status} not for …, tell …"
    assert len(receiver.received) == 1


async def test_a_date_to_come_again_is_read(submit: Submit) -> None:
    async with receiving() as receiver:
        receiver.otherwise = answer(503, retry_after=formatdate(time.time() + 90, usegmt=True))
        (submission,) = await submit(receiver.url, a_message())
    assert submission.outcome == "failed"
    assert 0 < (submission.retry_after or 0) <= 90


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/", "connect"),
        ("http://10.0.0.1/", "refused: 10.0.0.1 is inside the bank"),
        ("http://[::ffff:10.0.0.1]/", "inside the bank"),
        ("http://169.254.169.254/latest/meta-data", "inside the bank"),
        ("http://nowhere.invalid/", "resolved"),
    ],
)
async def test_what_was_never_sent_may_be_tried_again(submit: Submit, url: str, says: str) -> None:
    (submission,) = await submit(url, a_message())
    assert submission.outcome == "failed"
    assert says in (submission.detail or "").lower()


async def test_nothing_is_told_to_a_server_of_another_certificate(submit: Submit, tmp_path: Path) -> None:
    certificate, key = self_signed("localhost")
    (tmp_path / "both.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    async with receiving(context) as receiver:
        (submission,) = await submit(receiver.url, a_message())
    assert submission.outcome == "failed"
    assert "certificate verify failed" in (submission.detail or "")
    assert receiver.received == []


async def _close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0\r\n\r\n")
    await writer.drain()


async def _half(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()


async def _endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n")
    writer.write(b"x" * 1_000_000)


@pytest.mark.parametrize("behaviour", [_close, _reset, _garbage, _half, _endless])
async def test_a_lost_answer_is_unknown(submit: Submit, behaviour: Peer) -> None:
    async with peer(behaviour) as url:
        submitted = await submit(url, a_message(), a_message(), batch=2)
    assert [each.outcome for each in submitted] == ["unknown", "unknown"]


async def test_no_answer_in_time_is_unknown(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.5)
    async with receiving() as receiver:
        receiver.gate = asyncio.Event()
        (submission,) = await submit(receiver.url, a_message())
        assert len(receiver.received) == 1
    assert submission.outcome == "unknown"
    assert submission.detail == "no answer within 0.5 s"


async def test_no_connection_in_time_is_failed(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes connections and never shakes hands: the message was not written."""
    monkeypatch.setattr(webhook, "_CONNECT_SECONDS", 0.3)
    held: list[Any] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (submission,) = await submit(f"https://127.0.0.1:{port}/", a_message())
    for writer in held:
        writer.close()
    server.close()
    assert submission.outcome == "failed"
