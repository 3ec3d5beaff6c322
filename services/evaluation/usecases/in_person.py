"""Asking another service in somebody's name: what is made is his, what he may not do is refused."""

from collections.abc import Mapping
from http import HTTPMethod
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from shared.contracts.base import Problem
from shared.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    ProblemError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from shared.service import Runtime

Answer = TypeVar("Answer", bound=BaseModel)
Credentials = Mapping[str, str]
"""Headers by which the caller has proved who he is."""

_PATIENCE_SECONDS = 10.0
_REFUSALS: Mapping[int, type[ProblemError]] = {
    each.status: each
    for each in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, TooManyRequests)
}


class InPerson:
    """`service`, asked by whoever has these credentials.

    Unavailable while it does not answer; what it refuses is its own problem.
    """

    def __init__(self, runtime: Runtime, service: str, credentials: Credentials) -> None:
        self._client = runtime.client(service)
        self._service = service
        self._credentials = credentials

    async def get(self, path: str, model: type[Answer]) -> Answer:
        return await self._ask(HTTPMethod.GET, path, model)

    async def find(self, path: str, model: type[Answer]) -> Answer | None:
        """None where there is nothing at `path` that he may see."""
        try:
            return await self.get(path, model)
        except NotFound:
            return None

    async def post(self, path: str, body: BaseModel, model: type[Answer], key: str | None = None) -> Answer:
        """`key`: with the same one, what was made before is answered again."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        content = body.model_dump_json(exclude_none=True)
        return await self._ask(HTTPMethod.POST, path, model, content, headers)

    async def _ask(
        self,
        method: HTTPMethod,
        path: str,
        model: type[Answer],
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        request = self._client.build_request(
            method, path, content=body, headers=headers, timeout=_PATIENCE_SECONDS
        )
        # The key of this service has no part in what a person asks for.
        request.headers.pop("X-API-Key", None)
        request.headers.update(self._credentials)
        try:
            answer = await self._client.send(request)
        except httpx.HTTPError as error:
            raise self._away() from error
        if answer.is_error:
            raise self._refusal(answer)
        return model.model_validate_json(answer.content)

    def _away(self) -> Unavailable:
        return Unavailable(
            f"The {self._service} service does not answer: the recommendation stays open. Try again later."
        )

    def _refusal(self, answer: httpx.Response) -> ProblemError:
        """The service's own problem, as this request's answer."""
        kind = _REFUSALS.get(answer.status_code)
        if kind is None:
            return self._away()
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError:
            return kind(f"The {self._service} service refuses: {answer.reason_phrase}")
        return kind(
            f"The {self._service} service refuses: {problem.detail or problem.title}",
            slug=problem.type.removeprefix("/problems/"),
            errors=[FieldError(item.pointer, item.detail) for item in problem.errors or []],
        )
