"""Sending: claim, ask for addresses, submit, write down what the provider said.

A message is marked `submitting` in a transaction of its own before the first byte leaves, and what was so
marked is never sent again, whatever happens to the sender: the provider's answer settles it, or a receipt, or
it becomes `unknown`. As many are marked at once as are submitted at once.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.channels import Connector, OutboundMessage, Submission, connector_for
from services.campaign.models import Channel
from services.campaign.queries.message_texts import Wording, addresses_of, wording_of
from services.campaign.queries.moment import Refusal
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.claiming import Claim, claim, give_back, refuse
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.message_outcomes import end_leases, record_answers
from shared import clock
from shared.bus import to_its_end
from shared.contracts.campaign import SuppressionReason
from shared.contracts.customer.addresses import CustomerAddress, NoAddress
from shared.db import fetch
from shared.errors import Unavailable, Unprocessable
from shared.service import Runtime

logger = structlog.get_logger()

_WAIT = timedelta(seconds=30)
"""Until the customer file is asked again when it did not answer."""
_RETRY_SECONDS = 0.5
_AFTER_FAILURE_SECONDS = 2.0
_AT_ONCE = 8
"""Requests to one provider under way."""
_REASONS: dict[NoAddress, SuppressionReason] = {
    "unknown": "inactive",
    "inactive": "inactive",
    "consent": "consent",
    "no_address": "no_address",
}

_WAITING = """
SELECT n.key FROM channel n WHERE n.state = 'enabled' AND EXISTS (
  SELECT FROM campaign k WHERE k.status IN ('running', 'draining') AND EXISTS (
    SELECT FROM message m
    WHERE m.channel = n.key AND m.campaign_id = k.id AND m.state = 'planned' AND m.due_at <= %(now)s))
ORDER BY n.key
"""
# A campaign that was paused meanwhile sends nothing more, nor does a channel that was disabled; the lock on
# the campaign's row makes pausing wait for this. Before the messages, as whoever ends a campaign takes it.
_RUNNING = """
SELECT FROM campaign WHERE id = ANY(%(campaigns)b::uuid[]) ORDER BY id FOR SHARE
"""
_SUBMIT = """
UPDATE message m SET state = 'submitting', attempts = m.attempts + 1, submitted_at = %(now)s,
  lease_until = %(lease)s
