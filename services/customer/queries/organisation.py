"""Organisation units, staff and products as contracts."""

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import OrgUnit, Product, Staff
from shared.contracts.base import LocalText
from shared.contracts.customer import OrgView, ProductView, StaffView
from shared.errors import NotFound


async def org(session: AsyncSession, code: str) -> OrgView:
    row = await session.get(OrgUnit, code)
    if row is None:
        raise NotFound("There is no such unit in your organisation")
    return org_view(row)


async def staff(session: AsyncSession, code: str) -> StaffView:
    row = await session.get(Staff, code)
    if row is None:
        raise NotFound("There is no such staff in your organisation")
    return staff_view(row)


async def product(session: AsyncSession, code: str) -> ProductView:
    row = await session.get(Product, code)
    if row is None:
        raise NotFound("There is no such product")
    return product_view(row)


def orgs_below(path: str | None) -> Select[OrgUnit]:
    """The unit and everything below it."""
    statement = select(OrgUnit)
    if path is None:
        return statement
    return statement.where(or_(OrgUnit.code == path, OrgUnit.code.startswith(path + ".", autoescape=True)))


def staff_of(org_path: str | None, role: str | None) -> Select[Staff]:
    statement = select(Staff)
    if org_path is not None:
        below = Staff.org_path.startswith(org_path + ".", autoescape=True)
        statement = statement.where(or_(Staff.org_path == org_path, below))
    return statement if role is None else statement.where(Staff.role == role)


def org_view(row: OrgUnit) -> OrgView:
    return OrgView.model_validate(
        {
            "code": row.code,
            "parent": row.code.rpartition(".")[0] or None,
            "level": row.level,
            "name": LocalText(zh=row.name_zh, en=row.name_en),
            "active": row.active,
            "version": row.version,
        }
    )


def staff_view(row: Staff) -> StaffView:
    return StaffView.model_validate(
        {
            "code": row.code,
            "name": row.name,
            "role": row.role,
            "org": row.org_path,
            "active": row.active,
            "version": row.version,
        }
    )


def product_view(row: Product) -> ProductView:
    return ProductView.model_validate(
        {
            "code": row.code,
            "name": LocalText(zh=row.name_zh, en=row.name_en),
            "category": row.category,
            "risk": row.risk,
            "currency": row.currency,
            "margin": row.margin,
            "active": row.active,
            "version": row.version,
        }
    )
