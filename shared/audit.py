"""Hash-chained audit log: who did what to which object; a changed or missing entry shows."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared import clock
from shared.auth import Principal
from shared.db import AuditEntry

GENESIS = bytes(32)
_BATCH = 5_000
_ENTRIES = "audit"


def audit(
    session: AsyncSession,
    principal: Principal,
    action: str,
    object_: str,
    detail: Mapping[str, Any] | None = None,
    *,
    org_path: str | None = None,
) -> None:
    """One more entry, appended when the transaction commits: the chain is held for no longer than that, so
    whoever waits for rows never holds it. `detail` carries no personal data.
    """
    entries: list[dict[str, Any]] = session.info.setdefault(_ENTRIES, [])
    if not entries:
        event.listen(session.sync_session, "before_commit", _append, once=True)
    entries.append(
        {
            "principal": principal.id,
            "action": action,
            "object": object_,
            "org_path": org_path or principal.org,
            "detail": dict(detail or {}),
        }
    )


def _append(session: Session) -> None:
    # Rows still to be written are locked before the chain, by everybody.
    session.flush()
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('huanying.audit'))"))
    # The head of the chain may belong to an organisation this principal does not see.
    last = session.execute(text("SELECT seq, hash FROM audit_head()")).one_or_none()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    links = []
    for number, told in enumerate(session.info.pop(_ENTRIES), seq + 1):
        entry = {"seq": number, "at": clock.now(), **told}
        links.append({**entry, "previous_hash": previous, "hash": _link(previous, entry)})
        previous = links[-1]["hash"]
    session.execute(insert(AuditEntry), links)


@dataclass(frozen=True)
class Verification:
    entries: int
    broken_at: int | None
    """Sequence number of the first entry that does not follow from the one before; null when intact."""


async def verify(session: AsyncSession) -> Verification:
    """Recompute the chain from its beginning. The session must see every organisation."""
    previous, expected = GENESIS, 1
    columns = [
        column for column in AuditEntry.__table__.columns if column.name not in {"previous_hash", "hash"}
    ]
    while True:
        rows = (
            await session.execute(
                select(*columns, AuditEntry.previous_hash, AuditEntry.hash)
                .where(AuditEntry.seq >= expected)
                .order_by(AuditEntry.seq)
                .limit(_BATCH)
            )
        ).all()
        for row in rows:
            entry = {column.name: getattr(row, column.name) for column in columns}
            if row.seq != expected or row.previous_hash != previous or row.hash != _link(previous, entry):
                return Verification(expected - 1, expected)
            previous, expected = row.hash, expected + 1
        if len(rows) < _BATCH:
            break
    return Verification(expected - 1, None)


def _link(previous: bytes, entry: Mapping[str, Any]) -> bytes:
    at = entry["at"]
    if not isinstance(at, datetime):
        raise TypeError("at must be a datetime")
    canonical = orjson.dumps(
        {**entry, "at": at.timestamp()}, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    )
    return hashlib.sha256(previous + canonical).digest()
