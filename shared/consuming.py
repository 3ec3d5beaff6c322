"""Durables to handlers: an event's inbox row, effects and outbox rows are one transaction.

A handler may take many events at a time (`InBatches`): then one transaction is of all that waited. What a
batch leaves behind is what one by one would have left, and whatever goes wrong with it is done over one by
one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import groupby

import orjson
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from opentelemetry import context, propagate, trace

from shared.bus import RETRY_SECONDS, Bus, Delivery, PoisonError, decode, to_its_end, within_bytes
from shared.contracts.events import EventData
from shared.db import fetch
from shared.problems import is_passing, took_too_long
from shared.service import AnyHandler, InBatches, Runtime
from shared.telemetry import DELIVERIES
from shared.topology import DURABLES, MAX_ATTEMPTS, Durable

logger = structlog.get_logger()
tracer = trace.get_tracer("huanying.bus")

_PAUSE_SECONDS = 1.0
_ALONE = 32
_TOGETHER = 100
_TOGETHER_BYTES = 4 * 1024**2
"""What is worked on together is done well before its messages would be delivered again."""

# In one order everywhere: two replicas that are told the same then wait for each other, and not in a ring.
_TAKE_IN = """
INSERT INTO inbox (durable, event_id)
SELECT DISTINCT %(durable)s, told.id FROM unnest(%(ids)b::text[]) AS told(id) ORDER BY told.id
ON CONFLICT DO NOTHING RETURNING event_id
"""

Handle = Callable[[Sequence[Delivery]], Awaitable[None]]


def consumer(runtime: Runtime, durable: str) -> Callable[[], Awaitable[None]]:
    """Endless: hands what waits in `durable` to the service's handlers."""
    handlers = runtime.service.handlers[durable]
    together = any(isinstance(handler, InBatches) for handler in handlers.values())

    async def handle(deliveries: Sequence[Delivery]) -> None:
        await apply_once(runtime, durable, deliveries, handlers)

    return lambda: consume(runtime.bus, durable, handle, together=together)


async def consume(bus: Bus, name: str, handle: Handle, *, together: bool = False) -> None:
    """Hand every message of the durable to `handle`, in order, until cancelled; with `together` many at a
    time.

    `handle` must have committed all it was given when it returns, and nothing when it fails. Failure of one
    naks it with growing delay and, after `MAX_ATTEMPTS`, moves it with its error to the dead-letter queue.
    Failure of several hands each over alone, so that only the one at fault is tried again. What was
    delivered before is alone from the first: it may be what its worker died of. While the database is away,
    full or busy the message waits, and the others behind it: that is nobody's fault, and counts no attempt.
    """
    durable = DURABLES[name]
    async for fetched in bus.pull_durable(name, _TOGETHER if together else _ALONE):
        for messages in within_bytes(fetched, _TOGETHER_BYTES):
            if together and await to_its_end(_work_on_all(messages, durable, handle)):
                continue
            for message in messages:
                # Nothing tells that a database is back.
                while not await to_its_end(_work(bus, message, durable, handle)):  # noqa: ASYNC110
                    await asyncio.sleep(_PAUSE_SECONDS)


async def _work_on_all(messages: Sequence[Msg], durable: Durable, handle: Handle) -> bool:
    """Whether all is done; otherwise nothing is."""
    if len(messages) == 1 or any((message.metadata.num_delivered or 1) > 1 for message in messages):
        return False
    try:
        with _span(durable.name, messages):
            await handle([decode(message) for message in messages])
    except Exception as error:  # noqa: BLE001 - whichever is at fault fails alone again, and says so
        logger.warning("batch_failed", durable=durable.name, count=len(messages), error=str(error))
        return False
    for message in messages:
        with contextlib.suppress(NatsError):  # it comes again, and is found in the inbox
            await message.ack()
    DELIVERIES.labels(durable.name, "done").inc(len(messages))
    return True


async def _work(bus: Bus, message: Msg, durable: Durable, handle: Handle) -> bool:
    """Whether it is settled; otherwise it is to be handled again as it is."""
    attempt = message.metadata.num_delivered or 1
    try:
        if attempt > MAX_ATTEMPTS:
            raise PoisonError(f"gave up after {MAX_ATTEMPTS} attempts")  # noqa: TRY301 - one exit for poison
        with _span(durable.name, [message]):
            await handle([decode(message)])
        await message.ack_sync(timeout=10)
        DELIVERIES.labels(durable.name, "done").inc()
    except PoisonError as error:
        await bus.bury(message, durable.stream, durable.name, error)
    except NatsError as error:
        logger.warning("ack_failed", durable=durable.name, error=str(error))
    except Exception as error:
        if is_passing(error) and not took_too_long(error):
            logger.warning("work_waits", durable=durable.name, error=str(error))
            with contextlib.suppress(NatsError):  # it would come again, and be found in the inbox
                await message.in_progress()
            return False
        logger.exception("handler_failed", durable=durable.name, attempt=attempt)
        if attempt >= MAX_ATTEMPTS:
            await bus.bury(message, durable.stream, durable.name, error)
        else:
            DELIVERIES.labels(durable.name, "retried").inc()
            await message.nak(delay=RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1])
    return True


async def apply_once(
    runtime: Runtime,
    durable: str,
    deliveries: Sequence[Delivery],
    handlers: Mapping[type[EventData], AnyHandler],
) -> None:
    """Inbox rows, effects and outbox rows in one transaction; a second delivery changes nothing."""
    for delivery in deliveries:
        if type(delivery.data) not in handlers:
            raise PoisonError(f"{durable} has no handler for {delivery.type}")
    told: dict[str, EventData] = {}
    for delivery in deliveries:
        told.setdefault(delivery.event_id, delivery.data)
    async with runtime.db.transaction() as session:
        rows = await fetch(session, _TAKE_IN, {"durable": durable, "ids": list(told)})
        fresh = {event_id for (event_id,) in rows}
        events = [event for event_id, event in told.items() if event_id in fresh]
        # Neighbours of one type: the order of the stream is kept.
        for kind, same in groupby(events, type):
            handler = handlers[kind]
            if isinstance(handler, InBatches):
                await handler.handle(session, list(same), runtime)
            else:
                for event in same:
                    await handler(session, event, runtime)


@contextlib.contextmanager
def _span(durable: str, messages: Sequence[Msg]) -> Iterator[None]:
    """Part of the trace of one message; linked with the traces of several."""
    parents = [_parent(message) for message in messages]
    name, kind = f"consume {durable}", trace.SpanKind.CONSUMER
    if len(parents) == 1:
        span = tracer.start_as_current_span(name, context=parents[0], kind=kind)
    else:
        links = [trace.Link(trace.get_current_span(parent).get_span_context()) for parent in parents]
        span = tracer.start_as_current_span(name, kind=kind, links=links)
    with span:
        yield


def _parent(message: Msg) -> context.Context:
    try:
        return propagate.extract({"traceparent": str(orjson.loads(message.data).get("traceparent") or "")})
    except (orjson.JSONDecodeError, AttributeError):
        return context.get_current()
