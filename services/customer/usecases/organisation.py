"""Organisation units, staff and products: PUT by natural code, the same PUT twice is one."""

from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import OrgUnit, Product, Staff
from services.customer.usecases.versions import next_version
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer import OrgWrite, ProductWrite, StaffWrite
from shared.db import fetch
from shared.errors import Conflict, FieldError, NotFound, Unprocessable

Row = TypeVar("Row", OrgUnit, Product, Staff)


async def put_org(
    session: AsyncSession, principal: Principal, code: str, body: OrgWrite, expected: int | None
) -> OrgUnit:
    """Create or replace a unit; its parent, the path without the last segment, must exist."""
    if not principal.covers(code):
        raise NotFound("There is no such unit in your organisation")
    parent = code.rpartition(".")[0]
    if (body.level == "hq") != (parent == ""):
        raise Unprocessable(
            "Only head office has no parent", errors=[FieldError("/level", "does not fit the path")]
        )
    if parent and principal.covers(parent) and await session.get(OrgUnit, parent) is None:
        raise Unprocessable(
            "The parent unit does not exist", errors=[FieldError("/code", f"'{parent}' is missing")]
        )
    values = {
        "level": body.level,
        "name_zh": body.name.zh,
        "name_en": body.name.en,
        "active": body.active,
    }
    return await _put(session, principal, OrgUnit, code, values, expected)


async def put_staff(
    session: AsyncSession, principal: Principal, code: str, body: StaffWrite, expected: int | None
) -> Staff:
    if await session.get(OrgUnit, body.org) is None:
        raise Unprocessable(
            "The unit does not exist", errors=[FieldError("/org", "is not a unit you can see")]
        )
    if not body.active:
        await _refuse_to_leave_customers(session, code)
    values = {"name": body.name, "role": body.role, "org_path": body.org, "active": body.active}
    return await _put(session, principal, Staff, code, values, expected)


async def _refuse_to_leave_customers(session: AsyncSession, code: str) -> None:
    """Nobody leaves while customers are still in their care."""
    customers = (await fetch(session, "SELECT portfolio_size(%(staff)s)", {"staff": code}))[0][0]
    if customers:
        raise Conflict(
            f"{customers} customers are in the care of {code}: POST /v1/staff/{code}:handover first",
            errors=[FieldError("/active", "needs a handover first")],
            slug="handover-needed",
        )


async def put_product(
    session: AsyncSession, principal: Principal, code: str, body: ProductWrite, expected: int | None
) -> Product:
    values = {
        "name_zh": body.name.zh,
        "name_en": body.name.en,
        "category": body.category,
        "risk": body.risk,
        "currency": body.currency,
        "margin": body.margin,
        "active": body.active,
    }
    return await _put(session, principal, Product, code, values, expected)


async def _put(
    session: AsyncSession,
    principal: Principal,
    model: type[Row],
    code: str,
    values: dict[str, Any],
    expected: int | None,
) -> Row:
    row = await session.get(model, code, with_for_update=True)
    if row is not None and all(getattr(row, name) == value for name, value in values.items()):
        return row
    version = next_version(row.version if row else None, expected)
    row = row or model(code=code)
    for name, value in values.items():
        setattr(row, name, value)
    row.version = version
    session.add(row)
    await session.flush()
    audit(session, principal, "put", f"{model.__tablename__}/{code}", {"version": version})
    return row
