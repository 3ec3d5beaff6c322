"""NATS JetStream: connect for ever, publish with acknowledgement, pull and follow, dead-letter.

With `shared.consuming`, `shared.batches` and `shared.pushed` all that speaks nats-py's message API. Delivery
is at least once; the inbox (for PostgreSQL effects) and the watermark (for DuckDB stores) make the effect
exactly once.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import nats
import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared import together
from shared.contracts.events import EVENTS, EventData
from shared.settings import Settings
from shared.telemetry import DELIVERIES, FEED_POSITION
from shared.topology import DURABLES, ensure_durable, ensure_streams

logger = structlog.get_logger()
T = TypeVar("T")

_FETCH_SECONDS = 5.0
_FEED_IDLE_SECONDS = 1.0
_GATHER_SECONDS = 0.02
_FEED_BATCH = 256
_STEADY_SECONDS = 60.0
RETRY_SECONDS = (0.5, 1, 2, 5, 10, 20, 30)


class PoisonError(Exception):
    """A message that no retry can help: not an event of the catalogue, or not its shape."""


class ForgottenError(Exception):
    """A store fell further behind than the stream remembers: only a rebuild makes it whole."""


@dataclass(frozen=True)
class Delivery:
    """One event as it came from a stream."""

    event_id: str
    type: str
    data: EventData
    time: datetime
    stream: str
    seq: int
    subject: str
    attempt: int = 1


class FeedTarget(Protocol):
    """A columnar store that keeps its own position: `apply` writes rows and watermark in one transaction."""

    def watermark(self, stream: str) -> int: ...

    async def apply(self, stream: str, deliveries: Sequence[Delivery], last_seq: int) -> None: ...


def decode(msg: Msg) -> Delivery:
    meta = msg.metadata
    return delivery(msg.data, msg.subject, meta.stream, meta.sequence.stream, meta.num_delivered or 1)


def delivery(message: bytes | str, subject: str, stream: str, seq: int, attempt: int = 1) -> Delivery:
    """One event from its message. Raises `PoisonError`."""
    try:
        envelope = orjson.loads(message)
        data = EVENTS[envelope["type"]].model_validate(envelope["data"])
        event_id, time = str(envelope["id"]), datetime.fromisoformat(envelope["time"])
    except (ValueError, KeyError, TypeError) as error:
        raise PoisonError(f"not an event of the catalogue: {error}") from error
    return Delivery(
        event_id=event_id,
        type=envelope["type"],
        data=data,
        time=time,
        stream=stream,
        seq=seq,
        subject=subject,
        attempt=attempt,
    )


class Bus:
    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._client = Client()
        self.js: JetStreamContext = self._client.jetstream()

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected)

    async def connect(self) -> None:
        """Connect, waiting for a broker that is not up yet; from then on reconnect for ever."""
        while True:
            try:
                self._client = await nats.connect(
                    self._settings.nats_url.split(","),
                    name=self._name,
                    user=self._settings.nats_user,
                    password=self._settings.secret(self._settings.nats_password_file),
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    ping_interval=10,
                    error_cb=_log_error,
                    disconnected_cb=_log_disconnected,
                    reconnected_cb=_log_reconnected,
                )
                self.js = self._client.jetstream(timeout=10, publish_async_max_pending=2048)
                await ensure_streams(
                    self.js,
                    replicas=self._settings.nats_replicas,
                    max_bytes=self._settings.nats_stream_max_bytes,
                )
            except (OSError, NatsError) as error:
                logger.warning("broker_not_ready", error=str(error))
                with contextlib.suppress(NatsError, OSError):
                    await self._client.close()
                await asyncio.sleep(1)
            else:
                return

    async def close(self) -> None:
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await asyncio.wait_for(self._client.drain(), timeout=5)

    async def publish_all(self, messages: Sequence[tuple[str, bytes, str]]) -> list[bool]:
        """Publish (subject, payload, message id) in order; for each, whether the broker has it on disk."""
        if together.suits(messages) and await together.publish_together(self._client, messages):
            return [True] * len(messages)
        pending = [
            await self.js.publish_async(subject, payload, headers={"Nats-Msg-Id": message_id}, wait_stall=10)
            for subject, payload, message_id in messages
        ]
        done, late = await asyncio.wait(pending, timeout=15)
        for future in late:
            future.cancel()
        return [
            future in done and not future.cancelled() and future.exception() is None for future in pending
        ]

    async def publish_plain(self, subject: str, payload: bytes) -> None:
        """To whoever listens now; nothing is kept."""
        await self._client.publish(subject, payload)

    async def last_sequence(self, stream: str) -> int:
        return (await self.js.stream_info(stream)).state.last_seq

    async def sequence_if_reachable(self, stream: str) -> int | None:
        """As `last_sequence`; null while the broker does not answer."""
        try:
            return await self.last_sequence(stream)
        except (NatsError, OSError, TimeoutError):
            return None

    async def forgotten(self, stream: str, watermark: int) -> int:
        """Messages behind `watermark` that the stream's limits have already dropped."""
        state = (await self.js.stream_info(stream)).state
        return max(0, state.first_seq - watermark - 1)

    async def backlog(self, durable: str) -> int:
        """Messages this durable has still to work on."""
        spec = DURABLES[durable]
        info = await self.js.consumer_info(spec.stream, durable)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def pull_durable(self, name: str, batch: int = 32) -> AsyncIterator[list[Msg]]:
        """What waits in the durable, as it comes; each message is the caller's to acknowledge."""
        durable = DURABLES[name]
        while True:
            try:
                await ensure_durable(self.js, durable)
                subscription = await self.js.pull_subscribe_bind(durable=name, stream=durable.stream)
            except (NatsError, OSError) as error:
                logger.warning("subscribe_failed", durable=name, error=str(error))
                await asyncio.sleep(1)
                continue
            try:
                while True:
                    yield await _fetch(subscription, batch)
            except (NatsError, OSError) as error:
                logger.warning("fetch_failed", durable=name, error=str(error))
                await asyncio.sleep(0.5)
            finally:
                with contextlib.suppress(NatsError, OSError):
                    await subscription.unsubscribe()

    async def feed(self, name: str, stream: str, subjects: Sequence[str], target: FeedTarget) -> None:
        """Apply `stream` to a store in order, exactly once, from the store's own watermark, until cancelled.

        Nothing is acknowledged: the position is the store's. Any gap or failure starts again behind it.
        """
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._follow(name, stream, subjects, target)
            except Exception:
                logger.exception("feed_failed", feed=name, stream=stream)
                failures = 0 if time.monotonic() - began > _STEADY_SECONDS else failures
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    async def _follow(self, name: str, stream: str, subjects: Sequence[str], target: FeedTarget) -> None:
        forgotten = await self.forgotten(stream, target.watermark(stream))
        if forgotten:
            raise ForgottenError(f"{stream} no longer has {forgotten} messages that {name} has not applied")
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=target.watermark(stream) + 1,
            ack_policy=AckPolicy.NONE,
            filter_subjects=list(subjects),
            inactive_threshold=60,
            mem_storage=True,
            num_replicas=1,
        )
        subscription = await self.js.pull_subscribe(subjects[0], stream=stream, config=config)
        expected = 1
        try:
            while True:
                messages = await _fetch(subscription, _FEED_BATCH, _FEED_IDLE_SECONDS)
                if not messages:
                    await self._pass_foreign(subscription, stream, expected - 1, target)
                    continue
                first = messages[0].metadata.sequence.consumer
                last = messages[-1].metadata.sequence.consumer
                if first != expected or last != expected + len(messages) - 1:
                    logger.warning(
                        "feed_gap", feed=name, stream=stream, expected=expected, first=first, last=last
                    )
                    return
                expected = last + 1
                deliveries = await self._decode_all(messages, stream, f"feed_{name}")
                position = messages[-1].metadata.sequence.stream
                await to_its_end(target.apply(stream, deliveries, position))
                FEED_POSITION.labels(name, stream).set(position)
        finally:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _pass_foreign(
        self,
        subscription: JetStreamContext.PullSubscription,
        stream: str,
        applied: int,
        target: FeedTarget,
    ) -> None:
        """Nothing is waiting: move the position past messages of other subjects.

        Otherwise a store that has everything it wants would look as if it lagged behind the stream.
        """
        last = await self.last_sequence(stream)  # before asking what is pending: later messages do not count
        info = await subscription.consumer_info()  # raises when the broker has forgotten us
        complete = info.num_pending == 0 and info.delivered and info.delivered.consumer_seq == applied
        if complete and last > target.watermark(stream):
            await to_its_end(target.apply(stream, [], last))

    async def _decode_all(self, messages: Sequence[Msg], stream: str, consumer: str) -> list[Delivery]:
        deliveries = []
        for message in messages:
            try:
                deliveries.append(decode(message))
            except PoisonError as error:
                await self._publish_dead(message, stream, consumer, error)
        return deliveries

    async def bury(self, message: Msg, stream: str, consumer: str, error: Exception) -> None:
        try:
            await self._publish_dead(message, stream, consumer, error)
            await message.term()
        except NatsError:
            # Not buried: it is delivered again and tried again.
            logger.exception("dead_letter_failed", consumer=consumer)

    async def _publish_dead(self, message: Msg, stream: str, consumer: str, error: Exception) -> None:
        sequence = message.metadata.sequence.stream
        DELIVERIES.labels(consumer, "dead").inc()
        await self.js.publish(
            f"dlq.{stream}.{consumer}",
            message.data,
            headers={
                "Nats-Msg-Id": f"{consumer}-{sequence}",
                "Huanying-Subject": message.subject,
                "Huanying-Sequence": str(sequence),
                "Huanying-Error": f"{type(error).__name__}: {error}".replace("\n", " ")[:500],
            },
        )
        logger.error("dead_letter", consumer=consumer, stream=stream, sequence=sequence, error=str(error))


