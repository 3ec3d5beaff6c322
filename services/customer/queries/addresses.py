"""Addresses for messages: of those who are active and agree to the channel now, and of nobody else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from shared import clock
from shared.contracts.customer.addresses import AddressChannel, CustomerAddress
from shared.db import fetch

_FIELD: Mapping[AddressChannel, str] = {"sms": "phone", "email": "email"}

# The last word of the whole family, and of two at one instant the refusal.
_FILES = """
SELECT asked.n, person.id, person.status, person.kind, person.gender, person.pii, k.wrapped_key, said.agreed
FROM unnest(%(ids)b::uuid[]) WITH ORDINALITY AS asked(id, n)
JOIN customer home ON home.id = asked.id
JOIN customer person
  ON person.id = CASE WHEN home.merged_into IS NULL THEN home.id ELSE home.merged_into END
LEFT JOIN customer_key k ON k.customer_id = person.id
LEFT JOIN LATERAL (
  SELECT o.granted AND coalesce(o.valid_until >= %(today)s, true) AS agreed FROM consent o
  WHERE o.channel = %(channel)s AND o.purpose = 'marketing' AND o.customer_id = ANY(
    person.id || ARRAY(SELECT id FROM customer WHERE merged_into = person.id))
  ORDER BY o.changed_at DESC, o.granted LIMIT 1
) AS said ON true
"""


async def addresses(
    session: AsyncSession, vault: Vault, channel: AddressChannel, customers: Sequence[UUID]
) -> list[CustomerAddress]:
    """In the order asked; the reason where there is none."""
    rows = await fetch(session, _FILES, {"ids": list(customers), "channel": channel, "today": clock.today()})
    found = {row[0]: row[1:] for row in rows}
    return [
        CustomerAddress(customer_id=asked, **_said(vault, channel, found.get(number)))
        for number, asked in enumerate(customers, start=1)
    ]


def _said(vault: Vault, channel: AddressChannel, row: Sequence[Any] | None) -> dict[str, Any]:
    if row is None:
        return {"refused": "unknown"}
    person, status, kind, gender, pii, wrapped_key, agreed = row
    if status != "active" or wrapped_key is None:
        return {"refused": "inactive"}
    if not agreed:
        return {"refused": "consent"}
    personal = vault.open(person, wrapped_key, pii)
    address = str(person) if channel == "app" else personal[_FIELD[channel]]
    if not address:
        return {"refused": "no_address"}
    return {"address": address, "name": personal["name"], "kind": kind, "gender": gender}
