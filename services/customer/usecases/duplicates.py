"""Finding pairs that may be the same person, as a set and for single customers; deciding about them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.duplicates import LEAST_SCORE, PRIOR, WEIGHTS
from services.customer.domain.history import seal_reason
from services.customer.domain.vault import Vault
from services.customer.models import CustomerKey, Duplicate
from services.customer.usecases import duplicate_statements as sql
from services.customer.usecases.match_keys import fill_batch
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.db import fetch
from shared.errors import Conflict, NotFound
from shared.jobs import JobRun, defer

TASK = "find-duplicates"
_TIMEOUT_MS = 3_600_000
_FILL_BATCH = 1_000


async def compare_again(session: AsyncSession, customer_ids: Collection[UUID]) -> None:
    """Look for duplicates of these customers (and of those merged into them) by their present keys."""
    parameters = {"ids": list(customer_ids), **_scoring(clock.now())}
    await fetch(session, sql.FORGET_OF, parameters)
    await fetch(session, sql.FIND_OF, parameters)


async def start_finding(session: AsyncSession, principal: Principal) -> JobView:
    """Queue the comparison of all customers of the caller's organisation."""
    job = await defer(session, principal, TASK, {"scope": principal.scope})
    audit(session, principal, "find_duplicates", f"job/{job.id}")
    return job


async def find_duplicates(job: JobRun) -> dict[str, Any]:
    """The job: keys that are missing, then one statement a key, then pairs that no longer agree go."""
    scope = str(job.args["scope"])
    await job.progress(0.0, "match keys")
    filled = await _fill(job, scope)
    parameters = _scoring(clock.now())
    found: dict[str, int] = {}
    for step, (key, statement) in enumerate(sql.FIND_ALL.items(), start=1):
        await job.progress(0.2 * step, f"same {key}", found)
        async with _work(job, scope) as session:
            found[key] = (await fetch(session, statement, parameters))[0][0]
    async with _work(job, scope) as session:
        gone = (await fetch(session, sql.FORGET_ALL, parameters))[0][0]
        pairs = (await fetch(session, sql.COUNT_OPEN))[0][0]
    return {"open": pairs, "no_longer": gone, "match_keys_filled": filled}


def _work(job: JobRun, scope: str) -> Any:
    return job.runtime.db.transaction(scope, actor=job.principal, statement_timeout_ms=_TIMEOUT_MS)


async def _fill(job: JobRun, scope: str) -> int:
    total, vault = 0, job.runtime.resource(Vault)
    while True:
        async with _work(job, scope) as session:
            filled = await fill_batch(session, vault, _FILL_BATCH)
        total += filled
        if not filled:
            return total


def _scoring(now: datetime) -> dict[str, Any]:
    return {
        "keys": list(WEIGHTS),
        "agree": [agree for agree, _ in WEIGHTS.values()],
        "disagree": [disagree for _, disagree in WEIGHTS.values()],
        "prior": PRIOR,
        "least": LEAST_SCORE,
        "now": now,
    }


async def dismiss(
    session: AsyncSession, principal: Principal, vault: Vault, duplicate_id: UUID, reason: str
) -> None:
    """They are two: the pair does not come back, whatever is found later."""
    pair = await _locked(session, duplicate_id)
    if pair.state == "dismissed":
        raise Conflict("It was dismissed already: it may be reopened")
    key = await session.get(CustomerKey, pair.first_id)
    if key is None:
        raise Conflict("One of them was erased")
    pair.state = "dismissed"
    pair.reason = seal_reason(vault, pair.first_id, key.wrapped_key, reason)
    await _decide(session, principal, pair, "dismiss")


async def reopen(session: AsyncSession, principal: Principal, duplicate_id: UUID) -> None:
    """Take a dismissal back."""
    pair = await _locked(session, duplicate_id)
    if pair.state == "open":
        raise Conflict("It is open: it may be dismissed")
    pair.state, pair.reason = "open", None
    await _decide(session, principal, pair, "reopen")


async def _locked(session: AsyncSession, duplicate_id: UUID) -> Duplicate:
    statement = select(Duplicate).where(Duplicate.id == duplicate_id).with_for_update()
    pair = (await session.execute(statement)).scalar_one_or_none()
    if pair is None:
        raise NotFound("There is no such pair in your organisation")
    return pair


async def _decide(session: AsyncSession, principal: Principal, pair: Duplicate, action: str) -> None:
    pair.decided_by, pair.decided_at = principal.id, clock.now()
    await session.flush()
    audit(session, principal, action, f"duplicate/{pair.id}")
