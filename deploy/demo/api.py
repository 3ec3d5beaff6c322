"""The public APIs as any front end or partner calls them: by HTTP at the gateway, with a token or a key.

A service that is down for a while is waited for. Every call may be sent again: reads and PUTs by nature,
POSTs because they carry an Idempotency-Key.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx
import orjson
from pydantic import BaseModel

from deploy.demo.errors import DemoError, RefusedError
from deploy.embedded.keyring import Keyring
from deploy.embedded.tokens import demo_token
from shared.auth import Role

T = TypeVar("T", bound=BaseModel)
Json = dict[str, Any]

PATIENCE_SECONDS = 240.0
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_WAIT_FIRST, _WAIT_LONGEST = 0.1, 3.0


@dataclass(frozen=True)
class Raw:
    """A body that is not JSON of ours."""

    content: bytes
    media_type: str


Body = Mapping[str, Any] | Sequence[Any] | BaseModel | Raw


class Api:
    """The gateway at `base_url`; `keyring` signs the callers in."""

    def __init__(self, base_url: str, keyring: Keyring) -> None:
        self.keyring = keyring
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=2.0)
        self.client = httpx.AsyncClient(
            base_url=f"{base_url}/api/", timeout=httpx.Timeout(120, connect=5), limits=limits, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def is_ready(self, service: str) -> bool:
        """What the service says of itself at this moment; not asked twice."""
        try:
            answer = await self.client.get(f"{service}/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def user(self, name: str) -> "Caller":
        """One of the demo users of head office."""
        return Caller(self, {"Authorization": f"Bearer {demo_token(self.keyring, name)}"})

    def staff(self, code: str, role: Role, org: str) -> "Caller":
        token = self.keyring.issuer.token(code, roles=[role], org=org, staff=code)
        return Caller(self, {"Authorization": f"Bearer {token}"})

    def source(self, name: str) -> "Caller":
        """The source system of that name, by its API key."""
        key = self.keyring.ensure_key(name, roles=[Role.integrator], source=name)
        return Caller(self, {"X-API-Key": key})


@dataclass(frozen=True)
class Caller:
    """Somebody signed in. Paths are `<service>/v1/…`; answers of an error status raise RefusedError."""

    api: Api
    credentials: Mapping[str, str]

    async def get(self, path: str, **params: str | int | None) -> Json:
        return _json(await self._send("GET", path, params=params))

    async def read(self, path: str, model: type[T], **params: str | int | None) -> T:
        answer = await self._send("GET", path, params=params)
        return model.model_validate_json(answer.content)

    async def pages(self, path: str, **params: str | int | None) -> AsyncIterator[Json]:
        """Every item of a paged collection."""
        cursor: str | None = None
        while True:
            page = await self.get(path, limit=1000, cursor=cursor, **params)
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def put(self, path: str, body: Body) -> bool:
        """Create the resource; False when it is there already."""
        try:
            await self._send("PUT", path, body)
        except RefusedError as refused:
            # 428: it exists, and changing it would need its ETag.
            if refused.status == 428:
                return False
            raise
        return True

    async def post(
        self, path: str, body: Body | None = None, *, key: str | None = None, **params: str
    ) -> Json:
        headers = {"Idempotency-Key": key} if key else {}
        return _json(await self._send("POST", path, body, params=params, headers=headers))

    async def _send(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        params: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        sent = {**self.credentials, **(headers or {})}
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, _WAIT_FIRST
        while True:
            last = await self._once(method, path, body, given, sent)
            if isinstance(last, httpx.Response) and not _worth_repeating(last):
                return _accepted(method, path, last)
            if time.monotonic() > deadline:
                raise DemoError(f"{method} {path} got no answer for {PATIENCE_SECONDS:.0f} s: {_words(last)}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _WAIT_LONGEST)

    async def _once(
        self,
        method: str,
        path: str,
        body: Body | None,
        params: Mapping[str, str | int],
        headers: Mapping[str, str],
    ) -> httpx.Response | httpx.TransportError:
        content, media_type = _encoded(body)
        typed = {**headers, "Content-Type": media_type} if content is not None else headers
        try:
            return await self.api.client.request(method, path, params=params, headers=typed, content=content)
        except httpx.TransportError as error:
            return error


def _encoded(body: Body | None) -> tuple[bytes | None, str]:
    if body is None:
        return None, ""
    if isinstance(body, Raw):
        return body.content, body.media_type
    if isinstance(body, BaseModel):
        return body.model_dump_json(exclude_none=True).encode(), "application/json"
    return orjson.dumps(body), "application/json"


def _worth_repeating(answer: httpx.Response) -> bool:
    return answer.status_code in _TRY_AGAIN or (
        answer.status_code == 409 and "idempotency-in-flight" in answer.text
    )


def _accepted(method: str, path: str, answer: httpx.Response) -> httpx.Response:
    if answer.status_code < 400:
        return answer
    problem = _problem(answer)
    detail = problem.get("detail") or problem.get("title") or answer.text[:300]
    pointers = "; ".join(f"{e['pointer']} {e['detail']}" for e in problem.get("errors") or [])
    slug = str(problem.get("type", "")).rsplit("/", 1)[-1]
    raise RefusedError(method, path, answer.status_code, f"{detail} {pointers}".strip(), slug)


def _problem(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(last: httpx.Response | httpx.TransportError) -> str:
    if isinstance(last, httpx.Response):
        return f"{last.status_code} {last.text[:200]}"
    return f"{type(last).__name__} {last}"


def _json(answer: httpx.Response) -> Json:
    return orjson.loads(answer.content) if answer.content else {}
