"""A customer as it was: one version as of a moment, all changes by field, balances as then believed."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import HISTORIC_FIELDS, PLAIN_FIELDS, changes, open_reason
from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerHistory
from services.customer.queries.customers import opened, views
from services.customer.queries.overview import totals
from shared.contracts.base import Page
from shared.contracts.customer import CustomerView
from shared.contracts.customer.history import FieldChange, HoldingsOn
from shared.db import fetch
from shared.errors import BadRequest, NotFound
from shared.pagination import PageRequest, encode_cursor

_NOT_HERE = "There is no such customer in your organisation"

# Versions of the whole family, each with the one before it. The present is a version too.
_CHANGES = """
WITH family AS (
  SELECT id FROM customer WHERE id = %(customer)s
  UNION ALL SELECT id FROM customer WHERE merged_into = %(customer)s
), versions AS (
  SELECT customer_id, version, recorded_from, changed_by, change_reason, pii, to_jsonb(h) AS plain
  FROM (SELECT customer_id, version, recorded_from, changed_by, change_reason, pii, kind, status, merged_into,
          org_path AS org, primary_manager, backup_manager, gender, birth_date, occupation, industry,
          risk_level, risk_valid_until, customer_since, consents
        FROM customer_history WHERE customer_id IN (SELECT id FROM family)
        UNION ALL
        SELECT id, version, updated_at, changed_by, change_reason, pii, kind, status, merged_into, org_path,
          primary_manager, backup_manager, gender, birth_date, occupation, industry, risk_level,
          risk_valid_until, customer_since, consents
        FROM customer WHERE id IN (SELECT id FROM family)) h
)
SELECT v.customer_id, v.version, v.recorded_from, v.changed_by, v.change_reason, k.wrapped_key,
  v.pii, (v.plain - 'pii')::text, p.pii, (p.plain - 'pii')::text
FROM versions v
LEFT JOIN customer_key k ON k.customer_id = v.customer_id
LEFT JOIN LATERAL (SELECT pii, plain FROM versions b
                   WHERE b.customer_id = v.customer_id AND b.version < v.version
                   ORDER BY b.version DESC LIMIT 1) p ON true
WHERE %(at)s::timestamptz IS NULL
   OR (v.recorded_from, v.customer_id, v.version) <= (%(at)s::timestamptz, %(home)s::uuid, %(version)s::int)
ORDER BY v.recorded_from DESC, v.customer_id DESC, v.version DESC LIMIT %(limit)s
"""

# A date's balance is what was measured last up to it, out of what was believed at `known`: the present row
# if it was recorded by then, else the one it replaced.
_HOLDINGS = """
WITH family AS (
  SELECT id FROM customer WHERE id = %(customer)s
  UNION ALL SELECT id FROM customer WHERE merged_into = %(customer)s
), believed AS (
  SELECT customer_id, account, as_of, balance, recorded_at FROM holding_day
  WHERE customer_id IN (SELECT id FROM family) AND as_of <= %(on)s
    AND (%(known)s::timestamptz IS NULL OR recorded_at IS NULL OR recorded_at <= %(known)s)
  UNION ALL
  SELECT customer_id, account, as_of, balance, recorded_from FROM holding_day_superseded
  WHERE customer_id IN (SELECT id FROM family) AND as_of <= %(on)s
    AND (recorded_from IS NULL OR recorded_from <= %(known)s) AND superseded_at > %(known)s
)
SELECT json_build_object('customer_id', customer_id, 'account', account, 'product', h.product,
  'category', p.category, 'balance', l.balance::text, 'currency', h.currency, 'measured_on', l.as_of,
  'recorded_at', l.recorded_at, 'closed', coalesce(h.closed_on BETWEEN l.as_of AND %(on)s, false))::text
FROM (SELECT DISTINCT ON (customer_id, account) * FROM believed
      ORDER BY customer_id, account, as_of DESC) l
JOIN holding h USING (customer_id, account) JOIN product p ON p.code = h.product
ORDER BY abs(l.balance) DESC, account, customer_id
"""


async def customer_as_of(
    session: AsyncSession, vault: Vault, customer_id: UUID, moment: datetime, *, reveal: bool
) -> CustomerView:
    """The version that was true at `moment`. Identities are today's: source systems do not date them."""
    present = await session.get(Customer, customer_id)
    if present is None:
        raise NotFound(_NOT_HERE)
    if present.updated_at <= moment:
        return (await views(session, vault, [present], reveal=reveal))[0]
    statement = (
        select(CustomerHistory)
        .where(CustomerHistory.customer_id == customer_id, CustomerHistory.recorded_from <= moment)
        .order_by(CustomerHistory.version.desc())
        .limit(1)
    )
    past = (await session.execute(statement)).scalar_one_or_none()
    if past is None:
        raise NotFound("The customer's file did not exist then")
    return (await views(session, vault, [_restored(present, past)], reveal=reveal))[0]


