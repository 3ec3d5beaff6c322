"""Consuming a durable batch by batch, for work that only looks at the envelope of an event."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus import RETRY_SECONDS, Bus, PoisonError
from shared.contracts.events import EVENTS
from shared.telemetry import DELIVERIES
from shared.topology import DURABLES

logger = structlog.get_logger()


@dataclass(frozen=True)
class Published:
    """One event as it stands on its stream: the CloudEvent, unread but for what names it."""

    event_id: UUID
    type: str
    time: datetime
    payload: bytes


BatchHandler = Callable[[Sequence[Published]], Awaitable[None]]


async def consume_batches(bus: Bus, name: str, handle: BatchHandler) -> None:
    """Hand what waits in the durable `name` to `handle`, in batches as they come, until cancelled.

    For work that no event can fail, only the database: a failure waits and tries the same batch again. A
    batch is acknowledged once `handle` has committed, without waiting for the broker; so `handle` must
    stand to see events again.
    """
    async for messages in bus.pull_durable(name):
        events = await _readable(bus, name, messages)
        if events:
            await _until_done(name, handle, [event for _, event in events])
        for message, _ in events:
            with contextlib.suppress(NatsError):  # it comes again, and changes nothing
                await message.ack()
        DELIVERIES.labels(name, "done").inc(len(events))


async def _readable(bus: Bus, name: str, messages: Sequence[Msg]) -> list[tuple[Msg, Published]]:
    events = []
    for message in messages:
        try:
            events.append((message, _published(message.data)))
        except PoisonError as error:
            await bus.bury(message, DURABLES[name].stream, name, error)
    return events


def _published(payload: bytes) -> Published:
    try:
        envelope = orjson.loads(payload)
        time = datetime.fromisoformat(envelope["time"])
        return Published(UUID(envelope["id"]), EVENTS[envelope["type"]].type_name(), time, payload)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PoisonError(f"not an event of the catalogue: {error}") from error


async def _until_done(name: str, handle: BatchHandler, batch: Sequence[Published]) -> None:
    for failures in itertools.count():
        try:
            await handle(batch)
        except Exception:
            logger.exception("handler_failed", durable=name, attempt=failures + 1)
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
        else:
            return
