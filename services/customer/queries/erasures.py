"""Receipts of erasures, with what the other services have confirmed."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Erasure, ErasureConfirmation, RetentionRule
from shared.contracts.base import LocalText, Page
from shared.contracts.customer.erasure import (
    AuditReference,
    ErasureState,
    ErasureView,
    RetentionRuleView,
    ServiceErasure,
    ServiceName,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_PLAIN = (
    "id",
    "customer_id",
    "state",
    "reason",
    "legal_basis",
    "do_not_collect_again",
    "requested_by",
    "requested_at",
    "confirmed_by",
    "confirmed_at",
    "subjects",
    "destroyed",
    "streams_until",
)


async def erasure_view(session: AsyncSession, erasure_id: UUID) -> ErasureView:
    """404 when it is not visible."""
    erasure = await session.get(Erasure, erasure_id)
    if erasure is None:
        raise NotFound("There is no such erasure in your organisation")
    return (await _views(session, [erasure]))[0]


async def list_erasures(
    session: AsyncSession, state: ErasureState | None, page: PageRequest
) -> Page[ErasureView]:
    """Newest first."""
    statement = select(Erasure)
    if state is not None:
        statement = statement.where(Erasure.state == state)
    found: Page[Any] = await paginate(
        session, statement, [Erasure.id], page, lambda row: row[0], descending=True
    )
    return Page[ErasureView](items=await _views(session, found.items), next_cursor=found.next_cursor)


async def _views(session: AsyncSession, erasures: Sequence[Erasure]) -> list[ErasureView]:
    statement = select(ErasureConfirmation).where(
        ErasureConfirmation.erasure_id.in_([erasure.id for erasure in erasures])
    )
    confirmed = {(row.erasure_id, row.service): row for row in await session.scalars(statement)}
    return [_view(erasure, confirmed) for erasure in erasures]


def _view(erasure: Erasure, confirmed: Mapping[tuple[UUID, str], ErasureConfirmation]) -> ErasureView:
    reference = None
    if erasure.audit_seq is not None and erasure.audit_hash is not None:
        reference = AuditReference(seq=erasure.audit_seq, hash=erasure.audit_hash.hex())
    services = [
        _service(name, confirmed.get((erasure.id, name)))
        for name in get_args(ServiceName)
        if erasure.state == "erased"
    ]
    values = {name: getattr(erasure, name) for name in _PLAIN}
    return ErasureView.model_validate({**values, "audit": reference, "services": services})


def _service(name: ServiceName, confirmed: ErasureConfirmation | None) -> ServiceErasure:
    if confirmed is None:
        return ServiceErasure(service=name, state="pending")
    return ServiceErasure(
        service=name, state="confirmed", rows=confirmed.rows, confirmed_at=confirmed.confirmed_at
    )


def rule_view(row: RetentionRule) -> RetentionRuleView:
    return RetentionRuleView.model_validate(
        {
            "code": row.code,
            "name": LocalText(zh=row.name_zh, en=row.name_en),
            "applies_to": row.applies_to,
            "event_type": row.event_type,
            "keep_days": row.keep_days,
            "active": row.active,
            "version": row.version,
        }
    )
