"""Signatures, waits, destinations and durables of webhooks, each by itself."""

import asyncio
import os
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.compose_secrets import self_signed
from shared import clock
from shared.contracts.events import CampaignPaused, CampaignResumed
from shared.ids import new_id
from shared.settings import Settings
from shared.topology import Durable, ensure_durable
from shared.webhooks import signing
from shared.webhooks.attempts import Claim, Outcome, attempt
from shared.webhooks.destinations import Destinations, RefusedDestinationError, open_pool
from shared.webhooks.names import Names
from shared.webhooks.schedule import RETRY_SECONDS, wait_after
from shared.webhooks.secrets import SecretBox, SecretLostError
from tests.shared.receiver import answer, receiving
from tests.support import Running


def test_the_published_vector_of_standard_webhooks() -> None:
    """Of the specification's reference libraries."""
    import base64

    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signing.headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signing.show_secret(key) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_ten_attempts_within_about_three_days() -> None:
    waits = [wait_after(attempts) for attempts in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    assert 3 < sum(RETRY_SECONDS) / 86_400 < 3.5
    assert wait_after(1, 120) == 120
    assert wait_after(4, 120) == 7200
    assert wait_after(1, 10**9) == 86_400


def test_secrets_are_bound_to_key_service_and_endpoint() -> None:
    key, endpoint = os.urandom(32), new_id()
    signing_key, sealed = SecretBox(key, "customer").new(endpoint)
    assert SecretBox(key, "customer").open(endpoint, sealed) == signing_key
    for box, of in (
        (SecretBox(key, "campaign"), endpoint),
        (SecretBox(os.urandom(32), "customer"), endpoint),
        (SecretBox(key, "customer"), new_id()),
    ):
        with pytest.raises(SecretLostError):
            box.open(of, sealed)


PUBLIC = Destinations.of(Settings())
INSIDE = Destinations.of(Settings(webhook_allow="hooks.bank.cn, 10.2.0.0/16,fd00::/8 ,127.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://10.2.3.4/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://localhost/",
        "https://a.localhost/",
        "https://user:secret@example.com/",
        "https://user@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[/",
        "https:///path",
        "ftp://example.com/",
        "http://hooks.bank.cn.evil.com/",
    ],
)
def test_urls_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(RefusedDestinationError):
        PUBLIC.check_url(url)
    if "10.2." not in url and url != "https://127.0.0.1/":
        with pytest.raises(RefusedDestinationError):
            INSIDE.check_url(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.bank.cn/x", "http://hooks.bank.cn:8080/", "http://10.2.3.4/", "http://[fd00::1]/"]
)
def test_what_the_operator_lists_may_be_reached_without_tls(url: str) -> None:
    INSIDE.check_url(url)
    if url.startswith("http:"):
        with pytest.raises(RefusedDestinationError):
            PUBLIC.check_url(url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "::1", "::ffff:10.0.0.1"])
async def test_names_are_checked_by_what_they_resolve_to(host: str) -> None:
    with pytest.raises(RefusedDestinationError):
        PUBLIC.allowed(host, await Names().addresses(host, 443))


async def test_a_name_on_the_list_is_the_operators_word() -> None:
    found = await Names().addresses("localhost", 80)
    assert "127.0.0.1" in Destinations.of(Settings(webhook_allow="localhost")).allowed("localhost", found)


async def test_a_name_server_that_hangs_holds_up_its_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many deliveries wait for a name, neither other endpoints nor the service's threads wait too."""
    answer = threading.Event()
    asked = []
    real = socket.getaddrinfo

    def hanging(host: str, *arguments: Any, **more: Any) -> list[tuple[Any, ...]]:
        if host != "dead.example":
            return list(real(host, *arguments, **more))
        asked.append(host)
        answer.wait(30)
        raise socket.gaierror("no name server")

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    names = Names()
    waiting = [asyncio.create_task(names.addresses("dead.example", 443)) for _ in range(100)]
    try:
        async with asyncio.timeout(10):
            assert await names.addresses("localhost", 80)
            assert await asyncio.to_thread(lambda: 1)
        assert not any(task.done() for task in waiting)
    finally:
        answer.set()
    assert all(isinstance(e, OSError) for e in await asyncio.gather(*waiting, return_exceptions=True))
    assert asked == ["dead.example"]


