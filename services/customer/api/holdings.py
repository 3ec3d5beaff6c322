"""Balances by batch."""

from fastapi import Response

from services.customer.api.access import BulkWrite
from services.customer.usecases.holdings import take_holdings
from shared.contracts.customer import HoldingsResult, HoldingsWrite
from shared.web import CurrentRuntime, Router, Session

router = Router(tags=["holdings"])


@router.post(
    "/holdings", responses={207: {"model": HoldingsResult, "description": "Some items were refused"}}
)
async def post_holdings(
    session: Session,
    principal: BulkWrite,
    runtime: CurrentRuntime,
    body: HoldingsWrite,
    response: Response,
) -> HoldingsResult:
    """Up to 1,000 balances. An older date than the account's latest only adds to its history."""
    await runtime.room.require()
    result = await take_holdings(session, principal, body.items)
    response.status_code = 207 if result.rejected else 200
    return result