async def _fetch(
    subscription: JetStreamContext.PullSubscription, batch: int, patience: float = _FETCH_SECONDS
) -> list[Msg]:
    """Wait for a first message, then take what follows at once.

    Asking for the whole batch would wait until it is full or the time is over.
    """
    try:
        first = await subscription.fetch(1, timeout=patience)
    except (NatsTimeoutError, TimeoutError):
        return []
    try:
        return first + await subscription.fetch(batch - 1, timeout=_GATHER_SECONDS)
    except (NatsTimeoutError, TimeoutError):
        return first


async def to_its_end(work: Coroutine[None, None, T]) -> T:
    """Cancelled while working, finish this piece first: that is what draining means."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def within_bytes(messages: Sequence[Msg], most: int) -> list[list[Msg]]:
    """In as few batches of at most so many bytes as their order allows; a larger message is its own."""
    batches: list[list[Msg]] = []
    size = 0
    for message in messages:
        if not batches or size + len(message.data) > most:
            batches.append([])
            size = 0
        batches[-1].append(message)
        size += len(message.data)
    return batches


async def _log_error(error: Exception) -> None:
    logger.warning("broker_error", error=str(error))


async def _log_disconnected() -> None:
    logger.warning("broker_disconnected")


async def _log_reconnected() -> None:
    logger.info("broker_reconnected")
