"""The sandbox tells what became of the messages it was given, as a provider does."""

from collections import defaultdict

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.message_outcomes import take_receipts
from shared import clock
from shared.contracts.campaign.channels import Receipt
from shared.db import fetch

_BATCH = 1_000

_ANY_DUE = "SELECT 1 FROM sandbox_message WHERE receipt_at <= %(now)s LIMIT 1"

_TELL = """
UPDATE sandbox_message s SET receipt_at = NULL FROM (
  SELECT id, receipt_at FROM sandbox_message WHERE receipt_at <= %(now)s
  ORDER BY receipt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due WHERE s.id = due.id RETURNING s.id, s.channel, s.receipt, due.receipt_at
"""


async def tell_sandbox_receipts(session: AsyncSession) -> int:
    """Those that are due, a batch of them; how many."""
    now = clock.now()
    if not await fetch(session, _ANY_DUE, {"now": now}):
        return 0
    await hold_off_erasures(session)
    receipts = defaultdict(list)
    for message_id, channel, state, at in await fetch(session, _TELL, {"now": now, "limit": _BATCH}):
        receipts[channel].append(
            Receipt(id=message_id, reference=f"sandbox-{message_id}", state=state, at=at)
        )
    for channel, told in sorted(receipts.items()):
        await take_receipts(session, channel, told)
    return sum(len(told) for told in receipts.values())
