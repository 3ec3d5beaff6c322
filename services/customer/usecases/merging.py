"""Merging customers into a survivor: checked, decided by rules, written down so that it can be taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import seal_reason
from services.customer.domain.masking import mask
from services.customer.domain.survivorship import Choice, choose
from services.customer.domain.vault import FIELDS, Vault
from services.customer.models import Merge
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
from shared.contracts.customer.identity import AttributeChoice, MergeConflict, MergeRequest, MergeResult
from shared.contracts.events import CustomerRef, CustomersMerged
from shared.db import fetch, give_reason
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id
from shared.outbox import emit

_SHOWN = 20

_MEMBERS = """
INSERT INTO merge_member (merge_id, customer_id, previous_survivor, status, org_path, primary_manager,
  backup_manager)
SELECT %(merge)s, id, merged_into, status, org_path, primary_manager, backup_manager
FROM customer WHERE id = ANY(%(ids)b::uuid[])
"""

_POINT = """
UPDATE customer c SET merged_into = s.id, status = 'merged', org_path = s.org_path,
  primary_manager = s.primary_manager, backup_manager = s.backup_manager
FROM customer s WHERE s.id = %(survivor)s AND c.id = ANY(%(ids)b::uuid[])
"""


@dataclass(frozen=True, slots=True)
class _Plan:
    """`moved` were merged into one of `named` before."""

    survivor: MergeFile
    named: list[MergeFile]
    moved: list[MergeFile]
    choices: list[Choice]
    before: Mapping[str, str | None]
    conflicts: list[MergeConflict]


async def merge_customers(
    session: AsyncSession, principal: Principal, vault: Vault, body: MergeRequest
) -> MergeResult:
    """Merge, or say what merging would do. 404 for unknown customers, 409 with what stands in the way."""
    _check_request(body)
    plan = await _plan(session, vault, body)
    if body.dry_run:
        return _result(None, plan)
    blocking = [FieldError(c.pointer, c.detail) for c in plan.conflicts if c.blocking]
    if blocking:
        raise Conflict("These customers cannot be merged so", errors=blocking, slug="merge-refused")
    merge_id = new_id()
    await give_reason(session, f"merge/{merge_id}")
    await _write(session, principal, vault, merge_id, plan, body.reason)
    detail = {"survivor": str(body.survivor), "merged": len(plan.named), "moved_along": len(plan.moved)}
    audit(session, principal, "merge", f"merge/{merge_id}", detail, org_path=plan.survivor.org)
    return _result(merge_id, plan)


def _check_request(body: MergeRequest) -> None:
    seen: set[UUID] = set()
    errors = []
    for index, customer_id in enumerate(body.merged):
        if customer_id == body.survivor:
            errors.append(FieldError(f"/merged/{index}", "is the survivor"))
        elif customer_id in seen:
            errors.append(FieldError(f"/merged/{index}", "is named twice"))
        seen.add(customer_id)
    errors += [
        FieldError(f"/overrides/{attribute}", "is neither the survivor nor merged")
        for attribute, customer_id in body.overrides.items()
        if customer_id not in {body.survivor, *seen}
    ]
    if errors:
        raise Unprocessable("See `errors` for each field", errors=errors)


async def _plan(session: AsyncSession, vault: Vault, body: MergeRequest) -> _Plan:
    files = await load_files(session, [body.survivor, *body.merged], lock=not body.dry_run)
    pointers = {body.survivor: "/survivor"}
    pointers |= {customer_id: f"/merged/{index}" for index, customer_id in enumerate(body.merged)}
    unknown = [pointer for customer_id, pointer in pointers.items() if customer_id not in files]
    if unknown:
        errors = [FieldError(pointer, "is no customer of your organisation") for pointer in unknown[:_SHOWN]]
        raise NotFound("There is no such customer in your organisation", errors=errors)
    survivor, named = files[body.survivor], [files[customer_id] for customer_id in body.merged]
    others = set(body.merged)
    profile, profiles = survivor.profile(vault), [file.profile(vault) for file in named]
    choices = choose(profile, profiles, dict(body.overrides.items()))
    empty = [choice for choice in choices if choice.rule == "override" and choice.value is None]
    if empty:
        errors = [FieldError(f"/overrides/{c.attribute}", "has no value there") for c in empty]
        raise Unprocessable("An override names a customer without a value", errors=errors)
    holders = {
        c.attribute: [p.customer_id for p in (profile, *profiles) if p.values.get(c.attribute) is not None]
        for c in choices
    }
    return _Plan(
        survivor=survivor,
        named=named,
        moved=[file for file in files.values() if file.merged_into in others and file.id not in others],
        choices=choices,
        before=profile.values,
        conflicts=[*_obstacles(survivor, named, pointers), *_differences(choices, holders)],
    )


def _obstacles(
    survivor: MergeFile, named: Sequence[MergeFile], pointers: Mapping[UUID, str]
) -> list[MergeConflict]:
    """What no rule can decide."""
    found = []
    for file in (survivor, *named):
        if file.merged_into is not None:
            found.append((file, f"is merged into {file.merged_into} already"))
        elif file.status == "erased" or file.wrapped_key is None:
            found.append((file, "was erased"))
        elif file.kind != survivor.kind:
            found.append((file, f"is a {file.kind}, the survivor a {survivor.kind}"))
    return [
        MergeConflict(pointer=pointers[file.id], detail=detail, customers=[file.id], blocking=True)
        for file, detail in found
    ]


def _differences(choices: Sequence[Choice], holders: Mapping[str, list[UUID]]) -> list[MergeConflict]:
    """Attributes with more than one value; different identity numbers need somebody to decide."""
    return [
        MergeConflict(
            pointer=f"/overrides/{choice.attribute}",
            detail=f"{choice.distinct} different values, chosen by rule {choice.rule}"
            if choice.rule == "override" or choice.attribute != "id_number"
            else f"{choice.distinct} different identity numbers: say whose counts",
            customers=holders[choice.attribute][:_SHOWN],
            blocking=choice.attribute == "id_number" and choice.rule != "override",
        )
        for choice in choices
        if choice.distinct > 1
    ]


async def _write(
    session: AsyncSession, principal: Principal, vault: Vault, merge_id: UUID, plan: _Plan, reason: str
) -> None:
    survivor, members = plan.survivor, [*plan.named, *plan.moved]
    key = survivor.wrapped_key
    if key is None:
        raise Conflict("The survivor was erased")
    now, ids = clock.now(), [file.id for file in members]
    after = {choice.attribute: choice.value for choice in plan.choices}
    ledger = orjson.dumps({"before": dict(plan.before), "after": after})
    session.add(
        Merge(
            id=merge_id,
            survivor_id=survivor.id,
            reason=seal_reason(vault, survivor.id, key, reason),
            choices={c.attribute: _taken(c) for c in (*plan.choices, _risk(plan))},
            sealed=vault.seal_bytes(survivor.id, key, ledger),
            merged_at=now,
            merged_by=principal.id,
        )
    )
    await session.flush()
    await fetch(session, _MEMBERS, {"merge": merge_id, "ids": ids})
    await keep_own_risk(session, [survivor.id])
    await fetch(session, _POINT, {"survivor": survivor.id, "ids": ids})
    changed = {name: value for name, value in after.items() if value != plan.before.get(name)}
    await write_survivor(session, vault, survivor, changed)
    await refresh_risk(session, [survivor.id])
    merged = [CustomerRef(customer_id=file.id, ordinal=file.ordinal) for file in members]
    into = CustomerRef(customer_id=survivor.id, ordinal=survivor.ordinal)
    events = [
        CustomersMerged(
            merge_id=merge_id, survivor=into, merged=list(part), merged_at=now, merged_by=principal.id
        )
        for part in in_parts(merged)
    ]
    await emit(session, *events)
    await announce(session, survivor.id, [survivor, *members])
    await compare_again(session, [survivor.id])


def _taken(choice: Choice) -> dict[str, object]:
    origin = str(choice.origin) if choice.origin else None
    return {"rule": choice.rule, "origin": origin, "distinct": choice.distinct}


def _risk(plan: _Plan) -> Choice:
    told = [file for file in (plan.survivor, *plan.named) if file.risk_assessed_at is not None]
    latest = max(told, key=lambda f: (f.risk_assessed_at, f.risk_level or "", f.id), default=plan.survivor)
    levels = {file.risk_level for file in told if file.risk_level}
    origin = latest.id if latest.risk_level else None
    return Choice("risk_level", "latest_assessment", origin, latest.risk_level, len(levels))


def _result(merge_id: UUID | None, plan: _Plan) -> MergeResult:
    personal = mask({c.attribute: c.value for c in plan.choices if c.attribute in FIELDS})
    risk = _risk(plan)
    before = {**plan.before, "risk_level": plan.survivor.risk_level}
    attributes = [
        AttributeChoice.model_validate(
            {
                "attribute": choice.attribute,
                "rule": choice.rule,
                "origin": choice.origin,
                "value": personal.get(choice.attribute, choice.value),
                "distinct": choice.distinct,
                "changed": choice.value != before.get(choice.attribute),
            }
        )
        for choice in (*plan.choices, risk)
    ]
    return MergeResult(
        merge_id=merge_id,
        survivor=plan.survivor.id,
        merged=len(plan.named),
        moved_along=len(plan.moved),
        attributes=attributes,
        conflicts=plan.conflicts,
    )
