"""Balances by day, and accounts that mature soon."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from services.customer.api.access import CustomerRead
from services.customer.queries import balances as queries
from shared.contracts.base import Code, OrgPath, Page
from shared.contracts.customer.balances import BalanceDay, MaturingHolding
from shared.contracts.customer.vocabulary import Account
from shared.pagination import PageParams
from shared.web import Router, Session, problem_responses

router = Router(tags=["holdings"])


@router.get("/holdings/maturing", responses=problem_responses(400))
async def list_maturing_holdings(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    within_days: Annotated[int, Query(ge=0, le=3660, description="From today up to so many days on")] = 30,
    org: Annotated[OrgPath | None, Query(description="Of this unit and those below it")] = None,
    manager: Annotated[Code | None, Query(description="Whose primary or backup manager this is")] = None,
) -> Page[MaturingHolding]:
    """Open accounts of your customers that end soon, the soonest first."""
    return await queries.maturing(session, page, within_days=within_days, org=org, manager=manager)


@router.get("/customers/{customer_id}/holdings/{account:path}/days", responses=problem_responses(400, 404))
async def list_balance_days(
    session: Session,
    principal: CustomerRead,
    customer_id: Annotated[UUID, Path(description="Id of the customer")],
    account: Annotated[Account, Path(description="The account; may contain slashes")],
    page: PageParams,
    since: Annotated[date | None, Query(description="First business date")] = None,
    until: Annotated[date | None, Query(description="Last business date")] = None,
) -> Page[BalanceDay]:
    """The account's balances by business date, oldest first; days between keep the balance before."""
    return await queries.balance_days(session, customer_id, account, page, since=since, until=until)
