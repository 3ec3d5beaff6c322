"""Consents of a person's whole family of files: what holds now, and every word ever given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.models import Customer
from services.customer.models.consent import NO_END
from shared import clock
from shared.contracts.customer.consents import ConsentEntryView, ConsentsView, ConsentView, Proof
from shared.db import fetch
from shared.errors import BadRequest, NotFound
from shared.pagination import PageRequest, encode_cursor

_PRESENT = """
SELECT DISTINCT ON (channel, purpose) channel, purpose, granted AND coalesce(valid_until >= %(today)s, true),
  granted AND coalesce(valid_until < %(today)s, false), changed_at, valid_until, source
FROM consent WHERE customer_id = ANY(%(customer)s::uuid || ARRAY(
  SELECT id FROM customer WHERE merged_into = %(customer)s))
ORDER BY channel, purpose, changed_at DESC, consent.granted, source DESC
"""

_LEDGER = """
SELECT e.*, k.wrapped_key FROM (
  SELECT customer_id, channel, purpose, granted, changed_at, nullif(valid_until, %(no_end)s::date),
    proof_kind, proof_reference, proof_hash, source, recorded_at, recorded_by,
    concat_ws('/', customer_id, channel, purpose, granted, source, valid_until) COLLATE "C" AS n
  FROM consent_entry WHERE customer_id = ANY(%(customer)s::uuid || ARRAY(
    SELECT id FROM customer WHERE merged_into = %(customer)s))) e
LEFT JOIN customer_key k ON k.customer_id = e.customer_id
WHERE %(at)s::timestamptz IS NULL OR (changed_at, n) < (%(at)s, %(n)s::text COLLATE "C")
ORDER BY changed_at DESC, n DESC LIMIT %(limit)s
"""


async def present_consents(session: AsyncSession, customer_id: UUID) -> list[ConsentView]:
    """The latest word by channel and purpose, of all files merged into this one too."""
    rows = await fetch(session, _PRESENT, {"customer": customer_id, "today": clock.today()})
    return [ConsentView.model_validate(dict(zip(ConsentView.model_fields, row, strict=True))) for row in rows]


async def consents(
    session: AsyncSession, vault: Vault, customer_id: UUID, page: PageRequest, *, reveal: bool
) -> ConsentsView:
    """404 when the customer is not visible; references of proofs only when revealed."""
    if await session.get(Customer, customer_id) is None:
        raise NotFound("There is no such customer in your organisation")
    at, n = _position(page.after())
    parameters = {"customer": customer_id, "no_end": NO_END, "at": at, "n": n, "limit": page.limit + 1}
    rows = await fetch(session, _LEDGER, parameters)
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return ConsentsView(
        present=await present_consents(session, customer_id),
        ledger=[_entry(vault, row, reveal=reveal) for row in shown],
        next_cursor=encode_cursor([shown[-1][4], shown[-1][12]]) if more else None,
    )


def _entry(vault: Vault, row: Sequence[Any], *, reveal: bool) -> ConsentEntryView:
    customer_id, channel, purpose, granted, changed_at, valid_until, kind, sealed, digest = row[:9]
    reference = None
    if reveal and sealed is not None and row[13] is not None:
        reference = vault.open_bytes(customer_id, row[13], sealed).decode()
    return ConsentEntryView(
        customer_id=customer_id,
        channel=channel,
        purpose=purpose,
        granted=granted,
        changed_at=changed_at,
        valid_until=valid_until,
        proof=Proof(kind=kind, reference=reference, hash=digest) if kind else None,
        source=row[9],
        recorded_at=row[10],
        recorded_by=row[11],
    )


def _position(after: Sequence[Any] | None) -> tuple[datetime | None, str | None]:
    match after:
        case None:
            return None, None
        case [datetime() as at, str() as n]:
            return at, n
        case _:
            raise BadRequest("Pass `next_cursor` of the page before, unchanged")
