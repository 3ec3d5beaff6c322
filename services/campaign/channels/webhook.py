"""Messages as JSON to the provider's URL, signed as Standard Webhooks says."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import httpcore
import orjson
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from services.campaign.channels.connector import TEST_CAMPAIGN, OutboundMessage, Submission
from services.campaign.channels.details import fit_to_keep
from shared.contracts.campaign.channels import Reference, SubmissionOutcome, WebhookConnector
from shared.webhooks import signing
from shared.webhooks.destinations import RefusedDestinationError

logger = structlog.get_logger()

_SECONDS = 20.0
_CONNECT_SECONDS = 8.0
_MAX_ANSWER = 256 * 1024
_NOT_TAKEN = {408, 425, 429}
"""Of the client errors those that say: later. Whoever answers so has not begun."""


class _Said(BaseModel):
    """What a provider may tell of one message."""

    model_config = ConfigDict(coerce_numbers_to_str=True)
    outcome: Literal["accepted", "delivered", "refused"] = "accepted"
    reference: Reference | None = None
    detail: str | None = None


class _Unreadable(Exception):
    """The answer began and did not end, or is longer than any answer is."""


class Webhook:
    def __init__(
        self, config: WebhookConnector, keys: Sequence[bytes], pool: httpcore.AsyncConnectionPool
    ) -> None:
        self.batch = config.batch
        self._url = config.url
        self._keys = keys
        self._pool = pool

    async def submit(self, messages: Sequence[OutboundMessage]) -> Sequence[Submission]:
        """One request. What happened before its first byte was written was not taken; after it, who knows."""
        written = False

        async def trace(event: str, _info: Mapping[str, object]) -> None:
            nonlocal written
            written = written or event.endswith("send_request_headers.started")

        try:
            async with asyncio.timeout(_SECONDS):
                return await self._post(messages, trace)
        except (TimeoutError, httpcore.TimeoutException):
            detail = f"no answer within {_SECONDS:g} s" if written else "no connection in time"
        except RefusedDestinationError as error:
            detail = f"refused: {error}"
        except _Unreadable:
            detail = "the answer broke off"
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            detail = str(error) or type(error).__name__
        except Exception as error:
            # What a stranger's server does must not end the sending of everything else.
            logger.exception("channel_request_failed", channel=messages[0].channel)
            detail = type(error).__name__
        recipients = [each.recipient for each in messages]
        lost = Submission("unknown" if written else "failed", None, fit_to_keep(detail, recipients))
        return [lost] * len(messages)

    async def _post(self, messages: Sequence[OutboundMessage], trace: object) -> Sequence[Submission]:
        body = self._body(messages)
        key = str(self._request_id(messages))
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": "Huanying-Channels/1",
            "idempotency-key": key,
            **signing.headers(self._keys, key, int(time.time()), body),
        }
        timeout = {"connect": _CONNECT_SECONDS, "pool": _CONNECT_SECONDS}
        request = self._pool.stream(
            "POST",
            self._url,
            headers=list(headers.items()),
            content=body,
            extensions={"trace": trace, "timeout": timeout},
        )
        async with request as response:
            answer = await _read(response)
            if 200 <= response.status < 300:
                return self._taken(messages, answer)
            waits = _retry_after(response)
            told = answer.decode("utf-8", "replace")
        recipients = [each.recipient for each in messages]
        detail = fit_to_keep(f"answered {response.status} {told}", recipients)
        outcome = outcome_of(response.status, asked_to_wait=waits is not None)
        return [Submission(outcome, None, detail, waits if outcome == "failed" else None)] * len(messages)

    def _body(self, messages: Sequence[OutboundMessage]) -> bytes:
        said = [_message(each) for each in messages]
        return orjson.dumps(said[0] if self.batch == 1 else {"messages": said})

    def _request_id(self, messages: Sequence[OutboundMessage]) -> UUID:
        """The same for the same messages, so that a repetition is known for one."""
        if self.batch == 1:
            return messages[0].id
        return uuid5(NAMESPACE_URL, " ".join(sorted(str(each.id) for each in messages)))

    def _taken(self, messages: Sequence[OutboundMessage], answer: bytes) -> Sequence[Submission]:
        try:
            told = orjson.loads(answer)
        except orjson.JSONDecodeError:
            told = None
        if self.batch == 1:
            return [_said(messages[0], told)]
        results = told.get("results") if isinstance(told, dict) else None
        if not isinstance(results, list):
            return [Submission("accepted")] * len(messages)
        by_id = {str(each.get("id")): each for each in results if isinstance(each, dict)}
        left_out = Submission("unknown", None, "the answer does not name this message")
        return [_said(each, by_id[str(each.id)]) if str(each.id) in by_id else left_out for each in messages]


def outcome_of(status: int, *, asked_to_wait: bool) -> SubmissionOutcome:
    """Of an answer that is no success. A 503 may be a gateway's, behind which the request went on: only one
    that asks to come again is certain. A redirect is not followed, and the request is not taken.
    """
    if status in _NOT_TAKEN or (status == 503 and asked_to_wait) or 300 <= status < 400:
        return "failed"
    return "refused" if 400 <= status < 500 else "unknown"


def _message(message: OutboundMessage) -> dict[str, object]:
    test = message.campaign_id == TEST_CAMPAIGN
    return {
        "id": str(message.id),
        "campaign_id": None if test else str(message.campaign_id),
        "channel": message.channel,
        "kind": message.kind,
        "recipient": message.recipient,
        "subject": message.subject,
        "body": message.body,
        "language": message.language,
        "test": test,
    }


def _said(message: OutboundMessage, told: object) -> Submission:
    """2xx alone says that it was taken; what is written besides may say more, but must be understood."""
    if not isinstance(told, dict):
        return Submission("accepted")
    try:
        said = _Said.model_validate(told)
    except ValidationError:
        return Submission("unknown", None, "the answer says something this contract does not know")
    detail = fit_to_keep(said.detail, [message.recipient]) if said.detail else None
    return Submission(said.outcome, said.reference, detail)


async def _read(response: httpcore.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise _Unreadable
    return body


def _retry_after(response: httpcore.Response) -> float | None:
    """Seconds; both forms of the header are read, and what is neither counts as not sent."""
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            text = value.decode("latin-1").strip()
            if text.isascii() and text.isdigit():
                return float(text[:9])
            try:
                return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
            except (ValueError, OverflowError):
                return None
    return None
