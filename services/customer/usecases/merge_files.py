"""The customers a merge or its undoing is about: locked in one order, read whole, announced when changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.matching import MATCH_VERSION, match_keys
from services.customer.domain.survivorship import PLAIN, Profile
from services.customer.domain.vault import FIELDS, Vault
from services.customer.models import Customer
from services.customer.usecases.consents import Told, announce_consents
from services.customer.usecases.effects import touch
from services.customer.usecases.publishing import publish_customers
from shared.contracts.events import BATCH_ITEMS
from shared.db import fetch
from shared.errors import Conflict

# Always in the order of ids, whatever is merged into what: two merges wait for each other, never in a ring.
_LOCK = """
SELECT id FROM customer WHERE id = ANY(%(ids)b::uuid[]) OR merged_into = ANY(%(ids)b::uuid[])
ORDER BY id FOR NO KEY UPDATE
"""

_LOAD = """
SELECT c.id, c.ordinal, c.kind, c.status, c.merged_into, c.org_path, c.primary_manager, c.backup_manager,
  c.updated_at, k.wrapped_key, c.pii, c.risk_level, c.risk_assessed_at, jsonb_build_object(
    'gender', c.gender, 'birth_date', c.birth_date, 'occupation', c.occupation, 'industry', c.industry,
    'customer_since', c.customer_since)
FROM customer c LEFT JOIN customer_key k ON k.customer_id = c.id
WHERE c.id = ANY(%(ids)b::uuid[]) OR c.merged_into = ANY(%(ids)b::uuid[])
"""

_CONSENTS = """
SELECT DISTINCT coalesce(c.merged_into, c.id), k.channel, k.purpose
FROM consent k JOIN customer c ON c.id = k.customer_id
WHERE c.id = ANY(%(ids)b::uuid[]) OR c.merged_into = ANY(%(ids)b::uuid[])
ORDER BY 1, 2, 3
"""


_TOUCHED = """
UPDATE merge m SET touched = (
  SELECT jsonb_agg(DISTINCT name) FROM (
    SELECT jsonb_array_elements_text(m.touched) UNION SELECT unnest(%(names)b::text[])) AS t(name))
WHERE survivor_id = %(survivor)s AND undone_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class MergeFile:
    """One customer as it stands; the personal data still sealed."""

    id: UUID
    ordinal: int
    kind: str
    status: str
    merged_into: UUID | None
    org: str
    primary_manager: str | None
    backup_manager: str | None
    updated_at: datetime
    wrapped_key: bytes | None
    pii: bytes
    risk_level: str | None
    risk_assessed_at: datetime | None
    plain: Mapping[str, str | None]

    def personal(self, vault: Vault) -> dict[str, str | None]:
        """All null once the key was destroyed."""
        if self.wrapped_key is None:
            return dict.fromkeys(FIELDS)
        return vault.open(self.id, self.wrapped_key, self.pii)

    def profile(self, vault: Vault) -> Profile:
        return Profile(self.id, self.updated_at, {**self.personal(vault), **self.plain})


async def load_files(
    session: AsyncSession, ids: Collection[UUID], *, lock: bool = True
) -> dict[UUID, MergeFile]:
    """These customers and everybody merged into them. 409 when that changed while waiting for the locks."""
    parameters = {"ids": list(ids)}
    locked = {row[0] for row in await fetch(session, _LOCK, parameters)} if lock else None
    files = {row[0]: MergeFile(*row) for row in await fetch(session, _LOAD, parameters)}
    if locked is not None and locked != files.keys():
        raise Conflict("One of the customers was merged or separated meanwhile: try again", slug="changed")
    return files


async def write_survivor(
    session: AsyncSession, vault: Vault, survivor: MergeFile, values: Mapping[str, str | None]
) -> None:
    """Give the survivor these attribute values; personal ones are sealed anew under its own key."""
    columns: dict[str, Any] = {}
    if survivor.wrapped_key is not None and any(name in values for name in FIELDS):
        personal = {**survivor.personal(vault), **{name: values[name] for name in FIELDS if name in values}}
        sealed = vault.seal(survivor.id, personal, survivor.wrapped_key)
        columns = {"pii": sealed.pii, "pii_digest": sealed.digest, "match_version": MATCH_VERSION}
        columns |= match_keys(vault, personal)._asdict()
    types = Customer.__table__.columns
    for name in PLAIN:
        if name in values:
            value = values[name]
            is_date = types[name].type.python_type.__name__ == "date"
            columns[name] = datetime.fromisoformat(value).date() if value and is_date else value
    if columns:
        await session.execute(update(Customer).where(Customer.id == survivor.id).values(**columns))


async def note_touched(session: AsyncSession, survivor: UUID, attributes: Collection[str]) -> None:
    """Somebody set these attributes of a survivor: undoing its merges will leave them."""
    if attributes:
        await fetch(session, _TOUCHED, {"survivor": survivor, "names": list(attributes)})


async def announce(
    session: AsyncSession, survivor: UUID, before: Iterable[MergeFile], separated: Collection[UUID] = ()
) -> None:
    """New versions of all of `before`, their owners and consents, for the other services."""
    ids = [file.id for file in before]
    await touch(session, ids)
    await publish_customers(session, ids)
    told = await fetch(session, _CONSENTS, {"ids": [survivor, *separated]})
    await announce_consents(session, [Told(*row) for row in told])


def in_parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """As many as one event may carry."""
    return (items[start : start + BATCH_ITEMS] for start in range(0, len(items), BATCH_ITEMS))
