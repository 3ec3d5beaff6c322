"""Many messages as one: JetStream stores a batch whole, with one wait for the disk, or not at all.

Measured with 115 messages of 3 kB and `sync_interval: always`: a quarter of the time, and half of the
server's work, of publishing each alone.
"""

from collections.abc import Sequence

import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.ids import new_id

logger = structlog.get_logger()

_LEAST = 8  # fewer are not worth it
_MOST = 1000  # more the server does not take
_ACK_SECONDS = 15.0

Message = tuple[str, bytes, str]
"""Subject, payload, message id."""


def suits(messages: Sequence[Message]) -> bool:
    """Whether `messages` can be a batch: of one stream, and neither too few nor too many."""
    streams = {subject.partition(".")[0] for subject, _, _ in messages}
    return len(streams) == 1 and _LEAST <= len(messages) <= _MOST


async def publish_together(client: Client, messages: Sequence[Message]) -> bool:
    """Whether the broker acknowledged all of `messages` (of one stream) as stored, in this order.

    False says nothing about them: the batch was refused (one of them is there already, the stream is full
    or takes no batches), or the answer is lost. Publish each alone then; its id makes that harmless.
    """
    batch = new_id().hex
    try:
        for number, (subject, payload, message_id) in enumerate(messages[:-1], 1):
            await client.publish(subject, payload, headers=_headers(batch, number, message_id))
        subject, payload, message_id = messages[-1]
        last = {**_headers(batch, len(messages), message_id), "Nats-Batch-Commit": "1"}
        answer = await client.request(subject, payload, timeout=_ACK_SECONDS, headers=last)
        ack = orjson.loads(answer.data)
    except (NatsError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
        logger.warning("batch_unanswered", error=str(error))
        return False
    # A server that knows no batches stores each by itself and acknowledges only the last.
    return bool(ack.get("batch") == batch and ack.get("count") == len(messages))


def _headers(batch: str, number: int, message_id: str) -> dict[str, str]:
    return {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number), "Nats-Msg-Id": message_id}
