"""Customers by a part of their name, without a name in the clear anywhere.

Keyed hashes of the pieces of the part find candidates; their names are opened and compared.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.matching import normal_name, search_keys
from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerKey
from services.customer.queries.customers import HOME, views
from shared.contracts.base import Page
from shared.contracts.customer import CustomerView
from shared.db import fetch
from shared.errors import BadRequest, FieldError, Unprocessable
from shared.pagination import PageRequest, encode_cursor

_CANDIDATES = "SELECT customers_named(%(keys)b::bigint[], %(after)s::uuid, %(most)s::int)"
_GROWTH = 4
_MOST = 10_000


async def list_by_name(
    session: AsyncSession, vault: Vault, statement: Select[Customer], part: str, page: PageRequest
) -> Page[CustomerView]:
    """Those of `statement` with `part` in their name or in the name of one merged into them; masked."""
    keys = search_keys(vault, part)
    if keys is None:
        raise Unprocessable(
            "The part of the name is too short",
            errors=[FieldError("/query/name", "needs one Chinese character or three letters or digits")],
        )
    after, most = _position(page.after()), page.limit + 1
    found: list[Customer] = []
    while len(found) <= page.limit:
        rows = await fetch(session, _CANDIDATES, {"keys": keys, "after": after, "most": most})
        found += await _really_named(session, vault, statement, [row[0] for row in rows], keys, part)
        if len(rows) < most:
            break
        # Other conditions may leave few of many candidates: look at ever more of them at once.
        after, most = rows[-1][0], min(most * _GROWTH, _MOST)
    items, more = found[: page.limit], len(found) > page.limit
    shown = await views(session, vault, items, reveal=False)
    return Page[CustomerView](items=shown, next_cursor=encode_cursor([items[-1].id]) if more else None)


async def _really_named(
    session: AsyncSession,
    vault: Vault,
    statement: Select[Customer],
    files: Sequence[UUID],
    keys: list[int],
    part: str,
) -> list[Customer]:
    """The customers among the candidates that meet the statement and have the part in an opened name."""
    wanted = statement.where(Customer.id.in_(files)).order_by(Customer.id)
    customers: Sequence[Any] = (await session.scalars(wanted)).all()
    ids = [customer.id for customer in customers]
    rows = await session.execute(
        select(HOME.id, HOME.merged_into, HOME.pii, CustomerKey.wrapped_key)
        .join(CustomerKey, CustomerKey.customer_id == HOME.id)
        .where(or_(HOME.id.in_(ids), HOME.merged_into.in_(ids)), HOME.name_grams.contains(keys))
    )
    text = normal_name(part)
    named = {
        survivor or home
        for home, survivor, pii, key in rows
        if text in normal_name(vault.open(home, key, pii)["name"] or "")
    }
    return [customer for customer in customers if customer.id in named]


def _position(after: Sequence[Any] | None) -> UUID | None:
    match after:
        case None:
            return None
        case [UUID() as last]:
            return last
        case _:
            raise BadRequest(
                "Pass `next_cursor` of the page before, unchanged, or leave the cursor out.",
                errors=[FieldError("/query/cursor", "is not a cursor of this list")],
            )