def _restored(present: Customer, past: CustomerHistory) -> Customer:
    """The row as it was, for reading only; it belongs to no session."""
    names = [column.name for column in CustomerHistory.__table__.columns if hasattr(Customer, column.name)]
    values = {name: getattr(past, name) for name in names}
    lasting = {"id": present.id, "ordinal": present.ordinal, "created_at": present.created_at}
    return Customer(**values, **lasting, updated_at=past.recorded_from)


async def field_changes(
    session: AsyncSession, vault: Vault, customer_id: UUID, page: PageRequest, *, reveal: bool
) -> Page[FieldChange]:
    """One page of changes, newest first; of one version in the order of HISTORIC_FIELDS."""
    if await session.get(Customer, customer_id) is None:
        raise NotFound(_NOT_HERE)
    at, home, version, field = _position(page.after())
    parameters = {
        "customer": customer_id,
        "at": at,
        "home": home,
        "version": version,
        "limit": page.limit + 2,
    }
    found: list[FieldChange] = []
    while len(found) <= page.limit:
        rows = await fetch(session, _CHANGES, parameters)
        fresh = [change for row in rows for change in _of_version(vault, row, reveal=reveal)]
        found += fresh[_behind(fresh, home, version, field) :]
        if len(rows) < page.limit + 2:
            break
        home, version, field = rows[-1][0], rows[-1][1], HISTORIC_FIELDS[-1]
        parameters |= {"at": rows[-1][2], "home": home, "version": version}
    shown = found[: page.limit]
    more = len(found) > page.limit
    last = shown[-1] if shown else None
    cursor = encode_cursor([last.at, last.customer_id, last.version, last.field]) if more and last else None
    return Page[FieldChange](items=shown, next_cursor=cursor)


def _behind(fresh: Sequence[FieldChange], home: UUID | None, version: int | None, field: str | None) -> int:
    """How many of `fresh` were shown before: those of the cursor's version up to its field."""
    if field is None:
        return 0
    return sum(
        change.customer_id == home
        and change.version == version
        and HISTORIC_FIELDS.index(change.field) <= HISTORIC_FIELDS.index(field)
        for change in fresh
    )


def _of_version(vault: Vault, row: Sequence[Any], *, reveal: bool) -> Iterator[FieldChange]:
    customer_id, version, at, by, reason, key, pii, plain, old_pii, old_plain = row
    after = _state(vault, customer_id, key, pii, plain)
    before = _state(vault, customer_id, key, old_pii, old_plain) if old_plain else None
    shown_after, shown_before = after, before
    if not reveal:
        shown_after = {**after, **opened(vault, customer_id, key if pii else None, pii, reveal=False)}
        if before is not None:
            masked = opened(vault, customer_id, key if old_pii else None, old_pii, reveal=False)
            shown_before = {**before, **masked}
    for field, _, _ in changes(before, after):
        yield FieldChange(
            field=field,
            before=shown_before.get(field) if shown_before else None,
            after=shown_after.get(field),
            at=at,
            by=by,
            reason=open_reason(vault, customer_id, key, reason),
            version=version,
            customer_id=customer_id,
        )


def _state(vault: Vault, customer_id: UUID, key: bytes | None, pii: bytes, plain: str) -> dict[str, Any]:
    values = orjson.loads(plain)
    personal = opened(vault, customer_id, key if pii else None, pii, reveal=True)
    return {**personal, **{field: values[field] for field in PLAIN_FIELDS}}


def _position(after: Sequence[Any] | None) -> tuple[datetime | None, UUID | None, int | None, str | None]:
    match after:
        case None:
            return None, None, None, None
        case [datetime() as at, UUID() as home, int() as version, str() as field] if field in HISTORIC_FIELDS:
            return at, home, version, field
        case _:
            raise BadRequest("Pass `next_cursor` of the page before, unchanged")


async def holdings_on(
    session: AsyncSession, customer_id: UUID, on: date, known: datetime | None
) -> HoldingsOn:
    """Balances of the whole family on a business date, as known today or at `known`."""
    if await session.get(Customer, customer_id) is None:
        raise NotFound(_NOT_HERE)
    rows = await fetch(session, _HOLDINGS, {"customer": customer_id, "on": on, "known": known})
    items = [orjson.loads(row[0]) for row in rows]
    held = [{**item, "closed_on": on if item["closed"] else None} for item in items]
    return HoldingsOn.model_validate({"as_of": on, "known_at": known, "totals": totals(held), "items": items})
