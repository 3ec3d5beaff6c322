"""One chunk of a customer file: sealed row by row, then inserted or updated as a set, and published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.matching import MATCH_VERSION, MatchKeys, array_text, match_keys
from services.customer.domain.vault import FIELDS, Vault
from services.customer.models import OrgUnit, Staff
from services.customer.usecases import import_statements as sql
from services.customer.usecases.consents import change_consents
from services.customer.usecases.effects import touch
from services.customer.usecases.families import lock_identified
from services.customer.usecases.import_families import heads_of, keep_merged_in
from services.customer.usecases.import_reading import Chunk, ChunkResult, Rejection
from services.customer.usecases.ownership import name_cause
from services.customer.usecases.publishing import publish_customers
from services.customer.usecases.recording import announce_arrivals, apply_parked
from services.customer.usecases.tombstones import buried
from shared.db import fetch
from shared.ids import new_id

_CHANNELS = ("call", "sms", "email")
_TRUE = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class _Known:
    customer_id: UUID
    digest: bytes
    consents: dict[str, bool]
    wrapped_key: bytes | None


@dataclass(slots=True)
class CustomerRows:
    """Takes the rows of one customer file; `uploaded_at` is when their risk levels and consents were told."""

    vault: Vault
    uploaded_at: datetime
    _mostly_new: bool = True

    async def begin(self, session: AsyncSession) -> None:
        """Nothing to know before."""

    def prepare(self, chunk: Chunk) -> Chunk:
        """Hashes of every row; while customers turn out to be new, their keys and ciphertexts too."""
        personal = [dict(zip(FIELDS, row, strict=True)) for row in _rows(chunk, FIELDS)]
        keys = [match_keys(self.vault, one) for one in personal]
        chunk.made |= {name: [getattr(one, name) for one in keys] for name in MatchKeys._fields}
        chunk.made["name_grams"] = [array_text(one.name_grams) for one in keys]
        chunk.made["personal"] = personal
        if self._mostly_new:
            self._seal(chunk)
        else:
            chunk.made["digest"] = [self.vault.digest(one) for one in personal]
        return chunk

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        """Apply one chunk. Importing the same rows again changes nothing."""
        await name_cause(session, "import")
        chunk = chunk.without(_repeated(chunk))
        chunk = chunk.without(await _unknown_references(session, chunk))
        await announce_arrivals(session, [source for source in chunk.columns["source"] if source])
        chunk = chunk.without(await _forgotten(session, self.vault, chunk))
        known = await _known(session, chunk)
        chunk, known = await _without_hidden(session, chunk, known)
        fresh = [position for position in range(len(chunk.rows)) if position not in known]
        self._mostly_new = len(fresh) >= len(known)
        if fresh and "wrapped_key" not in chunk.made:
            self._seal(chunk)
        customers = {position: one.customer_id for position, one in known.items()}
        chunk = await keep_merged_in(session, self.vault, chunk, customers)
        created, lost = await _create(session, chunk, fresh, self.uploaded_at)
        updated = await _update(session, self.vault, chunk, known, self.uploaded_at)
        if updated:
            updated |= await heads_of(session, updated)
            await touch(session, updated)
        await publish_customers(session, [*created, *updated])
        await apply_parked(session, self.vault, created)
        return ChunkResult(
            rejected=[*chunk.rejected, *lost],
            created=len(created),
            updated=len(updated & set(customers.values())),
            unchanged=len(known) - len(updated & set(customers.values())),
        )

    def _seal(self, chunk: Chunk) -> None:
        ids = [new_id() for _ in chunk.rows]
        sealed = [self.vault.seal(i, one) for i, one in zip(ids, chunk.made["personal"], strict=True)]
        chunk.made["id"] = ids
        chunk.made["pii"] = [one.pii for one in sealed]
        chunk.made["digest"] = [one.digest for one in sealed]
        chunk.made["wrapped_key"] = [one.wrapped_key for one in sealed]


async def _forgotten(session: AsyncSession, vault: Vault, chunk: Chunk) -> list[Rejection]:
    pairs = [
        (source or "", source_id or "")
        for source, source_id in zip(chunk.columns["source"], chunk.columns["source_id"], strict=True)
    ]
    found = await buried(session, vault, pairs)
    return [
        Rejection(row, "source_id", "belongs to a person who asked not to be collected again")
        for row, pair in zip(chunk.rows, pairs, strict=True)
        if pair in found
    ]


def _repeated(chunk: Chunk) -> list[Rejection]:
    """Of rows with one identity the last one counts."""
    identities = list(zip(chunk.columns["source"], chunk.columns["source_id"], strict=True))
    last = dict(zip(identities, chunk.rows, strict=True))
    return [
        Rejection(row, "source_id", f"is repeated by row {last[pair]}")
        for pair, row in zip(identities, chunk.rows, strict=True)
        if last[pair] != row
    ]


async def _unknown_references(session: AsyncSession, chunk: Chunk) -> list[Rejection]:
    orgs, staff = set(chunk.columns["org"]), set()
    for name in ("primary_manager", "backup_manager"):
        staff |= set(chunk.columns[name])
    units = set(await session.scalars(select(OrgUnit.code).where(OrgUnit.code.in_(orgs))))
    people = {None, *await session.scalars(select(Staff.code).where(Staff.code.in_(staff - {None})))}
    rejected = [
        Rejection(row, "org", "is not a unit you can see")
        for row, org in zip(chunk.rows, chunk.columns["org"], strict=True)
        if org not in units
    ]
    for name in ("primary_manager", "backup_manager"):
        rejected += [
            Rejection(row, name, "is not staff you can see")
            for row, code in zip(chunk.rows, chunk.columns[name], strict=True)
            if code not in people
        ]
    managers = zip(chunk.columns["primary_manager"], chunk.columns["backup_manager"], strict=True)
    rejected += [
        Rejection(row, "backup_manager", "must differ from primary_manager")
        for row, (primary, backup) in zip(chunk.rows, managers, strict=True)
        if primary is not None and primary == backup
    ]
    return rejected


async def _known(session: AsyncSession, chunk: Chunk) -> dict[int, _Known]:
    """Positions of rows whose customer exists, locked with all who follow it and whom it speaks for."""
    await lock_identified(session, _identities(chunk))
    rows = await fetch(session, sql.EXISTING, _identities(chunk))
    return {row[0]: _Known(*row[1:]) for row in rows}


async def _without_hidden(
    session: AsyncSession, chunk: Chunk, known: dict[int, _Known]
) -> tuple[Chunk, dict[int, _Known]]:
    """Refuse rows whose customer belongs to a branch the uploader does not see."""
    taken = {tuple(row) for row in await fetch(session, sql.TAKEN, _identities(chunk))}
    if len(taken) == len(known):
        return chunk, known
    pairs = zip(chunk.columns["source"], chunk.columns["source_id"], strict=True)
    hidden = [
        Rejection(chunk.rows[position], "source_id", "belongs to a customer of another organisation")
        for position, pair in enumerate(pairs)
        if pair in taken and position not in known
    ]
    chunk = chunk.without(hidden)
    return chunk, await _known(session, chunk)


async def _create(
    session: AsyncSession, chunk: Chunk, fresh: list[int], uploaded_at: datetime
) -> tuple[list[UUID], list[Rejection]]:
    if not fresh:
        return [], []
    parameters = {**_columns(chunk, fresh), "at": uploaded_at}
    ids: list[UUID] = parameters["id"]
    parameters["consents"] = [orjson.dumps(_stated(chunk, position)).decode() for position in fresh]
    await fetch(session, sql.INSERT_CUSTOMERS, parameters)
    await fetch(session, sql.INSERT_KEYS, parameters)
    named = {row[0] for row in await fetch(session, sql.INSERT_IDENTITIES, parameters)}
    lost = [p for i, p in zip(ids, fresh, strict=True) if i not in named]
    if lost:
        await fetch(session, sql.DELETE_NAMELESS, {"id": [i for i in ids if i not in named]})
    kept = [(i, p) for i, p in zip(ids, fresh, strict=True) if i in named]
    consents = [row for i, p in kept for row in _consents(chunk, p, i, {}, uploaded_at)]
    await change_consents(session, consents, announce=False)
    rejected = [Rejection(chunk.rows[p], "source_id", "was created by someone else meanwhile") for p in lost]
    return [i for i, _ in kept], rejected


async def _update(
    session: AsyncSession, vault: Vault, chunk: Chunk, known: dict[int, _Known], uploaded_at: datetime
) -> set[UUID]:
    """Change what differs; who changed. Of several identities of one customer the last row counts."""
    if not known:
        return set()
    last = {one.customer_id: position for position, one in sorted(known.items())}
    ids, positions = list(last), list(last.values())
    parameters = {**_columns(chunk, positions), "id": ids, "at": uploaded_at}
    changed = {row[0] for row in await fetch(session, sql.UPDATE_CUSTOMERS, parameters)}
    changed |= {row[0] for row in await fetch(session, sql.FOLLOW_SURVIVORS, {"id": list(changed)})}
    changed |= await _reseal(session, vault, chunk, [(known[p], p) for p in positions])
    consents = [
        row for i, p in last.items() for row in _consents(chunk, p, i, known[p].consents, uploaded_at)
    ]
    return changed | await change_consents(session, consents)


async def _reseal(
    session: AsyncSession, vault: Vault, chunk: Chunk, pairs: list[tuple[_Known, int]]
) -> set[UUID]:
    """Personal data that differs is sealed anew; of the erased it is not taken."""
    moved = [
        (one.customer_id, one.wrapped_key, p)
        for one, p in pairs
        if one.wrapped_key and chunk.made["digest"][p] != one.digest
    ]
    if not moved:
        return set()
    sealed = [vault.seal(customer_id, chunk.made["personal"][p], key) for customer_id, key, p in moved]
    parameters = _columns(chunk, [p for _, _, p in moved])
    parameters["id"] = [customer_id for customer_id, _, _ in moved]
    parameters["pii"] = [one.pii for one in sealed]
    await fetch(session, sql.UPDATE_SECRETS, parameters)
    return set(parameters["id"])


def _identities(chunk: Chunk) -> dict[str, Sequence[str | None]]:
    return {"source": chunk.columns["source"], "source_id": chunk.columns["source_id"]}


def _rows(chunk: Chunk, names: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
    return zip(*(chunk.columns[name] for name in names), strict=True)


def _columns(chunk: Chunk, positions: list[int]) -> dict[str, Any]:
    """The chunk's columns at `positions`, and what was made of the personal ones instead of themselves."""
    columns: dict[str, Sequence[Any]] = {**chunk.columns, **chunk.made}
    return {
        "match_version": MATCH_VERSION,
        **{
            name: list(values)
            if len(positions) == len(chunk.rows)
            else [values[position] for position in positions]
            for name, values in columns.items()
            if name not in FIELDS and name != "personal"
        },
    }


def _consents(
    chunk: Chunk, position: int, customer_id: UUID, before: dict[str, bool], at: datetime
) -> list[tuple[UUID, str, bool, object, str]]:
    """Consents the row states and that differ from `before`."""
    source = chunk.columns["source"][position] or ""
    return [
        (customer_id, channel, granted, at, source)
        for channel, granted in _stated(chunk, position).items()
        if before.get(channel) != granted
    ]


def _stated(chunk: Chunk, position: int) -> dict[str, bool]:
    stated = {channel: chunk.columns[f"consent_{channel}"][position] for channel in _CHANNELS}
    return {channel: value in _TRUE for channel, value in stated.items() if value is not None}
