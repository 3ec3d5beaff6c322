"""Around every request: its id, its log line, its metric."""

import re
import time
from typing import cast

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLarge
from shared.ids import new_id
from shared.problems import respond
from shared.telemetry import REQUESTS

logger = structlog.get_logger()

_QUIET = {"/healthz", "/readyz", "/metrics"}
_MAX_ID = 100
_PREFIX = re.compile(r"(/[a-z0-9_-]+){1,4}")


class ForwardedPrefix:
    """Behind a gateway that strips a prefix: links in documentation pages must carry it again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix = Headers(scope=scope).get("x-forwarded-prefix", "")
            if _PREFIX.fullmatch(prefix):
                scope["root_path"] = prefix
                scope["path"] = prefix + scope["path"]
                scope["raw_path"] = prefix.encode() + scope.get("raw_path", b"")
        await self.app(scope, receive, send)


class TooLargeAsProblem:
    """The body limit answers in plain text before any exception handler sees it; say it as a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                replaced = message["status"] == 413 and kind.startswith("text/plain")
                if replaced:
                    error = TooLarge("The body is larger than this operation takes.")
                    await respond(error, Request(scope))(scope, receive, send)
            if not replaced:
                await send(message)

        await self.app(scope, receive, send_problem)


class RequestContext:
    """Gives each request an id (the caller's X-Request-Id if sane), binds it to the logs, measures."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _sane(Headers(scope=scope).get("x-request-id")) or str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The template, not the path: ids would make a metric each.
        route = cast("str", getattr(scope.get("route"), "path", "unmatched"))
        REQUESTS.labels(self.service, scope["method"], route, str(status)).observe(seconds)
        if route not in _QUIET:
            principal = scope["state"].get("principal")
            logger.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                principal=getattr(principal, "id", None),
            )


def _sane(value: str | None) -> str | None:
    return value if value and len(value) <= _MAX_ID and value.isascii() and value.isprintable() else None
