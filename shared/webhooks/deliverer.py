"""The background deliverer: claims due deliveries, attempts them at the same time, writes down what came."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select

from shared.audit import audit
from shared.auth import Principal
from shared.batches import Published, consume_batches
from shared.db import fetch
from shared.service import Runtime
from shared.topology import DURABLES, ensure_durable, webhooks_of
from shared.webhooks.attempts import TIMEOUT_SECONDS, Claim, Outcome, attempt
from shared.webhooks.destinations import open_pool
from shared.webhooks.fanout import CLOCK_LEEWAY, fan_out
from shared.webhooks.models import WebhookEndpoint
from shared.webhooks.schedule import JITTER
from shared.webhooks.secrets import SecretBox, SecretLostError, secret_box

logger = structlog.get_logger()

_CONCURRENCY = 64
_LEASE_SECONDS = 4 * TIMEOUT_SECONDS
_IDLE_SECONDS = 1.0
_PURGE_SECONDS = 600.0
_PURGE_ROWS = 2_000
_LAST_WORDS_SECONDS = 5.0
_SYSTEM = Principal(id="system:webhooks", roles=frozenset(), org="hq")

# The endpoint's row is locked while its deliveries are claimed, so that two replicas together keep its limit.
_READY = """
SELECT w.id FROM webhook_endpoint w
WHERE w.state = 'enabled' AND EXISTS (
  SELECT 1 FROM webhook_delivery d
  WHERE d.endpoint_id = w.id AND d.state = 'pending' AND d.next_attempt_at <= clock_timestamp()
)
FOR NO KEY UPDATE OF w SKIP LOCKED
"""

# A statement of its own, begun under the lock: it sees what the replica before us claimed.
_CLAIM = """
WITH ready AS (
  SELECT w.id, w.max_in_flight - (
      SELECT count(*) FROM webhook_delivery d
      WHERE d.endpoint_id = w.id AND d.leased_until IS NOT NULL AND d.leased_until > clock_timestamp()
    ) AS room
  FROM webhook_endpoint w WHERE w.id = ANY(%(ready)b)
), due AS (
  SELECT d.endpoint_id, d.event_id FROM ready CROSS JOIN LATERAL (
    SELECT endpoint_id, event_id FROM webhook_delivery
    WHERE endpoint_id = ready.id AND state = 'pending' AND next_attempt_at <= clock_timestamp()
    ORDER BY next_attempt_at LIMIT greatest(ready.room, 0) FOR UPDATE SKIP LOCKED
  ) d LIMIT %(capacity)s
), claimed AS (
  UPDATE webhook_delivery d SET attempts = d.attempts + 1,
    leased_until = clock_timestamp() + make_interval(secs => %(lease)s),
    next_attempt_at = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM due WHERE d.endpoint_id = due.endpoint_id AND d.event_id = due.event_id
  RETURNING d.endpoint_id, d.event_id, d.attempts
)
SELECT c.endpoint_id, c.event_id, c.attempts, w.url, m.payload, w.secret,
  CASE WHEN w.previous_valid_until > clock_timestamp() THEN w.previous_secret END
FROM claimed c JOIN webhook_endpoint w ON w.id = c.endpoint_id
JOIN webhook_message m ON m.event_id = c.event_id
"""

# In one order everywhere: two replicas that write down answers of the same endpoints wait for each other.
_LOCK = """
SELECT 1 FROM webhook_endpoint WHERE id = ANY(%(endpoint)b) ORDER BY id FOR NO KEY UPDATE
"""

_RECORD = """
UPDATE webhook_delivery d SET leased_until = NULL, response_status = r.status, last_error = r.error,
  state = CASE WHEN r.error IS NULL THEN 'succeeded' WHEN r.wait IS NULL THEN 'failed' ELSE 'pending' END,
  delivered_at = CASE WHEN r.error IS NULL THEN clock_timestamp() END,
  next_attempt_at = clock_timestamp() + make_interval(secs => r.wait * (1 + random() * %(jitter)s))
FROM unnest(%(endpoint)b::uuid[], %(event)b::uuid[], %(attempt)b::int[], %(status)b::int[], %(error)b::text[],
    %(wait)b::float8[]) AS r(endpoint_id, event_id, attempt, status, error, wait)
-- A lease that ended while its answer was awaited is another attempt's now.
WHERE d.endpoint_id = r.endpoint_id AND d.event_id = r.event_id AND d.attempts = r.attempt
  AND d.state = 'pending'
"""

_HEALTH = """
UPDATE webhook_endpoint w SET
  failing_since = CASE WHEN h.worked THEN NULL ELSE coalesce(w.failing_since, clock_timestamp()) END,
  last_success_at = CASE WHEN h.worked THEN clock_timestamp() ELSE w.last_success_at END
FROM unnest(%(endpoint)b::uuid[], %(worked)b::bool[]) AS h(id, worked)
WHERE w.id = h.id
"""

# Failing: a delivery used up its attempts, and for as long as they took nothing else went through.
_DISABLE = """
UPDATE webhook_endpoint w SET state = 'disabled', disabled_at = clock_timestamp(), version = w.version + 1,
  disabled_reason = CASE WHEN h.gone THEN 'gone' ELSE 'failing' END
FROM unnest(%(endpoint)b::uuid[], %(gone)b::bool[]) AS h(id, gone)
WHERE w.id = h.id AND w.state = 'enabled'
  AND (h.gone OR w.failing_since < clock_timestamp() - interval '3 days')
