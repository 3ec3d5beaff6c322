"""Partners push events over NATS: what each credential may do, and that nothing is lost or doubled."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError

from deploy.broker_users import BrokerUsers, new_nkey
from deploy.embedded.nats import NatsServer
from services.customer.usecases.pushed import PushedIntake
from shared.errors import Unavailable
from shared.pushed import REPLY_HEADER, Pushed, PushedConsumer
from shared.topology import DURABLES, MAX_ATTEMPTS, ensure_durable, ensure_streams, inbox_of, intake_subject
from tests.customer.conftest import BATCH, Bank, event, number, source_id
from tests.support import Servers, eventually


class Partner(Client):
    """A client with an NKey. nats-py signs with an optional package; here cryptography does."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34]
        self.key = Ed25519PrivateKey.from_private_bytes(raw)
        self.refusals: list[str] = []

    async def join(self, address: str, public: str, source: str) -> None:
        self._public_nkey = public

        async def refused(error: Exception) -> None:
            self.refusals.append(str(error))

        await self.connect(
            address,
            signature_cb=lambda nonce: base64.b64encode(self.key.sign(nonce.encode())),
            inbox_prefix=inbox_of(source),
            error_cb=refused,
            max_reconnect_attempts=1,
        )

    async def refused(self, before: int) -> None:
        """Wait for one more refusal than there were."""

        async def told() -> bool:
            return len(self.refusals) > before

        await self.flush()
        await eventually(told, what="a refusal")


@asynccontextmanager
async def partner_of(server: NatsServer, source: str) -> AsyncIterator[Partner]:
    """A fresh credential of `source`, connected."""
    users = BrokerUsers.of(server.data_dir)
    seed = users.create(f"p{number()}", source)
    public = users.entries()[-1].nkey
    server.reload_users()
    partner = Partner(seed)

    async def joined() -> bool:
        try:
            await partner.join(server.address, public, source)
        except NatsError:
            return False
        return True

    await eventually(joined, what="the credential")
    partner.refusals.clear()  # of attempts before the server knew it
    try:
        yield partner
    finally:
        await partner.close()


def packed(*events: dict[str, Any]) -> bytes:
    return orjson.dumps(list(events) if len(events) > 1 else events[0])


async def recorded(bank: Bank, *events: dict[str, Any]) -> int:
    ids = [sent["id"] for sent in events]
    rows = await bank.sql("SELECT count(*) FROM customer_event WHERE event_id = ANY(:ids)", ids=ids)
    return int(rows[0][0])


async def test_what_a_partner_publishes_is_recorded(bank: Bank) -> None:
    customer = await bank.customer()
    single, first, second = (event(source_id(customer)) for _ in range(3))
    async with partner_of(bank.service.servers.nats, "core") as partner:
        stream = partner.jetstream()
        assert (await stream.publish(intake_subject("core"), packed(single))).stream == "INTAKE"
        await stream.publish(intake_subject("core"), packed(first, second), headers={"Content-Type": BATCH})

        async def there() -> bool:
            return await recorded(bank, single, first, second) == 3

        await eventually(there, what="the events")

        async def taken() -> bool:
            return (await bank.service.runtime.bus.js.stream_info("INTAKE")).state.messages == 0

        await eventually(taken, what="the stream to be empty: it holds personal data only while it must")


async def test_the_answer_for_each_event_comes_to_the_inbox(bank: Bank) -> None:
    customer = await bank.customer()
    good, bad = event(source_id(customer)), event(source_id(customer), time="yesterday")
    foreign = event(source_id(customer), source="crm")
    async with partner_of(bank.service.servers.nats, "core") as partner:
        inbox = partner.new_inbox()
        answers = await partner.subscribe(inbox)
        for payload in (packed(good, bad, foreign), packed({**bad, "id": "lone"}), b"not json"):
            await partner.jetstream().publish(intake_subject("core"), payload, headers={REPLY_HEADER: inbox})
        results = [orjson.loads((await answers.next_msg(timeout=10)).data) for _ in range(3)]
    assert [(r["accepted"], r["rejected"]) for r in results] == [(1, 2), (0, 1), (0, 1)]
    pointers = [[i["problem"]["errors"][0]["pointer"] for i in r["items"]] for r in results]
    assert pointers == [["/1/time", "/2/source"], ["/time"], [""]]
    kept = await bank.sql(
        "SELECT source, reason FROM quarantined_event WHERE event_id = :id", id=foreign["id"]
    )
    assert kept == [("core", "source")], "it claims to be crm's, and core sent it"
    unreadable = await bank.admin.get(
        "/v1/quarantine", params={"source": "core", "reason": "unreadable", "limit": 1000}
    )
    payloads = [
        (await bank.admin.get(f"/v1/quarantine/{row['id']}")).json()["payload"]
        for row in unreadable.json()["items"]
    ]
    assert "not json" in payloads


