"""The gateway between a real client and a real upstream server on loopback."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from services.console.gateway import Gateway, gateway_client

MEGABYTE = 1 << 20
hung_up = asyncio.Event()


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse(
        {
            "method": request.method,
            "target": request.scope["raw_path"].decode() + "?" + request.scope["query_string"].decode(),
            "headers": dict(request.headers),
            "body": body.decode(),
        },
        status_code=201,
        headers={"Location": "/v1/jobs/7", "ETag": '"3"', "Connection": "close, X-Hop", "X-Hop": "1"},
    )


async def digest(request: Request) -> Response:
    seen, size, largest = hashlib.sha256(), 0, 0
    async for chunk in request.stream():
        seen.update(chunk)
        size += len(chunk)
        largest = max(largest, len(chunk))
    return JSONResponse({"sha256": seen.hexdigest(), "size": size, "largest": largest})


async def ticks(_: Request) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        try:
            for number in range(1000):
                yield f"data: {number}\n\n".encode()
                await asyncio.sleep(0.05)
        finally:
            hung_up.set()

    return StreamingResponse(stream(), media_type="text/event-stream")


async def big(_: Request) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * MEGABYTE

    return StreamingResponse(stream(), media_type="application/vnd.apache.arrow.stream")


async def problem(_: Request) -> Response:
    body = b'{"type":"/problems/conflict","title":"no","status":409,"detail":"because"}'
    return Response(body, 409, media_type="application/problem+json")


async def breaks(_: Request) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionAbortedError

    return StreamingResponse(stream(), headers={"Content-Length": "8"})


UPSTREAM = Starlette(
    routes=[
        Route("/v1/echo/{rest:path}", echo, methods=["GET", "POST", "PATCH", "DELETE"]),
        Route("/v1/digest", digest, methods=["POST"]),
        Route("/v1/ticks", ticks),
        Route("/v1/big", big),
        Route("/v1/problem", problem),
        Route("/v1/breaks", breaks),
    ]
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    port = free_port()
    config = uvicorn.Config(
        app, port=port, log_level="critical", lifespan="off", proxy_headers=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn offers a flag, no event)
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def slams_the_door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.fixture(scope="module")
async def gate() -> AsyncIterator[httpx.AsyncClient]:
    rude = await asyncio.start_server(slams_the_door, "127.0.0.1", 0)
    rude_port = rude.sockets[0].getsockname()[1]
    async with serving(UPSTREAM) as upstream, gateway_client() as outbound:
        urls = {
            "customer": upstream,
            "campaign": f"http://127.0.0.1:{free_port()}",
            "evaluation": f"http://127.0.0.1:{rude_port}",
        }
        app = Starlette(routes=[Mount("/api", app=Gateway(urls, outbound))])
        async with serving(app) as address, httpx.AsyncClient(base_url=address, trust_env=False) as client:
            yield client
    rude.close()


async def test_request_and_response_pass_unchanged(gate: httpx.AsyncClient) -> None:
    answer = await gate.post(
        "/api/customer/v1/echo/a%2Fb%20c?limit=5&q=%E9%87%91",
        content="好",
        headers={"Authorization": "Bearer t", "If-Match": '"2"', "Cookie": "session=1", "X-Request-ID": "r1"},
    )
    seen = answer.json()
    assert answer.status_code == 201
    assert seen["method"] == "POST"
    assert seen["target"] == "/v1/echo/a%2Fb%20c?limit=5&q=%E9%87%91"
    assert seen["body"] == "好"
    assert seen["headers"]["authorization"] == "Bearer t"
    assert seen["headers"]["if-match"] == '"2"'
    assert seen["headers"]["x-request-id"] == "r1"
    assert answer.headers["etag"] == '"3"'


async def test_forwarding_headers_are_set_and_own_business_is_kept_back(gate: httpx.AsyncClient) -> None:
    answer = await gate.get(
        "/api/customer/v1/echo/x", headers={"X-Forwarded-For": "203.0.113.9", "Cookie": "session=1"}
    )
    headers = answer.json()["headers"]
    assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == gate.base_url.netloc.decode()
    assert headers["x-forwarded-prefix"] == "/api/customer"
    assert "cookie" not in headers
    assert "x-hop" not in answer.headers
    assert "transfer-encoding" not in headers


async def test_location_names_the_path_at_the_gateway(gate: httpx.AsyncClient) -> None:
    answer = await gate.get("/api/customer/v1/echo/x")
    assert answer.headers["location"] == "/api/customer/v1/jobs/7"


async def test_large_upload_streams_through(gate: httpx.AsyncClient) -> None:
    block, count = bytes(range(256)) * 4096, 200

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield block

    answer = await gate.post("/api/customer/v1/digest", content=blocks(), timeout=60)
    expected = hashlib.sha256()
    for _ in range(count):
        expected.update(block)
    assert answer.json()["size"] == count * MEGABYTE
    assert answer.json()["sha256"] == expected.hexdigest()
    assert answer.json()["largest"] < 4 * MEGABYTE


async def test_large_download_streams_through(gate: httpx.AsyncClient) -> None:
    size = 0
    async with gate.stream("GET", "/api/customer/v1/big") as answer:
        assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
        async for chunk in answer.aiter_raw():
            size += len(chunk)
    assert size == 64 * MEGABYTE


async def test_server_sent_events_arrive_one_by_one_and_stop_when_the_caller_leaves(
    gate: httpx.AsyncClient,
) -> None:
    hung_up.clear()
    async with gate.stream("GET", "/api/customer/v1/ticks") as answer:
        lines = answer.aiter_lines()
        assert [await anext(lines) for _ in range(3)] == ["data: 0", "", "data: 1"]
    await asyncio.wait_for(hung_up.wait(), 5)


async def test_problems_of_the_service_are_not_rewritten(gate: httpx.AsyncClient) -> None:
    answer = await gate.get("/api/customer/v1/problem")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "because"


async def test_service_that_is_down_is_503_with_retry_after(gate: httpx.AsyncClient) -> None:
    answer = await gate.get("/api/campaign/v1/campaigns")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["type"] == "/problems/unavailable"


async def test_service_that_breaks_off_is_502(gate: httpx.AsyncClient) -> None:
    answer = await gate.post("/api/evaluation/v1/metrics", json={})
    assert answer.status_code == 502
    assert answer.json()["type"] == "/problems/bad-gateway"
    assert "retry-after" in answer.headers


async def test_unknown_service_is_404(gate: httpx.AsyncClient) -> None:
    answer = await gate.get("/api/nothing/v1/x")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_response_cut_short_is_seen_as_broken(gate: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await gate.get("/api/customer/v1/breaks")