RETURNING w.id, w.disabled_reason, w.org_path
"""

_PURGE = """
DELETE FROM webhook_message WHERE event_id IN (
  SELECT event_id FROM webhook_message WHERE occurred_at < clock_timestamp() - %(keep)s::interval
  ORDER BY occurred_at LIMIT %(rows)s
) RETURNING 1
"""


class Deliverer:
    """Everything one worker process does for webhooks; any number of them share the work."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._wake = asyncio.Event()

    async def follow(self) -> None:
        """Fan the service's events out as they come, until cancelled.

        The stream is read from the first endpoint on: where there is none, its events cost nothing.
        """
        name = webhooks_of(self._runtime.service.name)
        while (since := await self._first_endpoint()) is None:  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(_IDLE_SECONDS)
        await ensure_durable(self._runtime.bus.js, DURABLES[name], since=since - CLOCK_LEEWAY)
        await consume_batches(self._runtime.bus, name, self._take)

    async def _first_endpoint(self) -> datetime | None:
        async with self._runtime.db.transaction() as session:
            return await session.scalar(select(func.min(WebhookEndpoint.created_at)))

    async def _take(self, events: Sequence[Published]) -> None:
        if await fan_out(self._runtime, events):
            self._wake.set()

    async def deliver(self) -> None:
        """Attempt what is due until cancelled; a stop lets attempts under way end, within seconds."""
        box = secret_box(self._runtime)
        running: set[asyncio.Task[Outcome]] = set()
        async with open_pool(self._runtime.settings, _CONCURRENCY) as pool:
            try:
                while True:
                    self._wake.clear()
                    claims = await self._claim(box, _CONCURRENCY - len(running))
                    running |= {asyncio.create_task(attempt(pool, claim)) for claim in claims}
                    running = await self._settle(running)
            except asyncio.CancelledError:
                await asyncio.shield(self._last_words(running))
                raise
            finally:
                for task in running:
                    task.cancel()

    async def purge(self) -> None:
        """Forget events and deliveries that are older than the operator wants kept, until cancelled."""
        keep = timedelta(days=self._runtime.settings.webhook_keep_days)
        while True:
            async with self._runtime.db.transaction() as session:
                deleted = await fetch(session, _PURGE, {"keep": keep, "rows": _PURGE_ROWS})
            if len(deleted) < _PURGE_ROWS:
                await asyncio.sleep(_PURGE_SECONDS)

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What a worker runs for webhooks; nothing where no key is configured and so no endpoint can be."""
        if self._runtime.settings.webhook_key_file is None:
            return {}
        return {
            "webhooks follow": self.follow,
            "webhooks deliver": self.deliver,
            "webhooks purge": self.purge,
        }

    async def _claim(self, box: SecretBox, capacity: int) -> list[Claim]:
        if capacity <= 0:
            return []
        async with self._runtime.db.transaction() as session:
            ready = [row[0] for row in await fetch(session, _READY)]
            bounds = {"ready": ready, "capacity": capacity, "lease": _LEASE_SECONDS}
            rows = await fetch(session, _CLAIM, bounds) if ready else []
        return [_claim_of(box, *row) for row in rows]

    async def _settle(self, running: set[asyncio.Task[Outcome]]) -> set[asyncio.Task[Outcome]]:
        """Wait until there is something to do, write down what has ended, return what has not."""
        notice = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({notice, *running}, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            notice.cancel()
        ended = {task for task in running if task.done()}
        if ended:
            await self._record([task.result() for task in ended])
        return running - ended

    async def _last_words(self, running: set[asyncio.Task[Outcome]]) -> None:
        if running:
            ended, _ = await asyncio.wait(running, timeout=_LAST_WORDS_SECONDS)
            await self._record([task.result() for task in ended])

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        async with self._runtime.db.transaction(actor=_SYSTEM.id) as session:
            worked = {o.claim.endpoint_id: False for o in outcomes} | {
                o.claim.endpoint_id: True for o in outcomes if o.succeeded
            }
            await fetch(session, _LOCK, {"endpoint": list(worked)})
            await fetch(session, _RECORD, _columns(outcomes) | {"jitter": JITTER})
            await fetch(session, _HEALTH, {"endpoint": list(worked), "worked": list(worked.values())})
            hopeless = {o.claim.endpoint_id: o.gone for o in outcomes if o.gone or o.label == "exhausted"}
            columns = {"endpoint": list(hopeless), "gone": list(hopeless.values())}
            for endpoint_id, reason, org_path in await fetch(session, _DISABLE, columns) if hopeless else []:
                logger.warning("webhook_disabled", webhook=str(endpoint_id), reason=reason)
                detail = {"reason": reason}
                audit(session, _SYSTEM, "disable", f"webhook/{endpoint_id}", detail, org_path=org_path)


def _claim_of(
    box: SecretBox,
    endpoint_id: UUID,
    event_id: UUID,
    attempts: int,
    url: str,
    payload: bytes,
    *secrets: bytes | None,
) -> Claim:
    keys = []
    for sealed in secrets:
        try:
            keys += [box.open(endpoint_id, sealed)] if sealed is not None else []
        except SecretLostError:
            logger.exception("webhook_secret_lost", webhook=str(endpoint_id))
    return Claim(endpoint_id, event_id, url, attempts, payload, keys)


def _columns(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "endpoint": [outcome.claim.endpoint_id for outcome in outcomes],
        "event": [outcome.claim.event_id for outcome in outcomes],
        "attempt": [outcome.claim.attempt for outcome in outcomes],
        "status": [outcome.status for outcome in outcomes],
        "error": [outcome.error for outcome in outcomes],
        "wait": [outcome.wait for outcome in outcomes],
    }
