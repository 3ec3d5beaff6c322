"""Taking a merge back: pointers and owners from the ledger, attributes that nobody has touched since."""

from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import seal_reason
from services.customer.domain.survivorship import take_back
from services.customer.domain.vault import Vault
from services.customer.models import Merge
from services.customer.queries.merges import undo_first
from services.customer.usecases.duplicates import compare_again
from services.customer.usecases.merge_files import (
    MergeFile,
    announce,
    in_parts,
    load_files,
    write_survivor,
)
from services.customer.usecases.own_risk import keep_own_risk, refresh_risk
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.identity import UndoResult
from shared.contracts.events import CustomerRef, CustomersUnmerged
from shared.contracts.events.identity import SeparatedCustomer
from shared.db import fetch, give_reason
from shared.errors import Conflict, Forbidden, NotFound
from shared.outbox import emit

_OWNERS = "SELECT DISTINCT org_path FROM merge_member WHERE merge_id = %(merge)s"

_MEMBERS = "SELECT customer_id, previous_survivor FROM merge_member WHERE merge_id = %(merge)s"

_RESTORE = """
UPDATE customer c SET merged_into = m.previous_survivor, status = m.status, org_path = m.org_path,
  primary_manager = m.primary_manager, backup_manager = m.backup_manager
FROM merge_member m WHERE m.merge_id = %(merge)s AND c.id = m.customer_id
"""


async def undo_merge(
    session: AsyncSession, principal: Principal, vault: Vault, merge_id: UUID, reason: str
) -> UndoResult:
    """Separate again what the merge joined. 409 while later merges build on it, naming them in order."""
    merge = await session.get(Merge, merge_id)
    if merge is None:
        raise NotFound("There is no such merge in your organisation")
    rows = await fetch(session, _MEMBERS, {"merge": merge_id})
    previous: dict[UUID, UUID | None] = {row[0]: row[1] for row in rows}
    files = await load_files(session, [merge.survivor_id, *previous])
    # After the customers, as everybody who changes a merged file.
    await session.refresh(merge, with_for_update=True)
    await _check(session, principal, merge, files, previous)
    survivor = files[merge.survivor_id]
    key = survivor.wrapped_key
    if key is None or any(files[member].wrapped_key is None for member in previous):
        raise Conflict("One of them was erased: there is nothing to give back", slug="erased")
    ledger = orjson.loads(vault.open_bytes(survivor.id, key, merge.sealed))
    values = survivor.profile(vault).values
    restored, kept = take_back(ledger["before"], ledger["after"], values, merge.touched)
    await give_reason(session, f"merge/{merge_id}:undo")
    await keep_own_risk(session, [survivor.id])
    await fetch(session, _RESTORE, {"merge": merge_id})
    await write_survivor(session, vault, survivor, restored)
    await refresh_risk(session, [survivor.id, *(m for m, before in previous.items() if before is None)])
    now = clock.now()
    merge.undone_at, merge.undone_by = now, principal.id
    merge.undo_reason = seal_reason(vault, survivor.id, key, reason)
    # Done with: the other one's values must not outlast its own key under this one's.
    merge.sealed = vault.seal_bytes(survivor.id, key, b"{}")
    await session.flush()
    await _emit(session, principal, merge, now, files, previous)
    members = [files[member] for member in previous]
    await announce(session, survivor.id, [survivor, *members], previous.keys())
    await compare_again(session, [survivor.id, *previous])
    detail = {"survivor": str(survivor.id), "separated": len(previous)}
    audit(session, principal, "undo_merge", f"merge/{merge_id}", detail, org_path=survivor.org)
    return UndoResult(
        merge_id=merge_id,
        survivor=survivor.id,
        separated=len(previous),
        restored=sorted(restored),
        kept=sorted(kept),
    )


async def _check(
    session: AsyncSession,
    principal: Principal,
    merge: Merge,
    files: dict[UUID, MergeFile],
    previous: dict[UUID, UUID | None],
) -> None:
    """Read under the locks: what a waiting merge changed meanwhile is seen."""
    if merge.undone_at is not None:
        raise Conflict(f"It was undone at {merge.undone_at.isoformat()}", slug="already-undone")
    later = await undo_first(session, merge.id)
    if later:
        names = ", ".join(str(one) for one in later)
        raise Conflict(f"Undo these merges first, in this order: {names}", slug="undo-first")
    if merge.survivor_id not in files or not previous.keys() <= files.keys():
        raise NotFound("There is no such merge in your organisation")
    branches = [row[0] for row in await fetch(session, _OWNERS, {"merge": merge.id})]
    if not all(map(principal.covers, branches)):
        raise Forbidden("One of them would return to a branch beyond your organisation")


async def _emit(
    session: AsyncSession,
    principal: Principal,
    merge: Merge,
    now: datetime,
    files: dict[UUID, MergeFile],
    previous: dict[UUID, UUID | None],
) -> None:
    def ref(customer_id: UUID) -> CustomerRef:
        return CustomerRef(customer_id=customer_id, ordinal=files[customer_id].ordinal)

    separated = [
        SeparatedCustomer(
            customer_id=member,
            ordinal=files[member].ordinal,
            merged_into=ref(before) if before is not None else None,
        )
        for member, before in previous.items()
    ]
    survivor = ref(merge.survivor_id)
    events = [
        CustomersUnmerged(
            merge_id=merge.id,
            survivor=survivor,
            separated=list(part),
            unmerged_at=now,
            unmerged_by=principal.id,
        )
        for part in in_parts(separated)
    ]
    await emit(session, *events)
