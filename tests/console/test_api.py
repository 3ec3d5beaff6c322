"""What the pages see of an answer, of a refusal and of silence."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.console.api import Api, ApiProblem, segment
from shared.contracts.base import LocalText

NAME = {"zh": "名", "en": "name"}


async def seen(request: Request) -> Response:
    return JSONResponse(
        {
            "query": str(request.url.query),
            "headers": {
                name: request.headers.get(name) for name in ("authorization", "idempotency-key", "if-match")
            },
            "body": (await request.body()).decode(),
        }
    )


async def refusal(_: Request) -> Response:
    body = {
        "type": "/problems/invalid",
        "title": "The request is not valid",
        "status": 422,
        "detail": "one fix is missing",
        "errors": [{"pointer": "/people/owner", "detail": "is required"}],
    }
    return JSONResponse(body, 422, media_type="application/problem+json")


async def name(_: Request) -> Response:
    return JSONResponse(NAME)


async def page_of_a_proxy(_: Request) -> Response:
    return Response("<html>bad gateway</html>", 502, media_type="text/html")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    routes = [
        Route("/v1/seen", seen, methods=["GET", "POST"]),
        Route("/v1/refusal", refusal),
        Route("/v1/name", name),
        Route("/v1/proxy", page_of_a_proxy),
    ]
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://campaign") as campaign,
        httpx.AsyncClient(base_url="http://127.0.0.1:1", trust_env=False) as nobody,
    ):
        yield Api({"campaign": campaign, "customer": nobody}, "the-token")


async def test_answers_become_contracts(api: Api) -> None:
    assert await api.get("campaign", "/v1/name", LocalText) == LocalText(zh="名", en="name")


async def test_requests_carry_the_users_token_and_only_given_parameters(api: Api) -> None:
    answer: dict[str, Any] = await api.get(
        "campaign", "/v1/seen", dict[str, Any], {"limit": 5, "cursor": None, "state": ("assigned", "started")}
    )
    assert answer["query"] == "limit=5&state=assigned&state=started"
    assert answer["headers"] == {
        "authorization": "Bearer the-token",
        "idempotency-key": None,
        "if-match": None,
    }


async def test_the_same_intention_carries_the_same_key(api: Api) -> None:
    first = await api.post("campaign", "/v1/seen", dict[str, Any], {"a": 1}, key="k1", if_match=3)
    assert first["headers"]["idempotency-key"] == "k1"
    assert first["headers"]["if-match"] == '"3"'
    keys = {
        (await api.post("campaign", "/v1/seen", dict[str, Any]))["headers"]["idempotency-key"]
        for _ in range(2)
    }
    assert len(keys) == 2


async def test_refusals_keep_their_reasons(api: Api) -> None:
    with pytest.raises(ApiProblem) as caught:
        await api.get("campaign", "/v1/refusal", LocalText)
    assert caught.value.status == 422
    assert caught.value.detail == "one fix is missing"
    assert [error.pointer for error in caught.value.errors] == ["/people/owner"]


@pytest.mark.parametrize("path", ["/v1/proxy", "/v1/missing"])
async def test_answers_of_others_are_problems_too(api: Api, path: str) -> None:
    with pytest.raises(ApiProblem) as caught:
        await api.get("campaign", path, LocalText)
    assert caught.value.status in {404, 502}


async def test_silence_and_nonsense_have_no_status(api: Api) -> None:
    with pytest.raises(ApiProblem) as silence:
        await api.get("customer", "/v1/name", LocalText)
    with pytest.raises(ApiProblem) as nonsense:
        await api.get("campaign", "/v1/seen", LocalText)
    assert silence.value.status == nonsense.value.status == 0


def test_values_are_one_path_segment_whatever_they_hold() -> None:
    assert segment("../admin?x=1") == "..%2Fadmin%3Fx%3D1"
