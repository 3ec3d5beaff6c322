"""One chunk of a consents file: each row a word of a customer, into the ledger whatever its age."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.usecases.consents import MARKETING, Word, change_consents
from services.customer.usecases.effects import touch
from services.customer.usecases.families import lock_identified
from services.customer.usecases.import_reading import Chunk, ChunkResult, Rejection
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.db import fetch

_TRUE = frozenset({"true", "1"})
_CLOCKS_DIFFER = timedelta(minutes=5)

# The file the word was told for, its key, and whom it was merged into. Whoever is not locked yet with his
# family came since.
_LOOK_UP = """
SELECT (i.n - 1)::int, c.id, k.wrapped_key, c.merged_into
FROM unnest(%(source)b::text[], %(source_id)b::text[]) WITH ORDINALITY AS i(source, source_id, n)
JOIN source_identity s USING (source, source_id) JOIN customer c ON c.id = s.customer_id
JOIN customer_key k ON k.customer_id = c.id
ORDER BY c.id FOR NO KEY UPDATE OF c
"""

_SAID = """
SELECT (i.n - 1)::int
FROM unnest(%(customer_id)b::uuid[], %(channel)b::text[], %(purpose)b::text[], %(changed_at)b::timestamptz[],
            %(granted)b::boolean[], %(source)b::text[], %(valid_until)b::date[]) WITH ORDINALITY
  AS i(customer_id, channel, purpose, changed_at, granted, source, valid_until, n)
JOIN consent_entry e ON e.customer_id = i.customer_id AND e.channel = i.channel AND e.purpose = i.purpose
  AND e.changed_at = i.changed_at AND e.granted = i.granted AND e.source = i.source
  AND e.valid_until = coalesce(i.valid_until, '9999-12-31')
"""


@dataclass(frozen=True, slots=True)
class ConsentRows:
    """Takes the rows of one consents file; a word the ledger has already is unchanged."""

    vault: Vault

    async def begin(self, session: AsyncSession) -> None:
        """Nothing to know before."""

    def prepare(self, chunk: Chunk) -> Chunk:
        return chunk.without(_impossible(chunk))

    async def take(self, session: AsyncSession, chunk: Chunk) -> ChunkResult:
        identities = {"source": chunk.columns["source"], "source_id": chunk.columns["source_id"]}
        await lock_identified(session, identities)
        found = {row[0]: row[1:] for row in await fetch(session, _LOOK_UP, identities)}
        unknown = [
            Rejection(row, "source_id", "is no customer you can see")
            for position, row in enumerate(chunk.rows)
            if position not in found
        ]
        words = [self._word(chunk, p, found[p][0], found[p][1]) for p in sorted(found)]
        said = await _said(session, words)
        new = [word for place, word in enumerate(words) if place not in said]
        changed = await change_consents(session, new)
        survivors = {merged for home, _key, merged in found.values() if merged and home in changed}
        if changed:
            await touch(session, changed | survivors)
            await publish_customers(session, list(changed | survivors))
        return ChunkResult(
            rejected=[*chunk.rejected, *unknown], created=len(new), unchanged=len(words) - len(new)
        )

    def _word(self, chunk: Chunk, position: int, customer_id: UUID, wrapped_key: bytes) -> Word:
        row = {name: values[position] for name, values in chunk.columns.items()}
        reference = row["proof_reference"]
        return Word(
            customer_id,
            row["channel"] or "",
            row["granted"] in _TRUE,
            datetime.fromisoformat(row["changed_at"] or ""),
            row["source"] or "",
            row["purpose"] or MARKETING,
            date.fromisoformat(row["valid_until"]) if row["valid_until"] else None,
            row["proof_kind"],
            row["proof_hash"],
            self.vault.seal_bytes(customer_id, wrapped_key, reference.encode()) if reference else None,
        )


async def _said(session: AsyncSession, words: list[Word]) -> set[int]:
    if not words:
        return set()
    names = ("customer_id", "channel", "purpose", "changed_at", "granted", "source", "valid_until")
    columns = {name: [getattr(word, name) for word in words] for name in names}
    return {row[0] for row in await fetch(session, _SAID, columns)}


def _impossible(chunk: Chunk) -> list[Rejection]:
    latest = clock.now() + _CLOCKS_DIFFER
    columns = (chunk.columns[name] for name in ("granted", "changed_at", "valid_until"))
    rejected = []
    for row, granted, at, until in zip(chunk.rows, *columns, strict=True):
        try:
            said = datetime.fromisoformat(at or "")
        except ValueError:
            rejected.append(Rejection(row, "changed_at", "is not a real time"))
            continue
        if said > latest:
            rejected.append(Rejection(row, "changed_at", "is in the future"))
        if until is not None and granted not in _TRUE:
            rejected.append(Rejection(row, "valid_until", "is for a consent, not for a refusal"))
        elif until is not None and until < said.astimezone(clock.ZONE).date().isoformat():
            rejected.append(Rejection(row, "valid_until", "is before the consent was given"))
    return rejected
