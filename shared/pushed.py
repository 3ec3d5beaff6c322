"""Consuming what partners push: many messages a transaction, acknowledged only when it has committed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus import RETRY_SECONDS, Bus, to_its_end, within_bytes
from shared.problems import is_passing
from shared.telemetry import DELIVERIES
from shared.topology import MAX_ATTEMPTS, inbox_of, source_of

logger = structlog.get_logger()

REPLY_HEADER = "Huanying-Reply"
_FETCH = 128
_BATCH_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class Pushed:
    """One message of a partner. The server let nobody but `source` publish it."""

    source: str
    payload: bytes
    content_type: str
    wants_answer: bool


Take = Callable[[Sequence[Pushed]], Awaitable[Sequence[bytes]]]
"""Commits what it was given; the answer to each. Raises when nothing of it is durable."""
GiveUp = Callable[[Pushed, Exception], Awaitable[None]]
"""Puts aside, durably, a message that `Take` cannot work on."""


@dataclass(frozen=True)
class PushedConsumer:
    """Hands the durable's messages to `take`, in batches, until cancelled."""

    bus: Bus
    durable: str
    take: Take
    give_up: GiveUp

    async def run(self) -> None:
        async for messages in self.bus.pull_durable(self.durable, _FETCH):
            for batch in within_bytes(messages, _BATCH_BYTES):
                await to_its_end(self._work(batch))

    async def _work(self, messages: Sequence[Msg]) -> None:
        try:
            answers = await self.take([_pushed(message) for message in messages])
        except Exception as error:  # noqa: BLE001 - whatever it is, no message may be lost
            if is_passing(error):
                await self._later(messages, error)
            elif len(messages) > 1:
                # One of them is the cause: the others must not wait for it.
                for message in messages:
                    await self._work([message])
            else:
                await self._failed(messages[0], error)
        else:
            await self._done(messages, answers)

    async def _done(self, messages: Sequence[Msg], answers: Sequence[bytes]) -> None:
        for message, answer in zip(messages, answers, strict=True):
            try:
                await message.ack()
                reply = _reply_subject(message)
                if reply:
                    await self.bus.publish_plain(reply, answer)
            except NatsError as error:
                # It comes again, and is found to be there already.
                logger.warning("ack_failed", durable=self.durable, error=str(error))
        DELIVERIES.labels(self.durable, "done").inc(len(messages))

    async def _later(self, messages: Sequence[Msg], error: Exception) -> None:
        """Nothing is wrong with the messages: however long it takes, they wait."""
        logger.warning("intake_waits", durable=self.durable, error=str(error))
        DELIVERIES.labels(self.durable, "retried").inc(len(messages))
        for message in messages:
            await _nak(message)
        await asyncio.sleep(RETRY_SECONDS[1])

    async def _failed(self, message: Msg, error: Exception) -> None:
        attempt = message.metadata.num_delivered or 1
        logger.error("handler_failed", durable=self.durable, attempt=attempt, exc_info=error)
        if attempt < MAX_ATTEMPTS:
            DELIVERIES.labels(self.durable, "retried").inc()
            await _nak(message)
            return
        try:
            await self.give_up(_pushed(message), error)
            await message.ack()
            DELIVERIES.labels(self.durable, "dead").inc()
        except Exception:
            logger.exception("give_up_failed", durable=self.durable)
            await _nak(message)


async def _nak(message: Msg) -> None:
    attempt = message.metadata.num_delivered or 1
    try:
        await message.nak(delay=RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1])
    except NatsError as error:
        logger.warning("nak_failed", error=str(error))  # the server delivers it again by itself


def _pushed(message: Msg) -> Pushed:
    headers = message.headers or {}
    return Pushed(
        source=source_of(message.subject),
        payload=message.data,
        content_type=headers.get("Content-Type", headers.get("content-type", "")),
        wants_answer=_reply_subject(message) is not None,
    )


def _reply_subject(message: Msg) -> str | None:
    """Where the partner listens: below its own inbox, or nowhere. We may publish everywhere, it may not."""
    reply = (message.headers or {}).get(REPLY_HEADER, "")
    own = inbox_of(source_of(message.subject)) + "."
    tail = reply.removeprefix(own)
    sane = reply.isascii() and reply.isprintable() and not set(reply) & set(" *>")
    return reply if reply.startswith(own) and sane and all(tail.split(".")) else None
