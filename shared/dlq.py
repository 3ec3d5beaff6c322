"""The dead-letter queue, for an operator: look, understand, replay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import orjson
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from shared.bus import Bus
from shared.errors import NotFound, Unavailable
from shared.settings import Settings

STREAM = "DLQ"
_CONNECT_SECONDS = 10


@dataclass(frozen=True)
class DeadLetter:
    """A message that its consumer gave up, with the reason."""

    number: int
    """Its place in the queue; names it in `show` and `replay`."""
    consumer: str
    stream: str
    subject: str
    sequence: int
    """Its place in the stream it came from."""
    error: str
    at: datetime | None
    payload: bytes

    @property
    def type(self) -> str:
        try:
            return str(orjson.loads(self.payload)["type"])
        except (ValueError, KeyError, TypeError):
            return "(not an event)"


@asynccontextmanager
async def dead_letter_queue(settings: Settings) -> AsyncIterator["DeadLetterQueue"]:
    """Raise `Unavailable` when the broker does not answer: an operator waits for no reconnect."""
    bus = Bus(settings, "huanying-dlq")
    try:
        await asyncio.wait_for(bus.connect(), _CONNECT_SECONDS)
    except TimeoutError as error:
        raise Unavailable(f"The broker at {settings.nats_url} does not answer.") from error
    try:
        yield DeadLetterQueue(bus)
    finally:
        await bus.close()


class DeadLetterQueue:
    def __init__(self, bus: Bus) -> None:
        self._js = bus.js

    async def count(self) -> int:
        return int((await self._js.stream_info(STREAM)).state.messages)

    async def letters(self) -> AsyncIterator[DeadLetter]:
        """Oldest first."""
        number = 1
        while True:
            try:
                message = await self._js.get_msg(STREAM, seq=number, subject="dlq.>", next=True)
            except NotFoundError:
                return
            letter = _letter(message)
            yield letter
            number = letter.number + 1

    async def letter(self, number: int) -> DeadLetter:
        try:
            return _letter(await self._js.get_msg(STREAM, seq=number))
        except NotFoundError as error:
            raise NotFound(f"There is no message {number} in the dead-letter queue.") from error

    async def replay(self, letter: DeadLetter) -> None:
        """Publish the event again where it came from, then take it out of the queue.

        Consumers that had worked on it know its event id and do nothing; the one that failed tries again. An
        interruption between the two steps replays it twice, which is harmless for the same reason.
        """
        await self._js.publish(
            letter.subject, letter.payload, headers={"Nats-Msg-Id": f"replay-{STREAM}-{letter.number}"}
        )
        await self._js.delete_msg(STREAM, letter.number)


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    # dlq.<stream>.<consumer>
    _, stream, consumer = str(message.subject).split(".", 2)
    return DeadLetter(
        number=int(message.seq or 0),
        consumer=consumer,
        stream=stream,
        subject=headers.get("Huanying-Subject", ""),
        sequence=int(headers.get("Huanying-Sequence", 0)),
        error=headers.get("Huanying-Error", ""),
        at=message.time,
        payload=message.data or b"",
    )
