"""Streaming reverse proxy: `/api/<service>/<path>` to that service's own `/<path>`.

Bodies pass in both directions without being held: uploads of any size, server-sent events, Arrow streams.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter

import httpx
import orjson
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RawHeaders = list[tuple[bytes, bytes]]

PREFIX = "/api"
RETRY_AFTER_SECONDS = 2
# RFC 9110 §7.6.1, and what is this process's own business: its session cookie and its Host.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_FORWARDED = _HOP_BY_HOP | {b"host", b"cookie", b"expect", b"x-forwarded-host", b"x-forwarded-prefix"}
# The server this runs in writes its own.
_NOT_RETURNED = _HOP_BY_HOP | {b"date", b"server"}
_REPLACED = {b"x-forwarded-for", b"x-forwarded-proto"}
_REPEATABLE = frozenset({"GET", "HEAD"})

REQUESTS = Counter("huanying_gateway_requests_total", "Requests passed on", ["service", "status"])
SECONDS = Histogram("huanying_gateway_seconds", "Time until the service's response headers", ["service"])


class Gateway:
    """ASGI application mounted under `/api`."""

    def __init__(self, upstreams: Mapping[str, str], client: httpx.AsyncClient) -> None:
        self._upstreams = {name: httpx.URL(url) for name, url in upstreams.items()}
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        service, path = _split(scope)
        base = self._upstreams.get(service)
        if base is None:
            await _problem(404, "not-found", f"there is no service '{service}'")(scope, receive, send)
            return
        upstream_request = _upstream_request(request, base, service, path)
        started = perf_counter()
        answer = await self._answer(upstream_request, service)
        SECONDS.labels(service).observe(perf_counter() - started)
        if answer is None:
            return
        if isinstance(answer, Response):
            REQUESTS.labels(service, answer.status_code).inc()
            await answer(scope, receive, send)
            return
        REQUESTS.labels(service, answer.status_code).inc()
        await _relay(answer, service, receive, send)

    async def _answer(self, request: httpx.Request, service: str) -> httpx.Response | Response | None:
        """The service's response with its body still to come, a problem, or None when the caller has gone."""
        try:
            return await self._send(request)
        except ClientDisconnect:
            return None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return _problem(503, "unavailable", f"the {service} service does not answer; try again shortly")
        except httpx.PoolTimeout:
            return _problem(503, "unavailable", f"too many requests to the {service} service are under way")
        except httpx.TimeoutException:
            return _problem(504, "gateway-timeout", f"the {service} service took too long to answer")
        except httpx.TransportError:
            return _problem(502, "bad-gateway", f"the {service} service broke off before it answered")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(request, stream=True)
        except httpx.RemoteProtocolError:
            # A kept connection that the service closed while it lay idle; only reads may be sent twice.
            if request.method not in _REPEATABLE or "content-length" in request.headers:
                raise
            return await self._client.send(request, stream=True)


def gateway_client(*, read_timeout: float = 300.0) -> httpx.AsyncClient:
    """Pooled client that lets idle connections go before a uvicorn upstream (5 s) closes them."""
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=64, keepalive_expiry=2.0)
    timeout = httpx.Timeout(read_timeout, connect=3.0, pool=10.0)
    return httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False)


def _split(scope: Scope) -> tuple[str, bytes]:
    """Service name and the rest of the path as it was sent, percent-encoding kept."""
    raw: bytes = scope.get("raw_path") or str(scope["path"]).encode()
    service, _, rest = raw.split(b"?", 1)[0].removeprefix(PREFIX.encode() + b"/").partition(b"/")
    return service.decode("ascii", "replace"), b"/" + rest


def _upstream_request(request: Request, base: httpx.URL, service: str, path: bytes) -> httpx.Request:
    query: bytes = request.scope["query_string"]
    target = base.raw_path.rstrip(b"/") + path + (b"?" + query if query else b"")
    headers = _request_headers(request, service)
    headers.append((b"host", base.netloc))
    names = {name for name, _ in request.scope["headers"]}
    has_body = b"content-length" in names or b"transfer-encoding" in names
    return httpx.Request(
        request.method,
        base.copy_with(raw_path=target),
        headers=headers,
        content=_body(request) if has_body else None,
    )


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def _request_headers(request: Request, service: str) -> RawHeaders:
    headers = _end_to_end(request.scope["headers"], _NOT_FORWARDED | _REPLACED)
    peer = request.client.host if request.client else ""
    before = request.headers.get("x-forwarded-for")
    headers.append((b"x-forwarded-for", f"{before}, {peer}".encode() if before else peer.encode()))
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    headers.append((b"x-forwarded-proto", scheme.encode()))
    headers.append((b"x-forwarded-host", request.headers.get("host", "").encode()))
    headers.append((b"x-forwarded-prefix", f"{PREFIX}/{service}".encode()))
    return headers


def _end_to_end(headers: Iterable[tuple[bytes, bytes]], dropped: frozenset[bytes] | set[bytes]) -> RawHeaders:
    pairs = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower() for name, value in pairs if name == b"connection" for token in value.split(b",")
    }
    return [(name, value) for name, value in pairs if name not in dropped and name not in named]


def _response_headers(answer: httpx.Response, service: str) -> RawHeaders:
    headers = _end_to_end(answer.headers.raw, _NOT_RETURNED)
    return [(name, _behind(value, service) if name == b"location" else value) for name, value in headers]


def _behind(location: bytes, service: str) -> bytes:
    """A path of the service, as the caller has to ask for it here."""
    prefix = f"{PREFIX}/{service}".encode()
    if not location.startswith(b"/") or location.startswith((b"//", prefix + b"/")):
        return location
    return prefix + location


async def _relay(answer: httpx.Response, service: str, receive: Receive, send: Send) -> None:
    """Pass the body on; stop reading from the service as soon as the caller hangs up."""
    body = asyncio.create_task(_send_body(answer, service, send))
    gone = asyncio.create_task(_until_disconnect(receive))
    try:
        await asyncio.wait({body, gone}, return_when=asyncio.FIRST_COMPLETED)
        if body.done():
            # A break in the middle must reach the caller as a broken response, not as a short one.
            body.result()
    finally:
        for task in (body, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        await answer.aclose()


async def _send_body(answer: httpx.Response, service: str, send: Send) -> None:
    headers = _response_headers(answer, service)
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    async for chunk in answer.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _problem(status: int, slug: str, detail: str) -> Response:
    document = {
        "type": f"/problems/{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status >= 500 else {}
    return Response(orjson.dumps(document), status, headers, media_type="application/problem+json")
