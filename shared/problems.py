"""Every failure as an RFC 9457 problem document: no stack trace, no HTML, never 200."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from shared.contracts.base import Problem, ProblemItem
from shared.errors import Conflict, Forbidden, ProblemError, Unavailable, Unprocessable

logger = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"

# Names and values in it are the caller's: an answer must not grow with what is wrong with the request.
_MAX_ITEMS = 100
_MAX_TEXT = 1_000


def problem_of(error: Exception, instance: str | None = None) -> Problem:
    """The document that tells the caller about `error`; unknown ones say only that they were logged."""
    known = _known(error)
    if known is None:
        return Problem(
            type="/problems/internal",
            title="Internal error",
            status=500,
            detail="The error was logged; quote `instance` to the operator.",
            instance=instance,
        )
    items = [ProblemItem(pointer=item.pointer, detail=item.detail) for item in known.errors]
    return Problem(
        type=known.type,
        title=known.title,
        status=known.status,
        detail=known.detail,
        instance=instance,
        errors=items or None,
    )


def _known(error: Exception) -> ProblemError | None:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, PoolTimeoutError):
        return Unavailable("All database connections are busy; try again.", headers={"Retry-After": "2"})
    if isinstance(error, DBAPIError):
        return _of_database(error)
    return None


_RETRY_SOON = {"Retry-After": "2"}
_OF_CAUSE: tuple[tuple[tuple[type[Exception], ...], Callable[[], ProblemError]], ...] = (
    ((pg.UniqueViolation,), lambda: Conflict("Another resource has the same key.", slug="already-exists")),
    ((pg.ForeignKeyViolation,), lambda: Unprocessable("It refers to something that does not exist.")),
    ((pg.InsufficientPrivilege,), lambda: Forbidden("The row is outside your organisation.")),
    (
        (pg.QueryCanceled,),
        lambda: Unavailable(
            "A statement took longer than it is given: ask for less, or try again when the database is less "
            "busy.",
            headers=_RETRY_SOON,
        ),
    ),
    (
        (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure),
        lambda: Unavailable("The database could not finish in time; try again.", headers=_RETRY_SOON),
    ),
    (
        (pg.DataError, pg.CheckViolation, pg.NotNullViolation),
        lambda: Unprocessable("A value does not fit the field it is for."),
    ),
    ((pg.OperationalError,), lambda: Unavailable("The database is not reachable.", headers=_RETRY_SOON)),
)


def _of_database(error: DBAPIError) -> ProblemError | None:
    if str(getattr(error.orig, "sqlstate", "") or "").startswith("53"):
        detail = "The database has no room left: disk, memory or connections."
        return Unavailable(detail, headers={"Retry-After": "30"})
    for causes, problem in _OF_CAUSE:
        if isinstance(error.orig, causes):
            return problem()
    if error.connection_invalidated:
        return Unavailable("The database connection was lost; try again.", headers=_RETRY_SOON)
    return None


def is_passing(error: Exception) -> bool:
    """Whether the same work may succeed later: the database is away, full or busy."""
    known = _known(error)
    return known is not None and known.status == Unavailable.status


def took_too_long(error: Exception) -> bool:
    """Whether a statement was stopped at its time limit: the same work most likely takes as long again."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, pg.QueryCanceled)


def respond(error: Exception, request: Request) -> JSONResponse:
    problem = problem_of(error, getattr(request.state, "request_id", None))
    known = _known(error)
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=known.headers if known else None,
    )


def pointer_of(location: Sequence[str | int]) -> str:
    """("body", "people", 0) → "/people/0"; query and header parameters keep their place in front."""
    parts = list(location)
    if parts and parts[0] == "body":
        parts = parts[1:]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def install(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def _problem(request: Request, error: ProblemError) -> JSONResponse:
        return respond(error, request)

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeoutError)
    async def _database(request: Request, error: Exception) -> JSONResponse:
        logger.warning("database_error", error=type(getattr(error, "orig", error)).__name__)
        return respond(error, request)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        details = error.errors()
        unreadable = any(item["type"] == "json_invalid" for item in details)
        problem = Problem(
            type="/problems/bad-request" if unreadable else "/problems/invalid",
            title="The request cannot be read" if unreadable else "The request is not valid",
            status=400 if unreadable else 422,
            detail="The body is not JSON." if unreadable else "See `errors` for each field.",
            instance=getattr(request.state, "request_id", None),
            errors=[_item(item, error.body) for item in details[:_MAX_ITEMS]],
        )
        return _answer(problem)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        problem = Problem(
            type=f"/problems/{title.lower().replace(' ', '-')}",
            title=title,
            status=error.status_code,
            detail=error.detail if error.detail != title else None,
            instance=getattr(request.state, "request_id", None),
        )
        return _answer(problem, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _unknown(request: Request, error: Exception) -> JSONResponse:
        logger.error("unhandled_error", exc_info=error)
        return respond(error, request)


def _item(error: dict[str, Any], body: object) -> ProblemItem:
    location = error["loc"]
    if location[:1] == ("body",):
        location = ("body", *_in_body(location[1:], body))
    message = "is required" if error["type"] == "missing" else str(error["msg"])
    return ProblemItem(pointer=pointer_of(location)[:_MAX_TEXT], detail=message[:_MAX_TEXT])


def _in_body(location: Sequence[str | int], body: object) -> list[str | int]:
    """Without the names pydantic puts in for the members of a union: the caller never wrote them."""
    found: list[str | int] = []
    for number, key in enumerate(location, 1):
        if isinstance(body, dict) and (key in body or number == len(location)):
            found.append(key)
            body = body.get(key)
        elif isinstance(body, list) and isinstance(key, int) and key < len(body):
            found.append(key)
            body = body[key]
    return found


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )
