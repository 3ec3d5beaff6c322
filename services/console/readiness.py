"""Health of this process, and readiness of everything behind it."""

import asyncio
from collections.abc import Mapping

import httpx
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.console.api import ServiceName

_PATIENCE_SECONDS = 3.0


def routes(clients: Mapping[ServiceName, httpx.AsyncClient]) -> list[Route]:
    async def readyz(_: Request) -> Response:
        states = await asyncio.gather(*(_state(client) for client in clients.values()))
        checks = dict(zip(clients, states, strict=True))
        ready = all(state == "ok" for state in states)
        return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)

    return [Route("/healthz", _healthz), Route("/readyz", readyz), Route("/metrics", _metrics)]


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _state(client: httpx.AsyncClient) -> str:
    try:
        answer = await client.get("/readyz", timeout=_PATIENCE_SECONDS)
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return "ok" if answer.status_code == 200 else answer.text[:500]