async def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public when the URL was registered, the service's own neighbour when it is called."""

    def rebound(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(2, 1, 6, "", ("127.0.0.1", 443))]

    async with receiving() as receiver:
        PUBLIC.check_url("https://rebound.example/")
        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        outcome = await _attempt(Settings(), receiver.url.replace("127.0.0.1", "rebound.example"))
        assert outcome.error == "refused: rebound.example is inside the bank and not on the operator's list"
        assert receiver.received == []


async def _attempt(settings: Settings, url: str, keys: tuple[bytes, ...] = (b"k" * 32,)) -> Outcome:
    async with open_pool(settings, 4) as pool:
        return await attempt(pool, Claim(new_id(), new_id(), url, 1, b"{}", keys))


async def test_tls_is_checked_against_the_name_and_the_banks_authority(tmp_path: Path) -> None:
    certificate, key = self_signed("localhost")
    (tmp_path / "certificate.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    trusting = Settings(
        webhook_allow="127.0.0.0/8,other.localhost", webhook_ca_file=tmp_path / "certificate.pem"
    )
    async with receiving(context) as receiver:
        stranger = await _attempt(Settings(webhook_allow="127.0.0.1"), receiver.url)
        assert "certificate verify failed" in str(stranger.error)
        assert (await _attempt(trusting, receiver.url)).succeeded
        assert (await _attempt(trusting, receiver.url.replace("127.0.0.1", "localhost"))).succeeded
        misnamed = await _attempt(trusting, receiver.url.replace("127.0.0.1", "127.0.0.2"))
        assert not misnamed.succeeded
    assert len(receiver.received) == 2


async def test_nothing_is_sent_unsigned() -> None:
    async with receiving() as receiver:
        outcome = await _attempt(Settings(webhook_allow="127.0.0.1"), receiver.url, ())
        assert "rotate" in str(outcome.error)
        assert receiver.received == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (b"garbage\r\n\r\n", "illegal status line"),
        (answer(500, "x" * 100_000), "answered 500 xxx"),
        (answer(307, location="http://127.0.0.1:1/"), "answered 307"),
    ],
)
async def test_strange_answers_are_failures(given: bytes, error: str) -> None:
    async with receiving() as receiver:
        receiver.otherwise = given
        outcome = await _attempt(Settings(webhook_allow="127.0.0.1"), receiver.url)
        assert error in str(outcome.error)
        assert outcome.wait == 5
        assert len(receiver.received) == 1


async def test_nobody_there_is_a_failure() -> None:
    outcome = await _attempt(Settings(webhook_allow="127.0.0.1"), "http://127.0.0.1:1/")
    assert outcome.status is None
    assert "connection" in str(outcome.error).lower()


async def test_a_durable_is_told_of_new_events_and_keeps_its_position(probe: Running) -> None:
    js = probe.runtime.bus.js
    name = f"campaign__told_{new_id().hex[-8:]}"
    since = clock.now() - timedelta(minutes=5)
    await ensure_durable(js, Durable(name, "CAMPAIGN", (CampaignPaused,)), since=since)
    subscription = await js.pull_subscribe_bind(durable=name, stream="CAMPAIGN")
    await js.publish(f"campaign.campaign_paused.{new_id()}", b"1")
    while messages := await _ready(subscription):
        for message in messages:
            await message.ack_sync()
    before = (await js.consumer_info("CAMPAIGN", name)).ack_floor
    await ensure_durable(js, Durable(name, "CAMPAIGN", (CampaignPaused, CampaignResumed)))
    info = await js.consumer_info("CAMPAIGN", name)
    assert set(info.config.filter_subjects or []) == {
        "campaign.campaign_paused.>",
        "campaign.campaign_resumed.>",
    }
    assert info.ack_floor == before
    await js.publish(f"campaign.campaign_resumed.{new_id()}", b"2")
    assert [message.data for message in await _ready(subscription)] == [b"2"]
    await js.delete_consumer("CAMPAIGN", name)


async def _ready(subscription: Any) -> list[Any]:
    try:
        return list(await subscription.fetch(50, timeout=0.5))
    except TimeoutError:
        return []
