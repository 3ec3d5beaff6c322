"""Assigning a customer: branch, managers, shares. Whoever is merged into it follows."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.history import seal_reason
from services.customer.domain.shares import Share, share_errors
from services.customer.domain.vault import Vault
from services.customer.models import Customer, CustomerKey, OrgUnit, Staff
from services.customer.usecases.effects import touch
from services.customer.usecases.families import lock_families
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.ownership import OwnershipAssignment
from shared.db import fetch, give_reason
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.web import check_version

_ASSIGN = """
UPDATE customer SET org_path = %(org)s, primary_manager = %(primary)s, backup_manager = %(backup)s
WHERE id = ANY(%(family)b::uuid[])
"""

_PRESENT = """
SELECT org_path, role, share FROM customer_branch
WHERE customer_id = %(customer)s AND valid_to IS NULL ORDER BY org_path
"""

_SET_BRANCHES = """
SELECT set_customer_branches(%(customer)s, %(orgs)b::text[], %(roles)b::text[], %(shares)b::numeric[],
                             %(day)s)
"""

_NAME_CAUSE = """
SELECT set_config('huanying.cause', %(cause)s, true),
       set_config('huanying.effective_on', %(day)s::date::text, true)
"""


async def name_cause(session: AsyncSession, cause: str) -> None:
    """What the ownership changes of this transaction come from; they take effect today."""
    await fetch(session, _NAME_CAUSE, {"cause": cause, "day": clock.today()})


async def change_ownership(
    session: AsyncSession,
    vault: Vault,
    principal: Principal,
    customer_id: UUID,
    body: OwnershipAssignment,
    expected: int,
) -> None:
    """Move a customer to a branch, its managers and its shares; 409 when it was merged away."""
    families = await lock_families(session, [customer_id], with_members=True)
    family = [customer_id, *(home for home, one in families.survivors.items() if one == customer_id)]
    customer = await session.get(Customer, customer_id)
    if customer is None:
        raise NotFound("There is no such customer in your organisation")
    if customer.merged_into is not None:
        raise Conflict(f"It was merged: its owners are those of {customer.merged_into}", slug="merged")
    check_version(customer.version, expected)
    await check_owners(session, body.org, body.primary_manager, body.backup_manager)
    shares = [Share(one.org, one.role, one.share) for one in body.branches or ()]
    await _check_branches(session, shares, body.org)
    before = _owners(customer)
    await name_cause(session, "assignment")
    if body.reason:
        await _explain(session, vault, customer_id, body.reason)
    parameters = {
        "org": body.org,
        "primary": body.primary_manager,
        "backup": body.backup_manager,
        "family": family,
    }
    await fetch(session, _ASSIGN, parameters)
    if shares:
        await _set_branches(session, customer_id, shares)
    await touch(session, family)
    await publish_customers(session, family)
    await session.refresh(customer)
    detail = {"before": before, "after": _owners(customer), "branches": _told(shares)}
    audit(session, principal, "change_ownership", f"customer/{customer_id}", detail, org_path=body.org)


async def check_owners(
    session: AsyncSession, org: str, primary_manager: str | None, backup_manager: str | None
) -> None:
    """Unit and managers must exist, be active and lie within the caller's organisation."""
    unit = await session.get(OrgUnit, org)
    errors = [] if unit and unit.active else [FieldError("/org", "is not an active unit you can see")]
    wanted = {"/primary_manager": primary_manager, "/backup_manager": backup_manager}
    codes = [code for code in wanted.values() if code]
    statement = select(Staff.code).where(Staff.code.in_(codes), Staff.active)
    known = set((await session.scalars(statement)).all())
    errors += [
        FieldError(pointer, "is not active staff you can see")
        for pointer, code in wanted.items()
        if code and code not in known
    ]
    if errors:
        raise Unprocessable("The ownership is not valid", errors=errors)


async def _check_branches(session: AsyncSession, shares: Sequence[Share], lead: str) -> None:
    if not shares:
        return
    errors = share_errors(shares, lead)
    statement = select(OrgUnit.code).where(OrgUnit.code.in_([one.org for one in shares]), OrgUnit.active)
    known = set((await session.scalars(statement)).all())
    errors += [
        FieldError(f"/branches/{index}/org", "is not an active unit you can see")
        for index, one in enumerate(shares)
        if one.org not in known
    ]
    if errors:
        raise Unprocessable("The branch shares are not valid", errors=errors)


async def _set_branches(session: AsyncSession, customer_id: UUID, shares: Sequence[Share]) -> None:
    present = [Share(*row) for row in await fetch(session, _PRESENT, {"customer": customer_id})]
    if sorted(shares, key=lambda one: one.org) == present:
        return
    parameters = {
        "customer": customer_id,
        "orgs": [one.org for one in shares],
        "roles": [one.role for one in shares],
        "shares": [one.share for one in shares],
        "day": clock.today(),
    }
    await fetch(session, _SET_BRANCHES, parameters)


async def _explain(session: AsyncSession, vault: Vault, customer_id: UUID, reason: str) -> None:
    key = await session.get(CustomerKey, customer_id)
    if key is None:
        raise Conflict("The customer's personal data was erased")
    await give_reason(session, seal_reason(vault, customer_id, key.wrapped_key, reason))


def _owners(customer: Customer) -> dict[str, str | None]:
    return {
        "org": customer.org_path,
        "primary_manager": customer.primary_manager,
        "backup_manager": customer.backup_manager,
    }


def _told(shares: Sequence[Share]) -> list[dict[str, str]]:
    return [{"org": one.org, "role": one.role, "share": f"{one.share:f}"} for one in shares]
