"""Idempotency-Key on POST: the answer is kept in the transaction that made it true, and replayed."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Request, Response
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.auth import Principal
from shared.db import StoredAnswer
from shared.errors import Conflict, Unprocessable

_KEPT_HEADERS = ("content-type", "location", "etag")


class Replayed(Exception):
    """The stored answer stands; the route must not run again."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class _Claim:
    principal: str
    key: str
    request_hash: bytes


async def honour(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="On POST: repeat with the same key and body, and the first answer comes back",
        ),
    ] = None,
) -> None:
    """Router-wide dependency; runs after authentication because the session depends on it."""
    if idempotency_key is not None and request.method == "POST":
        request.state.idempotency_key = idempotency_key


async def replay(request: Request, session: AsyncSession, principal: Principal) -> None:
    """Claim the request's key for this transaction, or answer with what it led to before."""
    key = getattr(request.state, "idempotency_key", None)
    if key is None:
        return
    claim = _Claim(principal.id, key, await _hash(request))
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    if not await session.scalar(lock, {"name": f"{principal.id} {key}"}):
        raise Conflict(
            "A request with this Idempotency-Key is being worked on.",
            slug="idempotency-in-flight",
            headers={"Retry-After": "1"},
        )
    stored = (
        await session.execute(
            select(StoredAnswer).where(StoredAnswer.principal == principal.id, StoredAnswer.key == key)
        )
    ).scalar_one_or_none()
    if stored is None:
        request.state.idempotency_claim = claim
        return
    if stored.request_hash != claim.request_hash:
        raise Unprocessable(
            "This Idempotency-Key was used for another request.", slug="idempotency-key-reused"
        )
    headers = {**stored.headers, "Idempotency-Replayed": "true"}
    raise Replayed(Response(stored.body, status_code=stored.status, headers=headers))


def claimed(request: Request) -> bool:
    """The request's transaction holds the lock of its key."""
    return getattr(request.state, "idempotency_claim", None) is not None


async def keep_answer(request: Request, session: AsyncSession | None, response: Response) -> None:
    claim: _Claim | None = getattr(request.state, "idempotency_claim", None)
    if claim is None or session is None:
        return
    await session.execute(
        insert(StoredAnswer).values(
            principal=claim.principal,
            key=claim.key,
            request_hash=claim.request_hash,
            status=response.status_code,
            headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            # A route that shows a secret once says what may be kept instead.
            body=getattr(request.state, "kept_body", bytes(response.body)),
        )
    )


async def _hash(request: Request) -> bytes:
    """Of method, path, query and JSON body. An upload is known by its size: it cannot be read twice."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    if "json" in request.headers.get("content-type", "json"):
        digest.update(await request.body())
    else:
        digest.update(request.headers.get("content-length", "").encode())
    return digest.digest()
