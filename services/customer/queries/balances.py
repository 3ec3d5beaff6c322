"""Balances by day, and accounts by the day they mature; merged files are read with their survivor's."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Customer, Holding, HoldingDay, Product
from shared import clock
from shared.contracts.base import LocalText, Page
from shared.contracts.customer.balances import BalanceDay, MaturingHolding
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


async def balance_days(
    session: AsyncSession,
    customer_id: UUID,
    account: str,
    page: PageRequest,
    *,
    since: date | None,
    until: date | None,
) -> Page[BalanceDay]:
    """Oldest first. 404 when the customer is not visible or has no such account."""
    family = select(Customer.id).where(or_(Customer.id == customer_id, Customer.merged_into == customer_id))
    held = select(Holding.account).where(Holding.customer_id.in_(family), Holding.account == account)
    if await session.scalar(held.limit(1)) is None:
        raise NotFound("There is no such account of a customer you see")
    statement: Select[Any] = select(HoldingDay).where(
        HoldingDay.customer_id.in_(family), HoldingDay.account == account
    )
    if since is not None:
        statement = statement.where(HoldingDay.as_of >= since)
    if until is not None:
        statement = statement.where(HoldingDay.as_of <= until)
    return await paginate(session, statement, [HoldingDay.as_of, HoldingDay.customer_id], page, _day)


async def maturing(
    session: AsyncSession, page: PageRequest, *, within_days: int, org: str | None, manager: str | None
) -> Page[MaturingHolding]:
    """Open accounts that mature from today up to `within_days` from now, soonest first."""
    today = clock.today()
    survivor = func.coalesce(Customer.merged_into, Customer.id)
    statement: Select[*tuple[Any, ...]] = (
        select(Holding, Product, survivor.label("owner"), Customer.org_path, Customer.primary_manager)
        .join(Customer, Customer.id == Holding.customer_id)
        .join(Product, Product.code == Holding.product)
        .where(
            Holding.matures_on.between(today, today + timedelta(days=within_days)),
            # Closed on the day it was closed: a balance told later opens it again.
            or_(Holding.closed_on.is_(None), Holding.closed_on < Holding.as_of),
            Customer.status != "erased",
        )
    )
    if org is not None:
        below = Customer.org_path.startswith(org + ".", autoescape=True)
        statement = statement.where(or_(Customer.org_path == org, below))
    if manager is not None:
        theirs = or_(Customer.primary_manager == manager, Customer.backup_manager == manager)
        statement = statement.where(theirs)
    keys: list[Any] = [Holding.matures_on, Holding.customer_id, Holding.account]
    return await paginate(session, statement, keys, page, lambda row: _maturing(row, today))


def products(
    *, category: str | None, risk: str | None, currency: str | None, active: bool | None
) -> Select[Product]:
    """All given conditions together."""
    statement = select(Product)
    for column, wanted in (
        (Product.category, category),
        (Product.risk, risk),
        (Product.currency, currency),
        (Product.active, active),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


def _day(row: Row[Any]) -> BalanceDay:
    day: HoldingDay = row[0]
    return BalanceDay(
        as_of=day.as_of, balance=day.balance, measured_at=day.measured_at, home_id=day.customer_id
    )


def _maturing(row: Any, today: date) -> MaturingHolding:
    holding: Holding = row[0]
    product: Product = row[1]
    fields = ("account", "product", "balance", "currency", "matures_on")
    return MaturingHolding.model_validate(
        {
            **{name: getattr(holding, name) for name in fields},
            "customer_id": row.owner,
            "org": row.org_path,
            "primary_manager": row.primary_manager,
            "product_name": LocalText(zh=product.name_zh, en=product.name_en),
            "category": product.category,
            "days_left": ((holding.matures_on or today) - today).days,
        }
    )