async def test_a_credential_reaches_its_own_subject_and_nothing_else(bank: Bank) -> None:
    server = bank.service.servers.nats
    async with partner_of(server, "core") as partner, partner_of(server, "core.cards") as neighbour:
        forbidden = (
            intake_subject("crm"),
            intake_subject("core.cards"),
            "intake.>",
            "customer.events_recorded.1",
            "dlq.INTAKE.x",
            "$JS.API.STREAM.INFO.CUSTOMER",
            "$JS.API.STREAM.DELETE.INTAKE",
            f"{inbox_of('core.cards')}.x",
        )
        for subject in forbidden:
            before = len(partner.refusals)
            await partner.publish(subject, b"{}")
            await partner.refused(before)
            assert "permissions violation" in partner.refusals[-1].lower()
        for subject in ("intake.>", "customer.>", "_INBOX.>", f"{inbox_of('core.cards')}.>", ">"):
            before = len(partner.refusals)
            await partner.subscribe(subject)
            await partner.refused(before)
        with pytest.raises(NatsError):
            await partner.jetstream().stream_info("CUSTOMER")
        assert neighbour.refusals == []


async def test_revoked_and_unknown_credentials_do_not_get_in(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        users = BrokerUsers.of(server.data_dir)
        async with partner_of(server, "core") as partner:
            users.revoke(users.entries()[0].id)
            server.reload_users()

            async def thrown_out() -> bool:
                return not partner.is_connected

            await eventually(thrown_out, what="the end of the connection")
        seed, public = new_nkey()
        with pytest.raises(NatsError):
            await Partner(seed).join(server.address, public, "core")


async def test_the_answer_goes_to_the_partners_own_inbox_only(bank: Bank) -> None:
    customer = await bank.customer()
    listener = await nats.connect(bank.service.servers.nats.url)
    heard = await listener.subscribe("stolen.>")
    foreign = await listener.subscribe("_INBOX.crm.>")
    async with partner_of(bank.service.servers.nats, "core") as partner:
        for reply in ("stolen.x", "_INBOX.crm.x", "_INBOX.core.", "_INBOX.core.a b", "_INBOX.core.>"):
            sent = event(source_id(customer))
            await partner.jetstream().publish(
                intake_subject("core"), packed(sent), headers={REPLY_HEADER: reply.replace(" ", "\t")}
            )

            async def there(sent: dict[str, Any] = sent) -> bool:
                return await recorded(bank, sent) == 1

            await eventually(there, what=reply)
    for subscription in (heard, foreign):
        with pytest.raises(NatsTimeoutError):
            await subscription.next_msg(timeout=0.2)
    await listener.close()


async def test_one_partners_message_ids_do_not_hide_anothers(bank: Bank) -> None:
    customer = await bank.customer(
        identities=[{"source": s, "source_id": f"twin{number()}"} for s in ("core", "crm")]
    )
    subjects = {identity["source"]: identity["source_id"] for identity in customer["identities"]}
    sent = {source: event(subject, source=source) for source, subject in subjects.items()}
    for source, each in sent.items():
        async with partner_of(bank.service.servers.nats, source) as partner:
            await partner.jetstream().publish(
                intake_subject(source), packed(each), headers={"Nats-Msg-Id": "1"}
            )

        # The server's shortest memory of message ids; see INTAKE_DUPLICATE_WINDOW_SECONDS.
        await asyncio.sleep(0.3)

    async def there() -> bool:
        return await recorded(bank, *sent.values()) == 2

    await eventually(there, what="both events")


async def test_a_message_nobody_can_work_on_stops_no_other(bank: Bank) -> None:
    """In a stream of its own making: the first attempts of the culprit fail, then it is put aside."""
    intake = PushedIntake(bank.service.runtime)
    aside: list[Pushed] = []
    taken: list[bytes] = []

    async def take(messages: Any) -> list[bytes]:
        if any(message.payload == b"culprit" for message in messages):
            raise RuntimeError("whatever")
        taken.extend(message.payload for message in messages)
        return [b"" for _ in messages]

    async def give_up(message: Pushed, error: Exception) -> None:
        await intake.give_up(message, error)
        aside.append(message)

    class Message:
        def __init__(self, data: bytes, attempt: int) -> None:
            self.data, self.subject, self.headers, self.done = data, "intake.core", None, ""
            self.metadata = type("Meta", (), {"num_delivered": attempt})

        async def ack(self) -> None:
            self.done = "ack"

        async def nak(self, delay: float) -> None:
            self.done = f"nak {delay}"

    async def lacking(_messages: Any) -> list[bytes]:
        raise Unavailable("The disk is nearly full")

    waiting = Message(b"a", MAX_ATTEMPTS + 5)
    lacks = PushedConsumer(bank.service.runtime.bus, "customer__intake", lacking, give_up)
    await lacks._work([waiting])  # type: ignore[list-item]
    assert waiting.done == "nak 30", "however long it takes"
    consumer = PushedConsumer(bank.service.runtime.bus, "customer__intake", take, give_up)
    first = [Message(b"a", 1), Message(b"culprit", 1), Message(b"b", 1)]
    await consumer._work(first)  # type: ignore[arg-type]
    assert [message.done for message in first] == ["ack", "nak 0.5", "ack"]
    assert (taken, aside) == ([b"a", b"b"], [])
    last = Message(b"culprit", MAX_ATTEMPTS)
    await consumer._work([last])  # type: ignore[list-item]
    assert last.done == "ack"
    assert [message.payload for message in aside] == [b"culprit"]


async def _push_directly(servers: Servers, messages: list[bytes]) -> None:
    client = await nats.connect(servers.nats.url)
    stream = client.jetstream(timeout=10)
    await ensure_streams(stream, replicas=1, max_bytes=2**30)
    await ensure_durable(stream, DURABLES["customer__intake"])
    config = (await stream.consumer_info("INTAKE", "customer__intake")).config
    # What a killed worker held comes again after two seconds instead of thirty.
    await stream.add_consumer("INTAKE", replace(config, ack_wait=2))
    for message in messages:
        await stream.publish(intake_subject("core"), message)
    await client.close()


async def test_killing_the_worker_loses_nothing_and_doubles_nothing(tmp_path: Path, bank: Bank) -> None:
    """A worker of its own broker is killed in the middle, twice; each message comes twice."""
    customer, servers = await bank.customer(), bank.service.servers
    events = [event(source_id(customer), id=f"k{number()}") for _ in range(1500)]
    with NatsServer(tmp_path) as broker:
        own = Servers(servers.postgres, broker, servers.directory, servers.issuer)
        environment = {**os.environ, **own.environment("customer"), "HUANYING_PORT": "0"}
        await _push_directly(own, [packed(sent) for sent in events for _ in range(2)])
        seen = 0
        for least in (1, 700, len(events)):

            async def passed(least: int = least) -> bool:
                return await recorded(bank, *events) >= least

            worker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.customer.worker", env=environment
            )
            try:
                await eventually(passed, seconds=180, what=f"{least} events")
            finally:
                worker.send_signal(signal.SIGKILL)
                await worker.wait()
            before, seen = seen, await recorded(bank, *events)
            assert seen > before
    counted = await bank.sql(
        "SELECT count(*), count(DISTINCT event_id) FROM customer_event WHERE customer_id = :id",
        id=customer["id"],
    )
    assert counted == [(len(events), len(events))]
