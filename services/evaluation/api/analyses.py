"""What customers of the whole bank use, hold and move, month by month."""

from datetime import date
from typing import Annotated

from fastapi import Query

from services.evaluation.api.access import BankRead, CurrentStore
from services.evaluation.queries.analyses import channel_analysis, funds_analysis, product_analysis
from services.evaluation.store.analyses import Months, next_month
from shared import clock
from shared.contracts.base import Currency
from shared.contracts.evaluation.analyses import ChannelAnalysis, FundsAnalysis, Month, ProductAnalysis
from shared.errors import FieldError, Unprocessable
from shared.web import Router, problem_responses

router = Router(tags=["analyses"])

MOST_MONTHS = 36
_DEFAULT_MONTHS = 12
From = Annotated[
    Month | None, Query(alias="from", description="First month; when left out, the twelfth up to `until`")
]
Until = Annotated[Month | None, Query(description="Last month; when left out, the last that is over")]


@router.get("/analyses/channels", responses=problem_responses(422))
async def analyse_channels(
    principal: BankRead, store: CurrentStore, from_: From = None, until: Until = None
) -> ChannelAnalysis:
    """Customers and transactions by channel and month, and where customers of each channel of the first month
    are in the last. Only posted transactions count as use, not logins or visits.

    Of the whole bank, and for head office only: which branch a customer is of is known here of those in
    campaigns alone. A merged family is one customer. The month that is not over counts as far as it is told.
    """
    months, at = _months(from_, until), clock.now()
    return await store.read(lambda cursor: channel_analysis(cursor, months, at))


@router.get("/analyses/products", responses=problem_responses(422))
async def analyse_products(
    principal: BankRead,
    store: CurrentStore,
    month: Annotated[Month | None, Query(description="When left out, the last that is over")] = None,
    minimum: Annotated[int, Query(ge=1, le=100_000, description="Holders a cross-sell share needs")] = 30,
) -> ProductAnalysis:
    """Who holds which categories at the close of a month, how many products, which of them together, what was
    opened and closed in it, and how penetration came there in twelve months.

    Of the whole bank, and for head office only: which branch a customer is of is known here of those in
    campaigns alone. A merged family is one customer. An account stands as it was last told by the close; of
    the month that is not over, as told by now.
    """
    day, at = _first_day(month, "month"), clock.now()
    return await store.read(lambda cursor: product_analysis(cursor, day, minimum, at))


@router.get("/analyses/funds", responses=problem_responses(422))
async def analyse_funds(
    principal: BankRead,
    store: CurrentStore,
    from_: From = None,
    until: Until = None,
    currency: Annotated[Currency, Query(description="One of its own: amounts are not converted")] = "CNY",
) -> FundsAnalysis:
    """Money in and out by month and channel, and beside what each category's balances changed by; what
    transactions do not explain of it is told as such. Between which categories money went is not told.

    Of the whole bank, and for head office only: which branch a customer is of is known here of those in
    campaigns alone. A transaction is of its product's category.
    """
    months, at = _months(from_, until), clock.now()
    return await store.read(lambda cursor: funds_analysis(cursor, months, currency, at))


def _months(first: str | None, last: str | None) -> Months:
    """422 when they end before they begin, have not begun, or are more than three years."""
    ends = _first_day(last, "until")
    begins = next_month(ends, 1 - _DEFAULT_MONTHS) if first is None else _first_day(first, "from")
    if ends < begins:
        errors = [FieldError("/query/until", "is before `from`")]
        raise Unprocessable("The months end before they begin.", errors=errors)
    if next_month(begins, MOST_MONTHS) <= ends:
        errors = [FieldError("/query/from", f"is more than {MOST_MONTHS} months back from the last")]
        raise Unprocessable(f"At most {MOST_MONTHS} months are told at once.", errors=errors)
    return Months(begins, ends)


def _first_day(month: str | None, name: str) -> date:
    """Of the last month that is over when it is left out; 422 naming the parameter for one in the future."""
    current = clock.today().replace(day=1)
    if month is None:
        return next_month(current, -1)
    day = date.fromisoformat(f"{month}-01")
    if day > current:
        raise Unprocessable(
            "The month has not begun.", errors=[FieldError(f"/query/{name}", "lies in the future")]
        )
    return day
