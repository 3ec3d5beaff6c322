"""How a customer came to be what it is, and what it held on a date."""

from datetime import date
from typing import Annotated

from fastapi import Query

from services.customer.api.access import CustomerRead
from services.customer.api.customers import CustomerId, Reveal, VaultOfProcess, require_personal_read
from services.customer.api.moments import KnownAt
from services.customer.queries import history as queries
from shared import clock
from shared.audit import audit
from shared.contracts.base import Page
from shared.contracts.customer.history import FieldChange, HoldingsOn
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["history"])


@router.get("/customers/{customer_id}/history", responses=problem_responses(400, 404))
async def list_customer_changes(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    customer_id: CustomerId,
    page: PageParams,
    reveal: Reveal = None,
) -> Page[FieldChange]:
    """Every change of every field with who, when and why, newest first; personal values masked.

    Of a merged person the changes of all its files, each with the `customer_id` of its own.
    """
    if reveal:
        require_personal_read(principal)
    found = await queries.field_changes(session, vault, customer_id, page, reveal=reveal is not None)
    if reveal:
        audit(session, principal, "reveal_history", f"customer/{customer_id}")
    return found


@router.get("/customers/{customer_id}/holdings", responses=problem_responses(404))
async def get_customer_holdings(
    session: Session,
    principal: CustomerRead,
    customer_id: CustomerId,
    known_at: KnownAt,
    as_of: Annotated[date | None, Query(description="Business date; absent: today")] = None,
) -> HoldingsOn:
    """Balances on a business date: by default as known today, with `known_at` as believed at that time."""
    return await queries.holdings_on(session, customer_id, as_of or clock.today(), known_at)
