"""A provider that sends nothing to anybody: for demonstrations and trials."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.campaign.channels.connector import OutboundMessage, Submission
from shared import clock
from shared.contracts.campaign.channels import MAX_BATCH, ReceiptState, SandboxConnector
from shared.db import Database, fetch

# A repetition is counted and changes nothing.
_TAKE = """
INSERT INTO sandbox_message AS s (id, channel, language, length, taken_at, receipt, receipt_at)
SELECT m.id, m.channel, m.language, m.length, %(now)s, m.receipt,
  CASE WHEN m.receipt IS NOT NULL THEN %(now)s + %(wait)s::interval END
FROM unnest(%(id)b::uuid[], %(channel)b::text[], %(language)b::text[], %(length)b::int[], %(receipt)b::text[])
  AS m(id, channel, language, length, receipt)
ON CONFLICT (id) DO UPDATE SET submissions = s.submissions + 1
"""


class Sandbox:
    batch = MAX_BATCH

    def __init__(self, config: SandboxConnector, db: Database) -> None:
        self._config = config
        self._db = db

    async def submit(self, messages: Sequence[OutboundMessage]) -> Sequence[Submission]:
        columns = {
            "id": [each.id for each in messages],
            "channel": [each.channel for each in messages],
            "language": [each.language for each in messages],
            "length": [len(each.body) for each in messages],
            "receipt": [self._fate(each.id) for each in messages],
        }
        times = {"now": clock.now(), "wait": timedelta(seconds=self._config.receipt_seconds)}
        async with self._db.transaction() as session:
            await fetch(session, _TAKE, columns | times)
        return [Submission("accepted", f"sandbox-{each.id}") for each in messages]

    def _fate(self, message_id: UUID) -> ReceiptState | None:
        """Of the id alone, so that a repetition meets the same."""
        place = _fraction(message_id)
        if place < self._config.delivered:
            return "delivered"
        return "failed" if place < self._config.delivered + self._config.failed else None


def _fraction(message_id: UUID) -> float:
    """In [0, 1), evenly, whatever the id was derived from."""
    scrambled = message_id.int * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128
    return (scrambled >> 75) / 2**53
