"""One attempt to deliver one event: an HTTP POST, and what it tells."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import httpcore
import structlog

from shared.telemetry import WEBHOOK_ATTEMPTS
from shared.webhooks import signing
from shared.webhooks.destinations import RefusedDestinationError
from shared.webhooks.schedule import wait_after

logger = structlog.get_logger()

TIMEOUT_SECONDS = 15.0
_BODY_SECONDS = 2.0
_MAX_RESPONSE_BYTES = 4_096
_MAX_ERROR = 500
_BUSY = {429, 503}
_GONE = 410


@dataclass(frozen=True)
class Claim:
    """A delivery this process may attempt until its lease ends."""

    endpoint_id: UUID
    event_id: UUID
    url: str
    attempt: int
    payload: bytes
    keys: Sequence[bytes]


@dataclass(frozen=True)
class Outcome:
    claim: Claim
    status: int | None
    error: str | None
    """Why it failed, in one line; None for success."""
    retry_after: float | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None

    @property
    def gone(self) -> bool:
        return self.status == _GONE

    @property
    def wait(self) -> float | None:
        """Seconds until the next attempt, if there is one."""
        if self.succeeded or self.gone:
            return None
        return wait_after(self.claim.attempt, self.retry_after)

    @property
    def label(self) -> str:
        if self.succeeded:
            return "succeeded"
        if self.gone:
            return "gone"
        return "failed" if self.wait is not None else "exhausted"


async def attempt(pool: httpcore.AsyncConnectionPool, claim: Claim) -> Outcome:
    """POST the event; any 2xx within the time is success. Never raises for what the endpoint does."""
    if not claim.keys:
        return Outcome(claim, None, "its secret cannot be opened with this installation's key: rotate it")
    began = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            outcome = await _post(pool, claim)
    except (TimeoutError, httpcore.TimeoutException):
        outcome = Outcome(claim, None, f"no answer within {TIMEOUT_SECONDS:g} s")
    except RefusedDestinationError as error:
        outcome = Outcome(claim, None, f"refused: {error}")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        outcome = Outcome(claim, None, _one_line(str(error) or type(error).__name__))
    except Exception as error:
        # One strange endpoint must not stop the deliveries to all others.
        logger.exception("webhook_attempt_failed", webhook=str(claim.endpoint_id))
        outcome = Outcome(claim, None, type(error).__name__)
    WEBHOOK_ATTEMPTS.labels(outcome.label).observe(time.perf_counter() - began)
    return outcome


async def _post(pool: httpcore.AsyncConnectionPool, claim: Claim) -> Outcome:
    headers = {
        "content-type": "application/cloudevents+json",
        "user-agent": "Huanying-Webhooks/1",
        "content-length": str(len(claim.payload)),
        **signing.headers(claim.keys, str(claim.event_id), int(time.time()), claim.payload),
    }
    async with pool.stream(
        "POST", claim.url, headers=list(headers.items()), content=claim.payload
    ) as response:
        body = await _read(response)
        if 200 <= response.status < 300:
            return Outcome(claim, response.status, None)
        error = _one_line(f"answered {response.status} {body.decode('utf-8', 'replace')}")
        return Outcome(claim, response.status, error, _retry_after(response))


async def _read(response: httpcore.Response) -> bytes:
    """The beginning of the body, as far as it comes soon: the status has said what matters."""
    body = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) >= _MAX_RESPONSE_BYTES:
                    break
    return body[:_MAX_RESPONSE_BYTES]


def _retry_after(response: httpcore.Response) -> float | None:
    """In seconds; the date form is not read."""
    if response.status not in _BUSY:
        return None
    for name, value in response.headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return float(value[:9])
    return None


def _one_line(text: str) -> str:
    """Printable and short: it comes from a stranger and goes into a database and a page."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_ERROR]
