"""The copy of everything held about a person: made by a job, sealed, handed out once, forgotten."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import open_reason
from services.customer.domain.vault import Vault
from services.customer.models import CustomerKey, SubjectExport
from services.customer.queries.families import family_of
from services.customer.queries.history import field_changes
from services.customer.queries.subject_tables import HELD, Held
from services.customer.settings import CustomerSettings
from services.customer.usecases.quarantine import subject_hash, unseal
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.db import fetch
from shared.errors import Conflict, Forbidden, NotFound
from shared.ids import new_id
from shared.jobs import JobRun, defer
from shared.pagination import PageRequest
from shared.service import Runtime

TASK = "subject_export"
FORMAT = "huanying.subject-export/1"
ELSEWHERE = {
    "segmentation": "segments and scores under the customer's number: GET /v1/customers/{id}/segments",
    "campaign": "contacts under the customer's number: GET /v1/customers/{id}/contact-decisions",
}
_PAGE = 1000
_SWEEP_SECONDS = 3600.0

_QUARANTINED = """
SELECT id, type, reason, received_at, sealed FROM quarantined_event
WHERE subject_hash = ANY(%(hashes)b::bytea[]) ORDER BY received_at
"""
_EXPIRE = """
UPDATE subject_export SET content = NULL, state = 'expired' WHERE content IS NOT NULL AND expires_at < %(now)s
"""


async def request_export(
    session: AsyncSession, principal: Principal, settings: CustomerSettings, customer_id: UUID
) -> SubjectExport:
    """Queue the job; of a merged file the whole person is copied."""
    family = await family_of(session, customer_id)
    if family.status == "erased":
        raise Conflict("The customer was erased: nothing is held")
    export_id, now = new_id(), clock.now()
    job = await defer(session, principal, TASK, {"export_id": str(export_id), "scope": principal.scope})
    export = SubjectExport(
        id=export_id,
        job_id=job.id,
        customer_id=family.head,
        requested_by=principal.id,
        requested_at=now,
        expires_at=now + timedelta(days=settings.subject_export_days),
        state="queued",
    )
    session.add(export)
    await session.flush()
    target = f"customer/{family.head}"
    audit(session, principal, "export_subject", target, {"export": str(export_id)}, org_path=family.org_path)
    return export


async def make_export(job: JobRun) -> dict[str, Any]:
    """The job. The result names the export and no content."""
    export_id = UUID(job.args["export_id"])
    vault = job.runtime.resource(Vault)
    async with job.runtime.db.transaction(job.args["scope"], actor=job.principal) as session:
        export = await session.get(SubjectExport, export_id, with_for_update=True)
        if export is None or export.state != "queued":
            return {"export_id": str(export_id)}
        key = await session.get(CustomerKey, export.customer_id)
        if key is None:
            raise Conflict("The customer was erased: nothing is held")
        package = orjson.dumps(await _package(session, vault, export.customer_id), option=orjson.OPT_INDENT_2)
        export.content = vault.seal_bytes(export.customer_id, key.wrapped_key, package)
        export.size_bytes, export.state = len(package), "ready"
        await session.flush()
    return {"export_id": str(export_id), "href": f"/v1/subject-exports/{export_id}/file"}


async def fetch_export(session: AsyncSession, principal: Principal, vault: Vault, export_id: UUID) -> bytes:
    """The package, for whoever asked for it and only once; then it is forgotten."""
    export = await session.get(SubjectExport, export_id, with_for_update=True)
    if export is None:
        raise NotFound("There is no such export in your organisation")
    if export.requested_by != principal.id:
        raise Forbidden("Only whoever asked for the export may fetch it")
    if export.state != "ready" or export.content is None or export.expires_at < clock.now():
        raise Conflict(f"The export is {export.state}, not ready", slug="export-not-ready")
    key = await session.get(CustomerKey, export.customer_id)
    if key is None:
        raise Conflict("The customer was erased: nothing is held")
    package = vault.open_bytes(export.customer_id, key.wrapped_key, export.content)
    export.content, export.state, export.fetched_at = None, "fetched", clock.now()
    await session.flush()
    target = f"customer/{export.customer_id}"
    audit(session, principal, "fetch_subject_export", target, {"export": str(export_id)})
    return package


async def sweep_exports(runtime: Runtime) -> None:
    """Endless: forget what nobody fetched in time."""
    while True:
        async with runtime.db.transaction() as session:
            await fetch(session, _EXPIRE, {"now": clock.now()})
        await asyncio.sleep(_SWEEP_SECONDS)


async def _package(session: AsyncSession, vault: Vault, head: UUID) -> dict[str, Any]:
    family = await family_of(session, head)
    rows = await session.execute(
        select(CustomerKey.customer_id, CustomerKey.wrapped_key).where(
            CustomerKey.customer_id.in_(family.ids)
        )
    )
    keys: dict[UUID, bytes] = {row.customer_id: row.wrapped_key for row in rows}
    tables = {held.table: await _rows(session, vault, held, family.ids, keys) for held in HELD if held.copied}
    return {
        "format": FORMAT,
        "customer_id": head,
        "files": family.ids,
        "made_at": clock.now(),
        "tables": tables,
        "history": await _history(session, vault, head),
        "refused_events": await _refused(session, vault, tables["source_identity"]),
        "elsewhere": ELSEWHERE,
    }


async def _rows(
    session: AsyncSession, vault: Vault, held: Held, ids: Sequence[UUID], keys: Mapping[UUID, bytes]
) -> list[dict[str, Any]]:
    columns = ", ".join(("t." + held.owners[0], *("t." + name for name in held.sealed)))
    statement = (
        f"SELECT (to_jsonb(t) - %(hidden)b::text[])::text, {columns} "  # noqa: S608 - names are ours
        f"FROM {held.table} t WHERE {held.condition}"
    )
    hidden = [*held.secret, *held.sealed]
    rows = await fetch(session, statement, {"hidden": hidden, "ids": list(ids)})
    found = []
    for text, owner, *sealed in rows:
        row = orjson.loads(text)
        for name, value in zip(held.sealed, sealed, strict=True):
            row[name] = _opened(vault, owner, keys.get(owner), value)
        found.append(row)
    return found


def _opened(vault: Vault, owner: UUID, key: bytes | None, value: bytes | str | None) -> object:
    if value is None or isinstance(value, str):
        return open_reason(vault, owner, key, value)
    if key is None:
        return None
    plain = vault.open_bytes(owner, key, value)
    try:
        return orjson.loads(plain)
    except orjson.JSONDecodeError:
        return plain.decode()


async def _history(session: AsyncSession, vault: Vault, head: UUID) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = await field_changes(session, vault, head, PageRequest(_PAGE, cursor), reveal=True)
        found += [change.model_dump(mode="json") for change in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def _refused(
    session: AsyncSession, vault: Vault, identities: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Events of the person that could not be taken and wait in quarantine."""
    hashes = [subject_hash(vault, one["source"], one["source_id"]) for one in identities]
    rows = await fetch(session, _QUARANTINED, {"hashes": hashes})
    return [
        {
            "type": kind,
            "reason": reason,
            "received_at": at,
            "event": unseal(vault, row_id, sealed).decode("utf-8", "replace") if sealed else None,
        }
        for row_id, kind, reason, at, sealed in rows
    ]
