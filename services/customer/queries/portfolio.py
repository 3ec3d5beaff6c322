"""What one member of staff looks after."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerKey, Staff
from services.customer.queries.customers import opened
from services.customer.queries.networks import holdings_of, sum_up
from shared.contracts.base import Page
from shared.contracts.customer.handover import MaturingSoon, Portfolio, PortfolioCustomer
from shared.contracts.customer.overview import CurrencyTotal
from shared.db import fetch
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_COUNTS = """
SELECT count(*) FILTER (WHERE primary_manager = %(staff)s),
  count(*) FILTER (WHERE backup_manager = %(staff)s),
  count(*) FILTER (WHERE primary_manager = %(staff)s AND backup_manager IS NULL)
FROM customer WHERE (primary_manager = %(staff)s OR backup_manager = %(staff)s)
  AND merged_into IS NULL AND status <> 'erased'
"""

_HELD = """
SELECT h.currency,
  coalesce(sum(h.balance) FILTER (WHERE p.category NOT IN ('loan', 'card')), 0)::numeric(20, 2),
  coalesce(sum(h.balance) FILTER (WHERE p.category IN ('loan', 'card')), 0)::numeric(20, 2),
  count(*) FILTER (WHERE h.matures_on BETWEEN %(today)s AND %(until)s),
  coalesce(sum(h.balance) FILTER (WHERE h.matures_on BETWEEN %(today)s AND %(until)s), 0)::numeric(20, 2)
FROM customer c
JOIN LATERAL (SELECT c.id AS home UNION ALL SELECT m.id FROM customer m WHERE m.merged_into = c.id) f ON true
JOIN holding h ON h.customer_id = f.home JOIN product p ON p.code = h.product
WHERE c.primary_manager = %(staff)s AND c.merged_into IS NULL AND c.status <> 'erased'
  AND (h.closed_on IS NULL OR h.closed_on < h.as_of)
GROUP BY 1 ORDER BY 1
"""


async def portfolio(
    session: AsyncSession, vault: Vault, code: str, today: date, *, days: int, page: PageRequest
) -> Portfolio:
    """404 when the staff is not visible."""
    if await session.get(Staff, code) is None:
        raise NotFound("There is no such staff in your organisation")
    as_primary, as_backup, alone = (await fetch(session, _COUNTS, {"staff": code}))[0]
    window = {"staff": code, "today": today, "until": today + timedelta(days=days)}
    held = await fetch(session, _HELD, window)
    return Portfolio(
        staff=code,
        as_primary=as_primary,
        as_backup=as_backup,
        without_backup=alone,
        without_backup_share=alone / as_primary if as_primary else 0,
        totals=sum_up([[CurrencyTotal(currency=row[0], assets=row[1], liabilities=row[2]) for row in held]]),
        maturing=[MaturingSoon(currency=row[0], accounts=row[3], balance=row[4]) for row in held if row[3]],
        customers=await _customers(session, vault, code, page),
    )


async def _customers(
    session: AsyncSession, vault: Vault, code: str, page: PageRequest
) -> Page[PortfolioCustomer]:
    statement = (
        select(Customer)
        .where(or_(Customer.primary_manager == code, Customer.backup_manager == code))
        .where(Customer.merged_into.is_(None), Customer.status != "erased")
    )
    found: Page[Any] = await paginate(session, statement, [Customer.id], page, lambda row: row[0])
    return Page[PortfolioCustomer](
        items=await _views(session, vault, code, found.items), next_cursor=found.next_cursor
    )


async def _views(
    session: AsyncSession, vault: Vault, code: str, customers: Sequence[Customer]
) -> list[PortfolioCustomer]:
    ids = [customer.id for customer in customers]
    rows = await session.execute(
        select(CustomerKey.customer_id, CustomerKey.wrapped_key).where(CustomerKey.customer_id.in_(ids))
    )
    keys: dict[UUID, bytes] = {row.customer_id: row.wrapped_key for row in rows}
    totals = await holdings_of(session, ids)
    return [
        PortfolioCustomer.model_validate(
            {
                "customer_id": customer.id,
                "name": opened(vault, customer.id, keys.get(customer.id), customer.pii, reveal=False)["name"],
                "kind": customer.kind,
                "org": customer.org_path,
                "role": "primary" if customer.primary_manager == code else "backup",
                "other_manager": customer.backup_manager
                if customer.primary_manager == code
                else customer.primary_manager,
                "totals": totals.get(customer.id, []),
            }
        )
        for customer in customers
    ]
