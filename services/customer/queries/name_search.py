"""Customers by a part of their name, without a name in the clear anywhere.

Keyed hashes of the pieces of the part find candidates; their names are opened and compared. A page may so be
shorter than asked for, never wrong, and paging goes on behind the last candidate.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.matching import normal_name, search_keys
from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerKey
from services.customer.queries.customers import HOME, file_with, views
from shared.contracts.base import Page
from shared.contracts.customer import CustomerView
from shared.errors import FieldError, Unprocessable
from shared.pagination import PageRequest, paginate


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
    wanted = statement.where(Customer.id.in_(file_with(HOME.name_grams.contains(keys))))
    while True:
        found: Page[Any] = await paginate(session, wanted, [Customer.id], page, lambda row: row[0])
        named = await _really_named(session, vault, [c.id for c in found.items], keys, normal_name(part))
        kept = [customer for customer in found.items if customer.id in named]
        if kept or found.next_cursor is None:
            shown = await views(session, vault, kept, reveal=False)
            return Page[CustomerView](items=shown, next_cursor=found.next_cursor)
        page = PageRequest(page.limit, found.next_cursor)


async def _really_named(
    session: AsyncSession, vault: Vault, ids: Sequence[UUID], keys: list[int], part: str
) -> set[UUID]:
    rows = await session.execute(
        select(HOME.id, HOME.merged_into, HOME.pii, CustomerKey.wrapped_key)
        .join(CustomerKey, CustomerKey.customer_id == HOME.id)
        .where(or_(HOME.id.in_(ids), HOME.merged_into.in_(ids)), HOME.name_grams.contains(keys))
    )
    return {
        survivor or home
        for home, survivor, pii, key in rows
        if part in normal_name(vault.open(home, key, pii)["name"] or "")
    }
