"""Reading customers: one, by filter, by identity. Personal fields come out masked unless revealed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.customer.domain.masking import mask
from services.customer.domain.vault import FIELDS, Vault
from services.customer.models import Customer, CustomerKey, SourceIdentity
from shared.contracts.base import Page
from shared.contracts.customer import Attributes, CustomerView, ResolvedCustomer
from shared.contracts.customer import SourceIdentity as Identity
from shared.db import fetch
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_PLAIN = (
    *Attributes.model_fields,
    "id",
    "ordinal",
    "version",
    "kind",
    "status",
    "merged_into",
    "primary_manager",
    "backup_manager",
    "consents",
    "created_at",
    "updated_at",
)

HOME = aliased(Customer)
"""A customer facts were recorded for, merged since or not."""

_RESOLVE = """
SELECT i.n, c.id, c.ordinal, v.id, v.ordinal
FROM unnest(%(sources)b::text[], %(source_ids)b::text[]) WITH ORDINALITY AS i(source, source_id, n)
JOIN source_identity s USING (source, source_id) JOIN customer c ON c.id = s.customer_id
LEFT JOIN customer v ON v.id = c.merged_into
"""


async def customer_view(
    session: AsyncSession, vault: Vault, customer_id: UUID, *, reveal: bool = False
) -> CustomerView:
    """404 when there is none or it belongs to another branch: the two look the same from outside."""
    customer = await session.get(Customer, customer_id)
    if customer is None:
        raise NotFound("There is no such customer in your organisation")
    return (await views(session, vault, [customer], reveal=reveal))[0]


async def list_customers(
    session: AsyncSession, vault: Vault, statement: Select[Customer], page: PageRequest
) -> Page[CustomerView]:
    found: Page[Any] = await paginate(session, statement, [Customer.id], page, lambda row: row[0])
    shown = await views(session, vault, found.items, reveal=False)
    return Page[CustomerView](items=shown, next_cursor=found.next_cursor)


def matching(
    vault: Vault,
    *,
    org: str | None = None,
    manager: str | None = None,
    identity: Identity | None = None,
    phone: str | None = None,
    id_number: str | None = None,
) -> Select[Customer]:
    """All given conditions together. Phone and identity number compare by keyed hash.

    What was merged is found by its own identities and numbers too, as its survivor.
    """
    statement = select(Customer).where(Customer.merged_into.is_(None))
    if org is not None:
        statement = statement.where(
            or_(Customer.org_path == org, Customer.org_path.startswith(org + ".", autoescape=True))
        )
    if manager is not None:
        statement = statement.where(
            or_(Customer.primary_manager == manager, Customer.backup_manager == manager)
        )
    if identity is not None:
        owner = select(SourceIdentity.customer_id).where(
            SourceIdentity.source == identity.source, SourceIdentity.source_id == identity.source_id
        )
        statement = statement.where(Customer.id.in_(file_with(HOME.id.in_(owner))))
    if phone is not None:
        statement = statement.where(Customer.id.in_(file_with(HOME.phone_hash == vault.phone_hash(phone))))
    if id_number is not None:
        statement = statement.where(Customer.id.in_(file_with(HOME.id_hash == vault.id_hash(id_number))))
    return statement


def file_with(condition: ColumnElement[bool]) -> Select[Any]:
    """Ids of the present files of homes (`HOME`) that meet the condition."""
    return select(func.coalesce(HOME.merged_into, HOME.id)).where(condition)


def family_of(customer_id: UUID) -> Select[Any]:
    """The customer and all merged into it: whose facts are its."""
    return select(HOME.id).where(or_(HOME.id == customer_id, HOME.merged_into == customer_id))


async def resolve(session: AsyncSession, items: Sequence[Identity]) -> list[ResolvedCustomer]:
    """Customer ids of source ids, in the order asked; of the merged the survivor's."""
    parameters = {"sources": [i.source for i in items], "source_ids": [i.source_id for i in items]}
    rows = await fetch(session, _RESOLVE, parameters)
    found = {
        n: (survivor or home, of_survivor or ordinal) for n, home, ordinal, survivor, of_survivor in rows
    }
    answers = []
    for number, item in enumerate(items, start=1):
        customer_id, ordinal = found.get(number, (None, None))
        answers.append(
            ResolvedCustomer(
                source=item.source, source_id=item.source_id, customer_id=customer_id, ordinal=ordinal
            )
        )
    return answers


async def homes(session: AsyncSession, items: Sequence[Identity]) -> list[UUID | None]:
    """The customers facts of these source ids are kept with, merged or not; null where none is visible."""
    parameters = {"sources": [i.source for i in items], "source_ids": [i.source_id for i in items]}
    found = {row[0]: row[1] for row in await fetch(session, _RESOLVE, parameters)}
    return [found.get(number) for number in range(1, len(items) + 1)]


def opened(
    vault: Vault, customer_id: UUID, wrapped_key: bytes | None, pii: bytes, *, reveal: bool
) -> dict[str, str | None]:
    """The personal fields, masked or not; all null once the key was destroyed."""
    if wrapped_key is None:
        return dict.fromkeys(FIELDS)
    personal = vault.open(customer_id, wrapped_key, pii)
    return personal if reveal else mask(personal)


async def views(
    session: AsyncSession, vault: Vault, customers: Sequence[Customer], *, reveal: bool
) -> list[CustomerView]:
    """Of each row, in the same order."""
    ids = [customer.id for customer in customers]
    key_rows = await session.execute(
        select(CustomerKey.customer_id, CustomerKey.wrapped_key).where(CustomerKey.customer_id.in_(ids))
    )
    keys = {row.customer_id: row.wrapped_key for row in key_rows}
    identities = await _identities(session, ids)
    return [
        CustomerView.model_validate(
            {
                **opened(vault, customer.id, keys.get(customer.id), customer.pii, reveal=reveal),
                **{name: getattr(customer, name) for name in _PLAIN},
                "identities": identities.get(customer.id, []),
                "org": customer.org_path,
                "masked": not reveal,
            }
        )
        for customer in customers
    ]


async def _identities(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[Identity]]:
    """Of each customer its own and, with those, what was merged into it."""
    found: dict[UUID, list[Identity]] = {}
    rows = await session.execute(
        select(SourceIdentity.source, SourceIdentity.source_id, HOME.id, HOME.merged_into)
        .join(HOME, HOME.id == SourceIdentity.customer_id)
        .where(or_(HOME.id.in_(ids), HOME.merged_into.in_(ids)))
        .order_by(SourceIdentity.source, SourceIdentity.source_id)
    )
    for source, source_id, home, survivor in rows:
        for owner in (home, survivor):
            if owner is not None:
                found.setdefault(owner, []).append(Identity(source=source, source_id=source_id))
    return found
