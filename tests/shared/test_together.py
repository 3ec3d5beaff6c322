"""Messages published as one batch: all of them or none, and never twice."""

from pathlib import Path

import nats
from nats.js.api import StreamConfig

from deploy.embedded.nats import NatsServer
from shared.bus import Bus
from shared.ids import new_id
from shared.settings import Settings
from shared.together import publish_together, suits
from shared.topology import STREAMS, ensure_streams


def made(count: int, subject: str = "customer.x") -> list[tuple[str, bytes, str]]:
    return [(f"{subject}.{number % 3}", b"%d" % number, str(new_id())) for number in range(count)]


async def test_a_batch_is_stored_whole_in_order_and_once(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        bus = Bus(Settings(nats_url=server.url), "test")
        await bus.connect()
        messages = made(50)
        assert await bus.publish_all(messages) == [True] * 50
        stored = [(await bus.js.get_msg("CUSTOMER", seq=seq)).data for seq in range(1, 51)]
        assert stored == [payload for _subject, payload, _id in messages]
        # Ten of these are there already: the batch is refused, each alone is taken, none twice.
        assert await bus.publish_all(messages[40:] + made(15)) == [True] * 25
        assert await bus.last_sequence("CUSTOMER") == 65
        await bus.close()


async def test_a_refused_batch_leaves_nothing(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="PLAIN", subjects=["plain.>"]))
        await stream.add_stream(StreamConfig(name="BATCH", subjects=["batch.>"], allow_atomic=True))
        assert not await publish_together(client, made(10, "plain"))
        assert (await stream.stream_info("PLAIN")).state.messages == 0
        twice = made(10, "batch")
        assert await publish_together(client, twice)
        assert not await publish_together(client, [*made(5, "batch"), twice[0]])
        assert (await stream.stream_info("BATCH")).state.messages == 10
        await client.close()


async def test_streams_of_an_earlier_release_learn_it(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        limits = StreamConfig(name="CUSTOMER", subjects=[STREAMS["CUSTOMER"]], max_bytes=12345678)
        await stream.add_stream(limits)
        await stream.publish("customer.kept", b"kept")
        for _ in range(2):
            await ensure_streams(stream, replicas=1, max_bytes=2**26)
        info = await stream.stream_info("CUSTOMER")
        assert info.config.allow_atomic
        assert (info.config.max_bytes, info.state.messages) == (12345678, 1), "the operator's limits stay"
        await client.close()


def test_what_suits() -> None:
    assert suits(made(8))
    assert not suits(made(7))
    assert not suits(made(1001))
    assert not suits(made(5) + made(5, "campaign.x"))
