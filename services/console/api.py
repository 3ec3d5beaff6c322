"""Client of the four APIs, acting with the signed-in user's own token."""

from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Literal, TypeVar
from urllib.parse import quote

import httpx
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.contracts.base import Problem, ProblemItem
from shared.ids import new_id

T = TypeVar("T")
ServiceName = Literal["customer", "segmentation", "campaign", "evaluation"]
Param = str | int | None
Params = Mapping[str, Param | Sequence[str]]


class ApiProblem(Exception):
    """What a service refused, and why. `status` 0: it gave no usable answer at all."""

    def __init__(
        self, service: ServiceName, status: int, detail: str, errors: list[ProblemItem] | None = None
    ) -> None:
        super().__init__(detail)
        self.service = service
        self.status = status
        self.detail = detail
        self.errors = errors or []


class Api:
    """One user's access; `clients` are pooled for the whole process."""

    def __init__(self, clients: Mapping[ServiceName, httpx.AsyncClient], token: str) -> None:
        self._clients = clients
        self._token = token

    async def get(self, service: ServiceName, path: str, model: type[T], params: Params | None = None) -> T:
        return await self._call(service, "GET", path, model, params=params)

    async def post(
        self,
        service: ServiceName,
        path: str,
        model: type[T],
        body: BaseModel | Mapping[str, object] | None = None,
        *,
        if_match: int | None = None,
        key: str | None = None,
    ) -> T:
        """`key`: Idempotency-Key, one per intention, so that a second click is the same request."""
        return await self._call(service, "POST", path, model, body=body, if_match=if_match, key=key)

    async def put(
        self,
        service: ServiceName,
        path: str,
        model: type[T],
        body: BaseModel | Mapping[str, object],
        *,
        if_match: int | None = None,
    ) -> T:
        return await self._call(service, "PUT", path, model, body=body, if_match=if_match)

    async def patch(
        self,
        service: ServiceName,
        path: str,
        model: type[T],
        body: BaseModel | Mapping[str, object],
        *,
        if_match: int,
    ) -> T:
        return await self._call(service, "PATCH", path, model, body=body, if_match=if_match)

    async def delete(
        self, service: ServiceName, path: str, model: type[T], *, if_match: int | None = None
    ) -> T:
        """Of what the service answers a deletion with, as it is afterwards."""
        return await self._call(service, "DELETE", path, model, if_match=if_match)

    async def upload(
        self,
        service: ServiceName,
        path: str,
        model: type[T],
        content: AsyncIterable[bytes],
        params: Params | None = None,
        method: Literal["POST", "PUT"] = "POST",
    ) -> T:
        """A file of any size as the body, passed on as it comes."""
        headers = {"Content-Type": "application/octet-stream"}
        return await self._call(service, method, path, model, params=params, content=content, headers=headers)

    async def document(self, service: ServiceName, path: str, params: Params | None = None) -> bytes:
        """A file as the service makes it."""
        answer = await self._send(service, "GET", path, params=params, headers={"Accept": "*/*"})
        return answer.content

    async def _call(
        self,
        service: ServiceName,
        method: str,
        path: str,
        model: type[T],
        *,
        params: Params | None = None,
        body: BaseModel | Mapping[str, object] | None = None,
        if_match: int | None = None,
        key: str | None = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        answer = await self._send(
            service,
            method,
            path,
            params=params,
            body=body,
            if_match=if_match,
            key=key,
            content=content,
            headers=headers,
        )
        return _decode(service, answer, model)

    async def _send(
        self,
        service: ServiceName,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: BaseModel | Mapping[str, object] | None = None,
        if_match: int | None = None,
        key: str | None = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            **(headers or {}),
        }
        if method == "POST":
            headers["Idempotency-Key"] = key or str(new_id())
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = _encode(body)
        given = {name: _param(value) for name, value in (params or {}).items() if value is not None}
        try:
            answer = await self._clients[service].request(
                method, path, params=given, content=content, headers=headers
            )
        except httpx.HTTPError as error:
            raise ApiProblem(service, 0, type(error).__name__) from error
        if answer.status_code >= 400:
            raise _problem(service, answer)
        return answer


def _param(value: Param | Sequence[str]) -> str | int | list[str] | None:
    return value if value is None or isinstance(value, str | int) else list(value)


def segment(value: object) -> str:
    """A value as one path segment."""
    return quote(str(value), safe="")


def service_clients(urls: Mapping[ServiceName, str]) -> dict[ServiceName, httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=32, keepalive_expiry=2.0)
    timeout = httpx.Timeout(30.0, connect=5.0)
    return {
        name: httpx.AsyncClient(base_url=url, limits=limits, timeout=timeout, trust_env=False)
        for name, url in urls.items()
    }


def _encode(body: BaseModel | Mapping[str, object]) -> bytes:
    if isinstance(body, BaseModel):
        return body.model_dump_json(exclude_none=True).encode()
    return orjson.dumps(body)


def _decode(service: ServiceName, answer: httpx.Response, model: type[T]) -> T:
    try:
        return TypeAdapter(model).validate_json(answer.content)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise ApiProblem(service, 0, f"{answer.url.path}: {where}: {first['msg']}") from error


def _problem(service: ServiceName, answer: httpx.Response) -> ApiProblem:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return ApiProblem(service, answer.status_code, answer.reason_phrase)
    return ApiProblem(service, answer.status_code, problem.detail or problem.title, problem.errors)
