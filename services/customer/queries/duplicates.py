"""Pairs that may be the same person, with what speaks for and against it; personal data masked."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.customer.domain.duplicates import WEIGHTS, weight
from services.customer.domain.history import open_reason
from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerKey, Duplicate
from services.customer.queries.customers import opened
from shared.contracts.base import Page
from shared.contracts.customer.identity import DuplicateCustomer, DuplicateView, Evidence
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_FIRST, _SECOND = aliased(Customer), aliased(Customer)


def pairs(
    *,
    state: str | None = None,
    min_score: float = 0,
    org: str | None = None,
    customer_id: UUID | None = None,
) -> Select[Any]:
    """Of customers that are not merged. `org`: one of the two at least is of this unit or below."""
    statement = (
        select(Duplicate)
        .join(_FIRST, _FIRST.id == Duplicate.first_id)
        .join(_SECOND, _SECOND.id == Duplicate.second_id)
        .where(_FIRST.merged_into.is_(None), _SECOND.merged_into.is_(None))
        .where(Duplicate.score >= Decimal(str(min_score)))
    )
    if state is not None:
        statement = statement.where(Duplicate.state == state)
    if org is not None:
        statement = statement.where(or_(_under(_FIRST.org_path, org), _under(_SECOND.org_path, org)))
    if customer_id is not None:
        statement = statement.where(
            or_(Duplicate.first_id == customer_id, Duplicate.second_id == customer_id)
        )
    return statement


async def list_pairs(
    session: AsyncSession, vault: Vault, statement: Select[Any], page: PageRequest
) -> Page[DuplicateView]:
    """The likeliest first."""
    keys = [Duplicate.score, Duplicate.id]
    found: Page[Any] = await paginate(session, statement, keys, page, lambda row: row[0], descending=True)
    items = await _views(session, vault, found.items)
    return Page[DuplicateView](items=items, next_cursor=found.next_cursor)


async def pair_view(session: AsyncSession, vault: Vault, duplicate_id: UUID) -> DuplicateView:
    pair = await session.get(Duplicate, duplicate_id)
    if pair is None:
        raise NotFound("There is no such pair in your organisation")
    return (await _views(session, vault, [pair]))[0]


def _under(column: Any, org: str) -> ColumnElement[bool]:
    return or_(column == org, column.startswith(org + ".", autoescape=True))


async def _views(session: AsyncSession, vault: Vault, found: Sequence[Duplicate]) -> list[DuplicateView]:
    ids = {customer_id for pair in found for customer_id in (pair.first_id, pair.second_id)}
    rows = await session.execute(
        select(Customer.id, Customer.kind, Customer.org_path, Customer.pii, CustomerKey.wrapped_key)
        .outerjoin(CustomerKey, CustomerKey.customer_id == Customer.id)
        .where(Customer.id.in_(ids))
    )
    known = {row.id: row for row in rows}
    return [_view(vault, pair, known) for pair in found]


def _view(vault: Vault, pair: Duplicate, known: Mapping[UUID, Any]) -> DuplicateView:
    evidence = [
        Evidence.model_validate({"key": k, "verdict": verdict, "weight": weight(k, verdict)})
        for k in WEIGHTS
        if (verdict := pair.evidence.get(k)) is not None
    ]
    return DuplicateView.model_validate(
        {
            "id": pair.id,
            "customers": [_customer(vault, known[one]) for one in (pair.first_id, pair.second_id)],
            "score": float(pair.score),
            "evidence": evidence,
            "state": pair.state,
            "found_at": pair.found_at,
            "reason": open_reason(vault, pair.first_id, known[pair.first_id].wrapped_key, pair.reason),
            "decided_by": pair.decided_by,
            "decided_at": pair.decided_at,
        }
    )


def _customer(vault: Vault, row: Any) -> DuplicateCustomer:
    personal = opened(vault, row.id, row.wrapped_key, row.pii, reveal=False)
    shown = {name: personal[name] for name in ("name", "id_number", "phone")}
    return DuplicateCustomer.model_validate({"id": row.id, "kind": row.kind, "org": row.org_path, **shown})
