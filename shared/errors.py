"""Errors that carry their HTTP meaning. Pure: domain code may raise them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field. `pointer` is a JSON pointer into the request body."""

    pointer: str
    detail: str


class ProblemError(Exception):
    """Base of every error a caller can do something about; rendered as RFC 9457."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        slug: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.type = f"/problems/{slug or self.slug}"
        self.headers = dict(headers or {})


class BadRequest(ProblemError):
    status, slug, title = 400, "bad-request", "The request cannot be read"


class Unauthorized(ProblemError):
    status, slug, title = 401, "unauthorized", "Credentials are missing or not valid"


class Forbidden(ProblemError):
    status, slug, title = 403, "forbidden", "This principal may not do that"


class NotFound(ProblemError):
    status, slug, title = 404, "not-found", "There is no such resource"


class Conflict(ProblemError):
    status, slug, title = 409, "conflict", "The resource's state does not allow that"


class PreconditionFailed(ProblemError):
    status, slug, title = 412, "stale-version", "The resource has changed since you read it"


class TooLarge(ProblemError):
    status, slug, title = 413, "too-large", "The request is too large"


class UnsupportedMediaType(ProblemError):
    status, slug, title = 415, "unsupported-media-type", "The content type is not supported"


class Unprocessable(ProblemError):
    status, slug, title = 422, "invalid", "The request is not valid"


class PreconditionRequired(ProblemError):
    status, slug, title = 428, "if-match-required", "If-Match is required"


class TooManyRequests(ProblemError):
    status, slug, title = 429, "too-many-requests", "Too many requests"


class Unavailable(ProblemError):
    status, slug, title = 503, "unavailable", "The service cannot take this now"
