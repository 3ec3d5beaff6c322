"""Owners of a customer: today, on a day before, and how they changed."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import open_reason
from services.customer.domain.vault import Vault
from services.customer.models import CustomerBranch, CustomerKey, OwnershipChangeRow
from services.customer.queries.relations import survivor
from shared.contracts.customer.ownership import (
    BranchShare,
    CoManaged,
    OwnershipChangeView,
    OwnershipView,
    OwnersThen,
)
from shared.db import fetch
from shared.errors import NotFound

# On a day in the past the owners are those after the last change until then, or before the first one later.
_THEN = """
SELECT c.version,
  coalesce(last.after_org, next.before_org, c.org_path),
  CASE WHEN last.seq IS NOT NULL THEN last.after_primary WHEN next.seq IS NOT NULL THEN next.before_primary
       ELSE c.primary_manager END,
  CASE WHEN last.seq IS NOT NULL THEN last.after_backup WHEN next.seq IS NOT NULL THEN next.before_backup
       ELSE c.backup_manager END
FROM customer c
LEFT JOIN LATERAL (SELECT * FROM ownership_change o WHERE o.customer_id = c.id
  AND o.effective_on <= %(as_of)s ORDER BY o.seq DESC LIMIT 1) last ON true
LEFT JOIN LATERAL (SELECT * FROM ownership_change o WHERE o.customer_id = c.id
  AND o.effective_on > %(as_of)s ORDER BY o.seq LIMIT 1) next ON true
WHERE c.id = %(customer)s
"""

_BRANCHES = """
SELECT org_path, role, share FROM customer_branch
WHERE customer_id = %(customer)s AND valid_from <= %(as_of)s AND (valid_to IS NULL OR valid_to > %(as_of)s)
ORDER BY role DESC, share DESC, org_path
"""


async def ownership(session: AsyncSession, customer_id: UUID, as_of: date) -> OwnershipView:
    """404 when the customer is not visible."""
    rows = await fetch(session, _THEN, {"customer": customer_id, "as_of": as_of})
    if not rows:
        raise NotFound("There is no such customer in your organisation")
    version, org, primary, backup = rows[0]
    shares = await fetch(session, _BRANCHES, {"customer": customer_id, "as_of": as_of})
    return OwnershipView(
        customer_id=customer_id,
        version=version,
        as_of=as_of,
        org=org,
        primary_manager=primary,
        backup_manager=backup,
        branches=[BranchShare(org=row[0], role=row[1], share=row[2]) for row in shares]
        or [BranchShare(org=org, role="lead", share=Decimal(1))],
    )


async def changes_of(session: AsyncSession, customer_id: UUID) -> Any:
    """The customer's own changes of owners, with its key to read the reasons; 404 when not visible."""
    await survivor(session, customer_id)
    return (
        select(OwnershipChangeRow, CustomerKey.wrapped_key)
        .outerjoin(CustomerKey, CustomerKey.customer_id == OwnershipChangeRow.customer_id)
        .where(OwnershipChangeRow.customer_id == customer_id)
    )


def change_view(vault: Vault, row: Any) -> OwnershipChangeView:
    change: OwnershipChangeRow = row[0]
    return OwnershipChangeView.model_validate(
        {
            "before": OwnersThen(
                org=change.before_org,
                primary_manager=change.before_primary,
                backup_manager=change.before_backup,
            ),
            "after": OwnersThen(
                org=change.after_org,
                primary_manager=change.after_primary,
                backup_manager=change.after_backup,
            ),
            "reason": open_reason(vault, change.customer_id, row[1], change.reason),
            **{
                name: getattr(change, name)
                for name in ("customer_id", "cause", "changed_by", "changed_at", "effective_on")
            },
        }
    )


def co_managed(org: str | None) -> Select[CustomerBranch]:
    """What branches share today without leading it, of one unit and those below when named."""
    statement = select(CustomerBranch).where(CustomerBranch.role == "co", CustomerBranch.valid_to.is_(None))
    if org is not None:
        below = CustomerBranch.org_path.startswith(org + ".", autoescape=True)
        statement = statement.where(or_(CustomerBranch.org_path == org, below))
    return statement


def co_managed_view(row: CustomerBranch) -> CoManaged:
    return CoManaged(customer_id=row.customer_id, org=row.org_path, share=row.share, since=row.valid_from)