FROM (
  SELECT m.id FROM message m JOIN unnest(%(ids)b::uuid[], %(fences)b::int[]) AS t(id, fence) USING (id, fence)
  JOIN campaign k ON k.id = m.campaign_id JOIN channel n ON n.key = m.channel
  WHERE m.state = 'claimed' AND k.status IN ('running', 'draining') AND n.state = 'enabled'
  ORDER BY m.id FOR UPDATE OF m
) AS mine WHERE m.id = mine.id RETURNING m.id
"""


@dataclass(frozen=True)
class _Prepared:
    claim: Claim
    message: OutboundMessage


async def send_always(runtime: Runtime, settings: CampaignSettings) -> None:
    """Endless. Channels send beside each other: a provider that does not answer, or a channel that cannot be
    used, holds up no other. At once again while there is something to send.
    """
    busy: dict[str, asyncio.Task[int]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            for channel in await _waiting(runtime):
                if channel not in busy:
                    busy[channel] = group.create_task(_send_or_say(runtime, settings, channel))
            sent = await _first_of(busy, settings.send_every_seconds)
            if not sent:
                await asyncio.sleep(settings.send_every_seconds)


async def _first_of(busy: dict[str, asyncio.Task[int]], seconds: float) -> bool:
    """Waits for a channel to end its round, and takes out whoever has. Whether to look again at once."""
    if not busy:
        return False
    done, _ = await asyncio.wait(busy.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for channel in [key for key, task in busy.items() if task in done]:
        del busy[channel]
    return not done or any(task.result() for task in done)


async def _send_or_say(runtime: Runtime, settings: CampaignSettings, channel: str) -> int:
    try:
        return await _send(runtime, settings, channel)
    except Exception:
        logger.exception("channel_failed", channel=channel)
        await asyncio.sleep(_AFTER_FAILURE_SECONDS)
        return 0


async def send_due(runtime: Runtime, settings: CampaignSettings) -> int:
    """One round over all channels; how many messages were submitted."""
    sent = 0
    for channel in await _waiting(runtime):
        sent += await _send(runtime, settings, channel)
    return sent


async def _waiting(runtime: Runtime) -> list[str]:
    """Channels that have something to send."""
    async with runtime.db.transaction() as session:
        await end_leases(session)
        return [row[0] for row in await fetch(session, _WAITING, {"now": clock.now()})]


async def _send(runtime: Runtime, settings: CampaignSettings, channel_key: str) -> int:
    async with runtime.db.transaction() as session:
        claims = await claim(session, settings, channel_key)
        channel = await session.get_one(Channel, channel_key)
        wordings = {
            key: await wording_of(session, *key)
            for key in {(each.campaign_id, each.arm, each.step) for each in claims}
        }
    if not claims:
        return 0
    try:
        found = await addresses_of(runtime, channel.kind, [each.customer_id for each in claims])
    except Unavailable as problem:
        logger.warning("addresses_unavailable", channel=channel_key, detail=problem.detail)
        async with runtime.db.transaction() as session:
            await give_back(session, claims, wait=_WAIT)
        return 0
    prepared, refused = _prepare(settings, channel, claims, wordings, found)
    if refused:
        async with runtime.db.transaction() as session:
            await hold_off_erasures(session)
            await refuse(session, channel_key, refused)
    connector = connector_for(channel, runtime)
    sent = 0
    for part in _slices(prepared, connector.batch * _AT_ONCE):
        # A sender that is asked to stop waits for the answers to what it has submitted.
        sent += await to_its_end(_submit(runtime, settings, channel, connector, part))
    return sent


def _prepare(
    settings: CampaignSettings,
    channel: Channel,
    claims: Sequence[Claim],
    wordings: dict[tuple[UUID, str, str], Wording],
    found: dict[UUID, CustomerAddress],
) -> tuple[list[_Prepared], dict[UUID, Refusal]]:
    language = settings.message_language
    prepared, refused = [], {}
    for each in claims:
        to, wording = found[each.customer_id], wordings[each.campaign_id, each.arm, each.step]
        if to.address is None:
            refused[each.id] = Refusal(_REASONS[to.refused or "unknown"], {"told_by": "customer"})
            continue
        try:
            body = wording.body(language, to)
        except Unprocessable as problem:
            refused[each.id] = Refusal("no_text", {"detail": problem.detail})
            continue
        message = OutboundMessage(
            id=each.id,
            campaign_id=each.campaign_id,
            channel=channel.key,
            kind=channel.kind,
            recipient=to.address,
            subject=getattr(wording.subject, language),
            body=body,
            language=language,
        )
        prepared.append(_Prepared(each, message))
    return prepared, refused


async def _submit(
    runtime: Runtime,
    settings: CampaignSettings,
    channel: Channel,
    connector: Connector,
    part: Sequence[_Prepared],
) -> int:
    async with runtime.db.transaction() as session:
        begun = await _begin(session, settings, [each.claim for each in part])
    ours = [each for each in part if each.claim.id in begun]
    held_back = [each.claim for each in part if each.claim.id not in begun]
    if held_back:
        # Apart: messages are locked in the order of their ids.
        async with runtime.db.transaction() as session:
            await give_back(session, held_back, wait=timedelta(0))
    requests = _slices(ours, connector.batch)
    answers = await asyncio.gather(
        *(connector.submit([each.message for each in request]) for request in requests)
    )
    flat: list[Submission] = [answer for answered in answers for answer in answered]
    await _record(runtime, settings, channel, [each.claim for each in ours], flat)
    return len(ours)


async def _record(
    runtime: Runtime,
    settings: CampaignSettings,
    channel: Channel,
    claims: Sequence[Claim],
    answers: Sequence[Submission],
) -> None:
    """What the provider said must not be lost because the database is away for a while: as long as the lease
    lasts it is tried again, and even then the answer would be taken, if late.
    """
    deadline = time.monotonic() + settings.message_lease_seconds
    while True:
        try:
            async with runtime.db.transaction() as session:
                await record_answers(session, channel, claims, answers)
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("answers_not_recorded_yet", channel=channel.key, error=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


async def _begin(session: AsyncSession, settings: CampaignSettings, claims: Sequence[Claim]) -> set[UUID]:
    now = clock.now()
    columns = {"ids": [each.id for each in claims], "fences": [each.fence for each in claims]}
    await fetch(session, _RUNNING, {"campaigns": sorted({each.campaign_id for each in claims})})
    lease = now + timedelta(seconds=settings.message_lease_seconds)
    return {row[0] for row in await fetch(session, _SUBMIT, {**columns, "now": now, "lease": lease})}


def _slices(of: Sequence[_Prepared], size: int) -> list[Sequence[_Prepared]]:
    return [of[first : first + size] for first in range(0, len(of), size)]
